"""Runs and their events. A status moves by one conditional update that names the states it may come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    LargeBinary,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    tuple_,
    update,
)

from chatdock.storage.database import Row, Statement, Tx
from chatdock.storage.schema import database_now, frame, run, words

if TYPE_CHECKING:
    from collections.abc import Sequence

ENDED = ("waiting", "completed", "failed", "cancelled")
"""States of a run that streams nothing more; `waiting` becomes `completed` when the user has answered."""

_LEASE = database_now() + bindparam("lease")
_MINE = (
    (run.c.id == bindparam("run_id"))
    & (run.c.fence == bindparam("held_fence"))
    & (run.c.status == literal_column("'running'"))
)

_INSERT = Statement(
    insert(run).values(
        id=bindparam("id"),
        thread_id=bindparam("thread_id"),
        project_id=bindparam("project_id"),
        user_id=bindparam("user_id"),
        session_id=bindparam("session_id"),
        input=bindparam("input"),
        status=bindparam("status"),
        owner=bindparam("owner"),
        fence=bindparam("fence"),
        lease_until=_LEASE,
        last_sequence=bindparam("last_sequence"),
        cancel_requested=0,
        created_at=bindparam("created_at"),
    )
)
_BY_ID = Statement(select(run).where(run.c.id == bindparam("run_id")))
_UNFINISHED = Statement(
    select(run)
    .where(run.c.thread_id == bindparam("thread"), run.c.status.in_(words(("running", "queued"))))
    .order_by(run.c.status.desc(), run.c.created_at, run.c.id)
)
_UNFINISHED_COUNTS = Statement(
    select(func.count().label("project"), func.count().filter(run.c.user_id == bindparam("user")).label("user"))
    .select_from(run)
    .where(run.c.project_id == bindparam("project"), run.c.status.in_(words(("running", "queued"))))
)
_LATEST = Statement(
    select(run)
    .where(run.c.thread_id == bindparam("thread"))
    .order_by(run.c.created_at.desc(), run.c.id.desc())
    .limit(1)
)
_CLAIM = Statement(
    update(run)
    .where(
        run.c.id == bindparam("run_id"),
        run.c.status == "queued",
        ~select(run.c.id)
        .where(run.c.thread_id == bindparam("thread"), run.c.status == "running")
        .correlate(None)
        .exists(),
    )
    .values(status="running", owner=bindparam("me"), fence=run.c.fence + 1, lease_until=_LEASE)
    .returning(*run.c)
)
_TAKE_OVER = Statement(
    update(run)
    .where(run.c.id == bindparam("run_id"), run.c.status == "running", run.c.fence == bindparam("held_fence"))
    .values(owner=bindparam("me"), fence=run.c.fence + 1, lease_until=_LEASE)
    .returning(*run.c)
)
# One statement: a frame is stored if, and only if, the run is still the caller's. The run's own row is left alone,
# since leases are kept by heartbeats; that halves what an append writes.
_APPEND = Statement(
    insert(frame).from_select(
        ["run_id", "first", "last", "data"],
        select(
            run.c.id,
            bindparam("first", type_=Integer),
            bindparam("last", type_=Integer),
            bindparam("data", type_=LargeBinary),
        ).where(_MINE),
    )
)
_STILL_MINE = Statement(select(run.c.id).where(_MINE))
_LAST_FRAME = Statement(select(func.max(frame.c.last).label("last")).where(frame.c.run_id == bindparam("run_id")))
_END = Statement(
    update(run)
    .where(_MINE)
    .values(
        status=bindparam("outcome"),
        last_sequence=bindparam("last"),
        ended_at=bindparam("now"),
        error=bindparam("reason"),
        owner=None,
        lease_until=None,
    )
    .returning(run.c.cancel_requested)
)
_ANSWERED = Statement(
    update(run).where(run.c.thread_id == bindparam("thread"), run.c.status == "waiting").values(status="completed")
)
_REQUEST_CANCEL = Statement(
    update(run)
    .where(run.c.thread_id == bindparam("thread"), run.c.status.in_(words(("queued", "running"))))
    .values(cancel_requested=1)
    .returning(run.c.id)
)
_REQUEST_CANCEL_OF_ONE = Statement(
    update(run)
    .where(
        run.c.thread_id == bindparam("thread"),
        run.c.id == bindparam("run_id"),
        run.c.status.in_(words(("queued", "running"))),
    )
    .values(cancel_requested=1)
    .returning(run.c.id)
)
_HEARTBEAT = Statement(
    update(run)
    .where(run.c.owner == bindparam("me"), run.c.status == "running")
    .values(lease_until=_LEASE)
    .returning(run.c.id, run.c.cancel_requested)
)
_ORPHANS = Statement(
    select(run)
    .where(run.c.status == "running", run.c.owner != bindparam("me"), run.c.lease_until < database_now())
    .order_by(run.c.created_at)
    .limit(100)
)
_ALL_FOREIGN = Statement(
    select(run).where(run.c.status == "running", run.c.owner != bindparam("me")).order_by(run.c.created_at).limit(1000)
)
_QUEUED = Statement(select(run).where(run.c.status == "queued").order_by(run.c.created_at, run.c.id).limit(100))
_FRAMES = Statement(
    select(frame.c.first, frame.c.last, frame.c.data)
    .where(frame.c.run_id == bindparam("run_id"), frame.c.last > bindparam("after"))
    .order_by(frame.c.first)
    .limit(bindparam("count"))
)
_INSERT_FRAMES = Statement(insert(frame))


def _delete_frames(of: ColumnElement[bool]) -> Statement:
    """Delete at most `count` batches of frames, of runs that fulfil a condition."""
    key = tuple_(frame.c.run_id, frame.c.first)
    old = select(frame.c.run_id, frame.c.first).join(run, run.c.id == frame.c.run_id).where(of)
    return Statement(delete(frame).where(key.in_(old.limit(bindparam("count")))))


_COMPACT = _delete_frames((run.c.ended_at < bindparam("before")) & (run.c.ended_at >= bindparam("since")))
_FORGETTABLE = (run.c.ended_at < bindparam("before")) & (run.c.status != "waiting")
_FORGET_FRAMES = _delete_frames(_FORGETTABLE)
_FORGET = Statement(delete(run).where(run.c.id.in_(select(run.c.id).where(_FORGETTABLE).limit(bindparam("count")))))


async def add(tx: Tx, *, lease: float, **columns: Any) -> None:
    """Store a new run, `queued` or already `running` under its owner; the unique index refuses a second running one."""
    await tx.run(_INSERT, lease=lease, **columns)


async def by_id(tx: Tx, run_id: str) -> Row | None:
    """One run."""
    return await tx.one(_BY_ID, run_id=run_id)


async def unfinished(tx: Tx, thread_id: str) -> Sequence[Row]:
    """The thread's running run, if any, then its queued ones in their order."""
    return await tx.all(_UNFINISHED, thread=thread_id)


async def unfinished_counts(tx: Tx, project_id: str, user_id: str) -> tuple[int, int]:
    """How many runs of a user, and of all users of the project, are queued or running."""
    row = await tx.one(_UNFINISHED_COUNTS, project=project_id, user=user_id)
    assert row is not None
    return row["user"], row["project"]


async def latest(tx: Tx, thread_id: str) -> Row | None:
    """The thread's newest run."""
    return await tx.one(_LATEST, thread=thread_id)


async def claim(tx: Tx, run_id: str, thread_id: str, owner: str, lease: float) -> Row | None:
    """`queued` → `running`, unless the thread has a running run; returns the run as claimed."""
    return await tx.one(_CLAIM, run_id=run_id, thread=thread_id, me=owner, lease=lease)


async def take_over(tx: Tx, run_id: str, fence: int, owner: str, lease: float) -> Row | None:
    """Become the owner of a running run whose owner is gone; None when somebody else was faster."""
    return await tx.one(_TAKE_OVER, run_id=run_id, held_fence=fence, me=owner, lease=lease)


async def append(tx: Tx, run_id: str, fence: int, *, first: int, last: int, data: bytes) -> bool:
    """Add frames `first`..`last`; False when the run is no longer the caller's."""
    return await tx.run(_APPEND, run_id=run_id, held_fence=fence, first=first, last=last, data=data) == 1


async def is_mine(tx: Tx, run_id: str, fence: int) -> bool:
    """Whether the run is still the caller's."""
    return await tx.one(_STILL_MINE, run_id=run_id, held_fence=fence) is not None


async def last_sequence(tx: Tx, run: Row) -> int:
    """The number of the run's newest frame. Its own column is written when the run is accepted and when it ends."""
    row = await tx.one(_LAST_FRAME, run_id=run["id"])
    return max(int(run["last_sequence"]), int(row["last"] or 0) if row is not None else 0)


async def end(
    tx: Tx, run_id: str, fence: int, *, outcome: str, first: int, last: int, data: bytes, now: int, error: str | None
) -> bool:
    """`running` → an ended state, with its last frames; False when the run is no longer the caller's."""
    row = await tx.one(_END, run_id=run_id, held_fence=fence, outcome=outcome, last=last, now=now, reason=error)
    if row is None:
        return False
    await add_frames(tx, run_id, first, last, data)
    return True


async def add_frames(tx: Tx, run_id: str, first: int, last: int, data: bytes) -> None:
    """Store a batch of frames; the primary key refuses a sequence number twice."""
    await tx.run(_INSERT_FRAMES, run_id=run_id, first=first, last=last, data=data)


async def frames(tx: Tx, run_id: str, after: int, count: int = 16) -> Sequence[Row]:
    """Batches that hold frames above `after`, oldest first; the first may begin below."""
    return await tx.all(_FRAMES, run_id=run_id, after=after, count=count)


async def answered(tx: Tx, thread_id: str) -> None:
    """`waiting` → `completed`: the user has answered."""
    await tx.run(_ANSWERED, thread=thread_id)


async def request_cancel(tx: Tx, thread_id: str, only: str | None = None) -> list[str]:
    """Record that the thread's unfinished runs, or one of them, are to end; returns their ids."""
    if only is not None:
        rows = await tx.all(_REQUEST_CANCEL_OF_ONE, thread=thread_id, run_id=only)
    else:
        rows = await tx.all(_REQUEST_CANCEL, thread=thread_id)
    return [row["id"] for row in rows]


async def heartbeat(tx: Tx, owner: str, lease: float) -> Sequence[Row]:
    """Renew the leases of all of the owner's running runs; returns `id` and `cancel_requested` of each."""
    return await tx.all(_HEARTBEAT, me=owner, lease=lease)


async def orphans(tx: Tx, owner: str, *, all_foreign: bool) -> Sequence[Row]:
    """Running runs whose lease ran out; with `all_foreign` those of any other owner, whatever their lease says."""
    return await tx.all(_ALL_FOREIGN if all_foreign else _ORPHANS, me=owner)


async def queued(tx: Tx) -> Sequence[Row]:
    """Runs that wait for their turn, oldest first."""
    return await tx.all(_QUEUED)


async def forget(tx: Tx, before: int, count: int) -> int:
    """Drop at most `count` records of runs that ended before a time and that nobody waits for; returns how many.

    Events that they still have go first, and count.
    """
    batches = await tx.run(_FORGET_FRAMES, before=before, count=count)
    return batches if batches == count else await tx.run(_FORGET, before=before, count=count)


async def compact(tx: Tx, since: int, before: int, count: int) -> int:
    """Drop at most `count` batches of events of runs that ended within [since, before); returns how many.

    What the runs said stays in their threads' items.
    """
    return await tx.run(_COMPACT, since=since, before=before, count=count)
