"""Thumbs up and down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select

from chatdock.storage.database import Row, Statement, Tx
from chatdock.storage.schema import feedback

if TYPE_CHECKING:
    from collections.abc import Sequence

_FORGET = Statement(
    delete(feedback).where(feedback.c.thread_id == bindparam("thread"), feedback.c.item_id == bindparam("item"))
)
_INSERT = Statement(insert(feedback))
_LIST = Statement(
    select(feedback).where(feedback.c.project_id == bindparam("project")).order_by(feedback.c.created_at.desc())
)
_OF_THREAD = Statement(select(feedback).where(feedback.c.thread_id == bindparam("thread")).order_by(feedback.c.item_id))


async def put(tx: Tx, *, thread_id: str, item_id: str, project_id: str, user_id: str, kind: str, now: int) -> None:
    """Record a verdict on an item in place of an earlier one."""
    await tx.run(_FORGET, thread=thread_id, item=item_id)
    await tx.run(
        _INSERT,
        thread_id=thread_id,
        item_id=item_id,
        project_id=project_id,
        user_id=user_id,
        kind=kind,
        created_at=now,
    )


async def of_project(tx: Tx, project_id: str) -> Sequence[Row]:
    """Everything that the project's users said, newest first."""
    return await tx.all(_LIST, project=project_id)


async def of_thread(tx: Tx, thread_id: str) -> Sequence[Row]:
    """What was said about a thread's items, by item."""
    return await tx.all(_OF_THREAD, thread=thread_id)
