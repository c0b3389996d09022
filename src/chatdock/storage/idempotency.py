"""Which request an Idempotency-Key stands for. Keys are kept only as hashes, and for a day."""

from __future__ import annotations

import hashlib

from sqlalchemy import bindparam, delete, insert, select, tuple_

from chatdock.errors import IdempotencyMismatch
from chatdock.storage.database import Row, Statement, Tx
from chatdock.storage.schema import idempotency

_INSERT = Statement(insert(idempotency))
_FIND = Statement(
    select(idempotency).where(
        idempotency.c.scope == bindparam("scope"), idempotency.c.key_hash == bindparam("key_hash")
    )
)
_KEY = tuple_(idempotency.c.scope, idempotency.c.key_hash)
_FORGET = Statement(
    delete(idempotency).where(
        _KEY.in_(
            select(idempotency.c.scope, idempotency.c.key_hash)
            .where(idempotency.c.created_at < bindparam("before"))
            .limit(bindparam("count"))
        )
    )
)


async def find(tx: Tx, scope: str, key: str, request: bytes) -> Row | None:
    """What this key stood for in this scope; `IdempotencyMismatch` when it came with another request."""
    row = await tx.one(_FIND, scope=scope, key_hash=_digest(key.encode()))
    if row is not None and row["request_hash"] != _digest(request):
        raise IdempotencyMismatch(
            "This Idempotency-Key was used with another request.", param="Idempotency-Key", code="idempotency_mismatch"
        )
    return row


async def remember(
    tx: Tx, scope: str, key: str, request: bytes, *, result_id: str, now: int, salt: bytes | None = None
) -> None:
    """Record what the key stands for, in the transaction that makes it true."""
    await tx.run(
        _INSERT,
        scope=scope,
        key_hash=_digest(key.encode()),
        request_hash=_digest(request),
        result_id=result_id,
        salt=salt,
        created_at=now,
    )


async def forget(tx: Tx, before: int, count: int) -> int:
    """Drop at most `count` keys from before a time in microseconds; returns how many."""
    return await tx.run(_FORGET, before=before, count=count)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
