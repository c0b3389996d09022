"""How far each thread of hosted ChatKit has been read, so that an import goes on where it stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, insert, select, update

from chatdock.storage import items, threads
from chatdock.storage.database import Row, Statement, Tx
from chatdock.storage.schema import imported_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

_BY_ID = Statement(select(imported_thread).where(imported_thread.c.thread_id == bindparam("thread")))
_INSERT = Statement(insert(imported_thread))
_SAVE = Statement(
    update(imported_thread)
    .where(imported_thread.c.thread_id == bindparam("thread"))
    .values(
        last_item_id=bindparam("new_last_item_id"),
        next_position=bindparam("new_next_position"),
        stored=bindparam("new_stored"),
        read_at=bindparam("new_read_at"),
        left_out=bindparam("new_left_out"),
    )
)
_REMOVE_UNSTORED = Statement(
    delete(imported_thread).where(imported_thread.c.thread_id == bindparam("thread"), imported_thread.c.stored == 0)
)
_PASS_OVER = Statement(
    update(imported_thread)
    .where(imported_thread.c.project_id == bindparam("project"), imported_thread.c.read_at.is_not(None))
    .values(read_at=None)
)
_PAGE = Statement(
    select(imported_thread)
    .where(imported_thread.c.project_id == bindparam("project"), imported_thread.c.thread_id > bindparam("after"))
    .order_by(imported_thread.c.thread_id)
    .limit(bindparam("count"))
)


async def by_id(tx: Tx, thread_id: str) -> Row | None:
    """How far a thread has been read; None when it was never met."""
    return await tx.one(_BY_ID, thread=thread_id)


async def save(
    tx: Tx,
    thread_id: str,
    project_id: str,
    *,
    last_item_id: str | None,
    next_position: int,
    stored: bool,
    read_at: int | None,
    left_out: str,
) -> None:
    """Record how far a thread has been read; the columns say what each means."""
    values: dict[str, Any] = {
        "last_item_id": last_item_id,
        "next_position": next_position,
        "stored": int(stored),
        "read_at": read_at,
        "left_out": left_out,
    }
    if not await tx.run(_SAVE, thread=thread_id, **{f"new_{name}": value for name, value in values.items()}):
        await tx.run(_INSERT, thread_id=thread_id, project_id=project_id, **values)


async def remove_unfinished(tx: Tx, thread_id: str) -> None:
    """Remove what an interrupted import left of a thread that never came to be seen."""
    if not await threads.exists(tx, thread_id):
        await items.remove_all(tx, thread_id)
        await tx.run(_REMOVE_UNSTORED, thread=thread_id)


async def pass_over(tx: Tx, project_id: str) -> None:
    """Every thread has been read: the next import asks each for newer items."""
    await tx.run(_PASS_OVER, project=project_id)


async def page(tx: Tx, project_id: str, *, after: str, count: int) -> Sequence[Row]:
    """At most `count` threads that have been met, by id, beyond the id `after`."""
    return await tx.all(_PAGE, project=project_id, after=after, count=count)
