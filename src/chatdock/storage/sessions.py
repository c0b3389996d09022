"""Sessions, by id and by the hash of their client secret."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from chatdock.storage.database import Row, Statement, Tx
from chatdock.storage.schema import idempotency, run, session, words

_INSERT = Statement(insert(session))
_BY_ID = Statement(
    select(session).where(session.c.id == bindparam("id"), session.c.project_id == bindparam("project_id"))
)
_BY_SECRET = Statement(select(session).where(session.c.secret_hash == bindparam("secret_hash")))
_RUNNING = Statement(select(session).where(session.c.id == bindparam("id")))
_CANCEL = Statement(
    update(session)
    .where(
        session.c.id == bindparam("session_id"),
        session.c.project_id == bindparam("project"),
        session.c.cancelled_at.is_(None),
        session.c.expires_at > bindparam("now"),
    )
    .values(cancelled_at=bindparam("now"))
)
_ENDED = (
    select(session.c.id)
    .where(
        func.coalesce(session.c.cancelled_at, session.c.expires_at) < bindparam("before"),
        # A run that waits for its turn takes the state variables from here, however late that comes.
        session.c.id.not_in(select(run.c.session_id).where(run.c.status.in_(words(("queued", "running"))))),
    )
    .limit(bindparam("count"))
)
# Its key would name a session that is not there.
_FORGET_KEYS = Statement(delete(idempotency).where(idempotency.c.result_id.in_(_ENDED)))
_FORGET = Statement(delete(session).where(session.c.id.in_(_ENDED)))


async def add(tx: Tx, **columns: Any) -> None:
    """Store a new session."""
    await tx.run(_INSERT, **columns)


async def by_id(tx: Tx, project_id: str, session_id: str) -> Row | None:
    """A session of the project."""
    return await tx.one(_BY_ID, id=session_id, project_id=project_id)


async def of_run(tx: Tx, session_id: str) -> Row | None:
    """The session that a stored run belongs to; the run itself was authorised when it was accepted."""
    return await tx.one(_RUNNING, id=session_id)


async def by_secret(tx: Tx, secret_hash: bytes) -> Row | None:
    """The session that a client secret with this hash opens."""
    return await tx.one(_BY_SECRET, secret_hash=secret_hash)


async def cancel(tx: Tx, project_id: str, session_id: str, now: int) -> None:
    """Mark a live session as cancelled; one that ended stays as it is."""
    await tx.run(_CANCEL, session_id=session_id, project=project_id, now=now)


async def forget(tx: Tx, before: int, count: int) -> int:
    """Drop at most `count` sessions that ended before a time, with their Idempotency-Keys; returns how many."""
    await tx.run(_FORGET_KEYS, before=before, count=count)
    return await tx.run(_FORGET, before=before, count=count)
