"""The items of a thread, in the order in which they came to stand."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, func, insert, select, text, update

from chatdock.protocol.kinds import HIDDEN_TYPES, REST_TYPES
from chatdock.storage.database import Row, Statement, Tx
from chatdock.storage.page import Bounds, Page, read_page, text_size
from chatdock.storage.schema import item, thread, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatdock.storage.threads import Order

_IN_THREAD = item.c.thread_id == bindparam("thread")
_ONE = _IN_THREAD & (item.c.id == bindparam("item_id"))
_NEXT = Statement(
    update(thread)
    .where(thread.c.id == bindparam("thread"))
    .values(next_position=thread.c.next_position + 1)
    .returning((thread.c.next_position - 1).label("position"))
)
_INSERT = Statement(insert(item))
_SAVE = Statement(
    text(
        "INSERT INTO item (thread_id, position, id, type, data) VALUES (:thread_id, :position, :id, :type, :data) "
        "ON CONFLICT (thread_id, id) DO UPDATE SET type = excluded.type, data = excluded.data"
    )
)
_ADD_MISSING = Statement(
    text(
        "INSERT INTO item (thread_id, position, id, type, data) VALUES (:thread_id, :position, :id, :type, :data) "
        "ON CONFLICT DO NOTHING"
    )
)
_BY_ID = Statement(select(item).where(_ONE))
_MOVE = Statement(update(item).where(_ONE).values(position=bindparam("new_position")))
_COUNT = Statement(select(func.count().label("count")).where(_IN_THREAD).select_from(item))
_HIDDEN = Statement(select(item.c.id).where(_IN_THREAD, item.c.type.in_(words(HIDDEN_TYPES))))
_REMOVE = Statement(delete(item).where(_ONE))
_NEWEST_MESSAGE = Statement(
    select(item.c.position).where(_IN_THREAD, item.c.type == "user_message").order_by(item.c.position.desc()).limit(1)
)
_AFTER = Statement(select(item).where(_IN_THREAD, item.c.position > bindparam("place")).order_by(item.c.position))
_REMOVE_AFTER = Statement(delete(item).where(_IN_THREAD, item.c.position > bindparam("place")))


@lru_cache
def _page(order: Order, after: bool, before: bool, only: str) -> Statement:
    query = select(item).where(_IN_THREAD)
    if only == "visible":
        query = query.where(item.c.type.not_in(words(HIDDEN_TYPES)))
    elif only == "rest":
        query = query.where(item.c.type.in_(words(REST_TYPES)))
    for given, name, forward in ((after, "after", order == "asc"), (before, "before", order == "desc")):
        if given:
            query = query.where(item.c.position > bindparam(name) if forward else item.c.position < bindparam(name))
    descending = (order == "desc") != (before and not after)
    query = query.order_by(item.c.position.desc() if descending else item.c.position.asc())
    return Statement(query.limit(bindparam("count")))


async def add(tx: Tx, thread_id: str, item_id: str, kind: str, data: str, *, position: int | None = None) -> None:
    """Put an item at the end of its thread; `position` when it is known."""
    if position is None:
        position = await _next_position(tx, thread_id)
    await tx.run(_INSERT, thread_id=thread_id, position=position, id=item_id, type=kind, data=data)


async def add_missing(tx: Tx, thread_id: str, item_id: str, kind: str, data: str, *, position: int) -> bool:
    """Put an item at a position; False, and nothing is changed, when its id or its position is taken."""
    return await tx.run(_ADD_MISSING, thread_id=thread_id, position=position, id=item_id, type=kind, data=data) == 1


async def save(tx: Tx, thread_id: str, item_id: str, kind: str, data: str) -> None:
    """Replace the item with this id where it stands, or put it at the end."""
    position = await _next_position(tx, thread_id)
    await tx.run(_SAVE, thread_id=thread_id, position=position, id=item_id, type=kind, data=data)


async def by_id(tx: Tx, thread_id: str, item_id: str) -> Row | None:
    """One item of a thread."""
    return await tx.one(_BY_ID, thread=thread_id, item_id=item_id)


async def page(
    tx: Tx, thread_id: str, *, order: Order, count: int, after: Row | None = None, only: str = "all"
) -> Sequence[Row]:
    """At most `count` items beyond the row given as cursor, in `order`.

    `only`: `all`, `visible` (to the thread's user) or `rest` (with a REST shape). Pages are filled past the others.
    """
    cursor = {} if after is None else {"after": after["position"]}
    statement = _page(order, after is not None, False, only)
    return await tx.all(statement, thread=thread_id, count=count, **cursor)


async def listing(
    tx: Tx,
    thread_id: str,
    bounds: Bounds,
    *,
    order: Order,
    only: str,
    after: Row | None = None,
    before: Row | None = None,
) -> Page:
    """Items beyond the rows given as cursors, in `order`, as many as the bounds allow; `only` as for `page`."""
    cursors = {name: row["position"] for name, row in (("after", after), ("before", before)) if row is not None}
    statement = _page(order, after is not None, before is not None, only)
    backwards = before is not None and after is None
    return await read_page(
        tx, statement, bounds, lambda row: text_size(row["data"]), backwards=backwards, thread=thread_id, **cursors
    )


async def count(tx: Tx, thread_id: str) -> int:
    """How many items the thread has."""
    row = await tx.one(_COUNT, thread=thread_id)
    return 0 if row is None else int(row["count"])


async def hidden_ids(tx: Tx, thread_id: str) -> list[str]:
    """The ids of the items that the thread's user does not see."""
    return [row["id"] for row in await tx.all(_HIDDEN, thread=thread_id)]


async def after(tx: Tx, thread_id: str, position: int) -> Sequence[Row]:
    """What stands after a position, oldest first."""
    return await tx.all(_AFTER, thread=thread_id, place=position)


async def before_newest_message(tx: Tx, thread_id: str) -> Row | None:
    """The item that stands before the newest user message; None when there is none."""
    message = await tx.one(_NEWEST_MESSAGE, thread=thread_id)
    rows = () if message is None else await page(tx, thread_id, order="desc", count=1, after=message)
    return rows[0] if rows else None


async def remove(tx: Tx, thread_id: str, item_id: str) -> None:
    """Delete one item."""
    await tx.run(_REMOVE, thread=thread_id, item_id=item_id)


async def remove_after(tx: Tx, thread_id: str, position: int) -> None:
    """Delete what stands after a position."""
    await tx.run(_REMOVE_AFTER, thread=thread_id, place=position)


async def remove_all(tx: Tx, thread_id: str) -> None:
    """Delete every item of a thread."""
    await remove_after(tx, thread_id, -1)


async def move_to_end(tx: Tx, thread_id: str, item_id: str) -> None:
    """Let an item stand at the end of its thread."""
    position = await _next_position(tx, thread_id)
    await tx.run(_MOVE, thread=thread_id, item_id=item_id, new_position=position)


async def _next_position(tx: Tx, thread_id: str) -> int:
    row = await tx.one(_NEXT, thread=thread_id)
    if row is None:
        raise LookupError(f"thread {thread_id} is gone")
    return int(row["position"])
