"""API keys, by the hash of the secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, insert, select, update

from chatdock.storage.database import Row, Statement, Tx
from chatdock.storage.schema import api_key

if TYPE_CHECKING:
    from collections.abc import Sequence

_INSERT = Statement(insert(api_key))
_BY_HASH = Statement(
    select(api_key.c.project_id).where(api_key.c.hash == bindparam("hash"), api_key.c.revoked_at.is_(None))
)
_LIST = Statement(select(api_key).order_by(api_key.c.created_at, api_key.c.id))
_REVOKE = Statement(
    update(api_key)
    .where(api_key.c.id == bindparam("key_id"), api_key.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"))
)


async def add(tx: Tx, *, key_id: str, project_id: str, name: str, digest: bytes, hint: str, now: int) -> None:
    """Store a new key's hash."""
    await tx.run(
        _INSERT, id=key_id, project_id=project_id, name=name, hash=digest, hint=hint, created_at=now, revoked_at=None
    )


async def project_of(tx: Tx, digest: bytes) -> str | None:
    """The project that a live key with this hash belongs to."""
    row = await tx.one(_BY_HASH, hash=digest)
    return None if row is None else str(row["project_id"])


async def every(tx: Tx) -> Sequence[Row]:
    """All keys, oldest first, the revoked ones too."""
    return await tx.all(_LIST)


async def revoke(tx: Tx, key_id: str, now: int) -> bool:
    """End a key; False when there is no live one with this id."""
    return await tx.run(_REVOKE, key_id=key_id, now=now) == 1
