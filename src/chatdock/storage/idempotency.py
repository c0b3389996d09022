"""Which request an Idempotency-Key stands for. Keys are kept for 24 hours, and only as hashes."""

from __future__ import annotations

import hashlib

from sqlalchemy import bindparam, delete, insert, select

from chatdock.errors import IdempotencyMismatch
from chatdock.storage.database import Row, Statement, Tx
from chatdock.storage.schema import idempotency

KEPT_SECONDS = 24 * 3600

_INSERT = Statement(insert(idempotency))
_FIND = Statement(
    select(idempotency).where(
        idempotency.c.scope == bindparam("scope"), idempotency.c.key_hash == bindparam("key_hash")
    )
)
_FORGET = Statement(delete(idempotency).where(idempotency.c.created_at < bindparam("before")))


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


async def forget(tx: Tx, before: int) -> None:
    """Drop keys from before a time in microseconds."""
    await tx.run(_FORGET, before=before)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
