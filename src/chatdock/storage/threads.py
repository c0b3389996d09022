"""Threads: who may see which, in which order, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import orjson
from chatkit.types import ActiveStatus, ClosedStatus, LockedStatus, ThreadMetadata, ThreadStatus
from sqlalchemy import ColumnElement, bindparam, delete, func, insert, or_, select, tuple_, update

from chatdock.storage.database import Row, Statement, Tx
from chatdock.storage.page import Bounds, Page, read_page, text_size
from chatdock.storage.schema import attachment, feedback, frame, item, run, span, thread, trace
from chatdock.storage.times import from_micros

if TYPE_CHECKING:
    from collections.abc import Sequence

Order = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose threads: every query on threads takes one.

    `user_id` None means all users of the project. `session_id` with `recent` None means the session's own threads
    alone; with a number, the user's newest so many and the session's own.
    """

    project_id: str
    user_id: str | None = None
    session_id: str | None = None
    recent: int | None = None

    def parameters(self) -> dict[str, Any]:
        """The values that the scope's conditions need."""
        named = {"project": self.project_id, "user": self.user_id, "session": self.session_id, "recent": self.recent}
        return {name: value for name, value in named.items() if value is not None}

    def shape(self) -> tuple[bool, bool, bool]:
        """Which of its members are there."""
        return self.user_id is not None, self.session_id is not None, self.recent is not None


def _conditions(by_user: bool, by_session: bool, by_recent: bool) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [thread.c.project_id == bindparam("project")]
    if by_user:
        conditions.append(thread.c.user_id == bindparam("user"))
    if by_session:
        own = thread.c.session_id == bindparam("session")
        if by_recent:
            newest = (
                select(thread.c.id)
                .where(thread.c.project_id == bindparam("project"), thread.c.user_id == bindparam("user"))
                .order_by(thread.c.created_at.desc(), thread.c.id.desc())
                .limit(bindparam("recent"))
            )
            own = or_(own, thread.c.id.in_(newest))
        conditions.append(own)
    return conditions


@lru_cache
def _by_id(*shape: bool) -> Statement:
    return Statement(select(thread).where(thread.c.id == bindparam("id"), *_conditions(*shape)))


@lru_cache
def _page(order: Order, after: bool, before: bool, with_state: bool, *shape: bool) -> Statement:
    query = select(*(column for column in thread.c if with_state or column is not thread.c.state)).where(
        *_conditions(*shape)
    )
    place = tuple_(thread.c.created_at, thread.c.id)
    for given, name, forward in ((after, "after", order == "asc"), (before, "before", order == "desc")):
        if given:
            cursor = tuple_(bindparam(f"{name}_created_at"), bindparam(f"{name}_id"))
            query = query.where(place > cursor if forward else place < cursor)
    columns = (thread.c.created_at, thread.c.id)
    # A page before a cursor is read backwards from it, so that it holds the cursor's nearest neighbours.
    backwards = before and not after
    descending = (order == "desc") != backwards
    query = query.order_by(*(c.desc() if descending else c.asc() for c in columns))
    return Statement(query.limit(bindparam("count")))


_LISTED = ("title", "status_reason", "allowed_image_domains", "metadata")
"""The columns that make one thread larger than another."""
_INSERT = Statement(insert(thread))
_PLACE = Statement(select(thread.c.project_id, thread.c.next_position).where(thread.c.id == bindparam("id")))
_EXISTS = Statement(select(thread.c.id).where(thread.c.id == bindparam("id")))
_FOLLOW = Statement(
    update(thread)
    .where(thread.c.id == bindparam("thread_id"))
    .values(
        status=bindparam("new_status"),
        status_reason=bindparam("reason"),
        next_position=bindparam("new_next_position"),
        title=func.coalesce(thread.c.title, bindparam("new_title")),
    )
)
_TITLE = Statement(
    update(thread)
    .where(thread.c.id == bindparam("thread_id"), thread.c.title.is_(None))
    .values(title=bindparam("new_title"))
)
_SAVE = Statement(
    update(thread)
    .where(thread.c.id == bindparam("thread_id"))
    .values(
        status=bindparam("new_status"),
        status_reason=bindparam("reason"),
        allowed_image_domains=bindparam("domains"),
        metadata=bindparam("new_metadata"),
    )
)
_RENAME = Statement(update(thread).where(thread.c.id == bindparam("thread_id")).values(title=bindparam("new_title")))
_STATE = Statement(update(thread).where(thread.c.id == bindparam("thread_id")).values(state=bindparam("new_state")))
_RUN_IDS = select(run.c.id).where(run.c.thread_id == bindparam("id"))
_TRACE_IDS = select(trace.c.id).where(trace.c.thread_id == bindparam("id"))
_DELETES = [
    Statement(delete(frame).where(frame.c.run_id.in_(_RUN_IDS))),
    Statement(delete(run).where(run.c.thread_id == bindparam("id"))),
    Statement(delete(item).where(item.c.thread_id == bindparam("id"))),
    Statement(delete(attachment).where(attachment.c.thread_id == bindparam("id"))),
    Statement(delete(feedback).where(feedback.c.thread_id == bindparam("id"))),
    Statement(delete(span).where(span.c.trace_id.in_(_TRACE_IDS))),
    Statement(delete(trace).where(trace.c.thread_id == bindparam("id"))),
    Statement(delete(thread).where(thread.c.id == bindparam("id"))),
]


async def add(tx: Tx, **columns: Any) -> None:
    """Store a new thread."""
    await tx.run(_INSERT, **columns)


async def by_id(tx: Tx, scope: Scope, thread_id: str) -> Row | None:
    """A thread that the scope may see."""
    return await tx.one(_by_id(*scope.shape()), id=thread_id, **scope.parameters())


async def exists(tx: Tx, thread_id: str) -> bool:
    """Whether there is a thread with this id, whoever has it."""
    return await tx.one(_EXISTS, id=thread_id) is not None


async def place(tx: Tx, thread_id: str) -> Row | None:
    """The `project_id` and the `next_position` of the thread with this id, whoever has it."""
    return await tx.one(_PLACE, id=thread_id)


async def page(tx: Tx, scope: Scope, *, order: Order, count: int, after: Row | None = None) -> Sequence[Row]:
    """At most `count` threads by creation time, beyond the row given as cursor, in `order`."""
    statement = _page(order, after is not None, False, True, *scope.shape())
    return await tx.all(statement, count=count, **_cursors(after, None), **scope.parameters())


async def listing(
    tx: Tx, scope: Scope, bounds: Bounds, *, order: Order, after: Row | None = None, before: Row | None = None
) -> Page:
    """Threads by creation time, beyond the rows given as cursors, in `order`, without their workflows' state."""
    statement = _page(order, after is not None, before is not None, False, *scope.shape())
    return await read_page(
        tx,
        statement,
        bounds,
        lambda row: sum(text_size(row[name]) for name in _LISTED),
        backwards=before is not None and after is None,
        **_cursors(after, before),
        **scope.parameters(),
    )


def _cursors(after: Row | None, before: Row | None) -> dict[str, Any]:
    cursors: dict[str, Any] = {}
    for name, row in (("after", after), ("before", before)):
        if row is not None:
            cursors |= {f"{name}_created_at": row["created_at"], f"{name}_id": row["id"]}
    return cursors


async def set_title_once(tx: Tx, thread_id: str, title: str) -> bool:
    """Give a thread that has no title one; False when it has one already."""
    return await tx.run(_TITLE, thread_id=thread_id, new_title=title) == 1


async def rename(tx: Tx, thread_id: str, title: str | None) -> None:
    """Set the title."""
    await tx.run(_RENAME, thread_id=thread_id, new_title=title)


async def save(tx: Tx, thread_id: str, *, status: str, reason: str | None, domains: str | None, metadata: str) -> None:
    """Store what a workflow changed about its thread beside the title; `domains` and `metadata` are JSON."""
    await tx.run(
        _SAVE,
        thread_id=thread_id,
        new_status=status,
        reason=reason,
        domains=domains,
        new_metadata=metadata,
    )


async def follow(
    tx: Tx, thread_id: str, *, title: str | None, status: str, reason: str | None, next_position: int
) -> None:
    """Let an imported thread be as the hosted one has become; a title that it has stays."""
    await tx.run(
        _FOLLOW, thread_id=thread_id, new_title=title, new_status=status, reason=reason, new_next_position=next_position
    )


async def save_state(tx: Tx, thread_id: str, state: str) -> None:
    """Store the state that the thread's workflow keeps, a JSON object."""
    await tx.run(_STATE, thread_id=thread_id, new_state=state)


async def remove(tx: Tx, thread_id: str) -> None:
    """Delete a thread with its items, attachments, runs, events, feedback and traces.

    Its Idempotency-Keys, which are hashes, stay for their day: a request that comes once more must not begin it anew.
    """
    for statement in _DELETES:
        await tx.run(statement, id=thread_id)


def thread_from_row(row: Row) -> ThreadMetadata:
    """A stored thread as chatkit's type, its metadata included; members that cannot be read are empty."""
    reason = row["status_reason"]
    status: ThreadStatus = ActiveStatus()
    if row["status"] == "locked":
        status = LockedStatus(reason=reason)
    elif row["status"] == "closed":
        status = ClosedStatus(reason=reason)
    domains, metadata = _read(row["allowed_image_domains"]), _read(row["metadata"])
    return ThreadMetadata(
        id=row["id"],
        title=row["title"],
        created_at=from_micros(row["created_at"]),
        status=status,
        allowed_image_domains=[each for each in domains if isinstance(each, str)]
        if isinstance(domains, list)
        else None,
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def _read(stored: str | None) -> Any:
    try:
        return None if stored is None else orjson.loads(stored)
    except ValueError:
        return None
