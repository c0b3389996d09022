"""Traces of turns, and the spans inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, and_, bindparam, delete, insert, or_, select, tuple_, update

from chatdock.storage.database import Row, Statement, Tx
from chatdock.storage.schema import run, span, thread, trace

if TYPE_CHECKING:
    from collections.abc import Sequence


def _add(table: Table, owner: Table, owner_id: str) -> Statement:
    """Insert a record, unless what it belongs to is gone: a turn goes on for a moment after its thread was deleted."""
    values = [bindparam(column.name, type_=column.type) for column in table.columns]
    belongs = select(*values).where(owner.c.id == bindparam(owner_id))
    return Statement(insert(table).from_select([column.name for column in table.columns], belongs))


def _change(table: Table, *names: str) -> Statement:
    key = [column == bindparam(f"its_{column.name}") for column in table.primary_key.columns]
    return Statement(update(table).where(*key).values({name: bindparam(f"new_{name}") for name in names}))


_ENDS = ("ended_at", "error", "input_tokens", "output_tokens")
_TRACE_CHANGES = ("first_text_at", "outcome", "dropped_spans", *_ENDS)
_SPAN_CHANGES = ("kind", "name", "attributes", *_ENDS)
_ADD_TRACE = _add(trace, thread, "thread_id")
_CHANGE_TRACE = _change(trace, *_TRACE_CHANGES)
_ADD_SPAN = _add(span, trace, "trace_id")
_CHANGE_SPAN = _change(span, *_SPAN_CHANGES)

# Whether a trace without an end is that of a turn which still runs.
_LIVE = select(run.c.id).where(run.c.id == trace.c.run_id, run.c.status == "running").correlate(trace).exists()
_SHOWN = select(trace, _LIVE.label("live"))
_NEWEST = Statement(
    _SHOWN.where(trace.c.project_id == bindparam("project"))
    .order_by(trace.c.started_at.desc(), trace.c.id.desc())
    .limit(bindparam("count"))
)
_NAMED = Statement(
    _SHOWN.where(or_(trace.c.id == bindparam("trace_id"), trace.c.thread_id == bindparam("name"))).order_by(
        trace.c.started_at, trace.c.id
    )
)
_SPANS = Statement(
    select(span).where(span.c.trace_id == bindparam("trace")).order_by(span.c.started_at, span.c.ended_at.desc())
)
_OLD = and_(
    trace.c.started_at < bindparam("before"),
    or_(trace.c.ended_at < bindparam("before"), and_(trace.c.ended_at.is_(None), ~_LIVE)),
)
_OLD_SPANS = select(span.c.trace_id, span.c.id).join(trace, trace.c.id == span.c.trace_id).where(_OLD)
_FORGET_SPANS = Statement(
    delete(span).where(tuple_(span.c.trace_id, span.c.id).in_(_OLD_SPANS.limit(bindparam("count"))))
)
_FORGET = Statement(delete(trace).where(trace.c.id.in_(select(trace.c.id).where(_OLD).limit(bindparam("count")))))


def trace_id(run_id: str) -> str:
    """The id of a run's trace: the run's own, shortened by what OpenTelemetry has no room for."""
    return run_id[-32:]


async def save_trace(tx: Tx, columns: dict[str, Any]) -> None:
    """Store a trace as it stands, for the first time or again."""
    changes = {f"new_{name}": columns[name] for name in _TRACE_CHANGES}
    if not await tx.run(_CHANGE_TRACE, its_id=columns["id"], **changes):
        await tx.run(_ADD_TRACE, **columns)


async def save_span(tx: Tx, columns: dict[str, Any]) -> None:
    """Store a span as it stands, for the first time or again."""
    changes = {f"new_{name}": columns[name] for name in _SPAN_CHANGES}
    if not await tx.run(_CHANGE_SPAN, its_trace_id=columns["trace_id"], its_id=columns["id"], **changes):
        await tx.run(_ADD_SPAN, **columns)


async def newest(tx: Tx, project_id: str, count: int) -> Sequence[Row]:
    """A project's latest traces, newest first; `live` tells whether the run is still executed."""
    return await tx.all(_NEWEST, project=project_id, count=count)


async def of(tx: Tx, run_or_thread_id: str) -> Sequence[Row]:
    """The trace of a run, or the traces of a thread, oldest first."""
    return await tx.all(_NAMED, trace_id=trace_id(run_or_thread_id), name=run_or_thread_id)


async def spans(tx: Tx, trace_id: str) -> Sequence[Row]:
    """A trace's spans, in the order in which they began."""
    return await tx.all(_SPANS, trace=trace_id)


async def forget(tx: Tx, before: int, count: int) -> int:
    """Drop at most `count` spans of traces that ended before a time, then at most so many traces; returns how many."""
    spans = await tx.run(_FORGET_SPANS, before=before, count=count)
    return spans if spans == count else await tx.run(_FORGET, before=before, count=count)
