"""Spans of libraries that report to OpenTelemetry. Imported only where its SDK is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import structlog
from opentelemetry.context import Context, attach, create_key, get_value, set_value
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import DEFAULT_OFF
from opentelemetry.trace import (
    NonRecordingSpan,
    ProxyTracerProvider,
    SpanContext,
    StatusCode,
    TraceFlags,
    get_current_span,
    get_tracer_provider,
    set_span_in_context,
    set_tracer_provider,
)

from chatdock.protocol import ids
from chatdock.storage.traces import trace_id
from chatdock.tracing import attributes as words
from chatdock.tracing.trace import SIDES, Side, Span, Trace, current

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace import Span as OtelSpan

log = structlog.get_logger("chatdock.tracing")

SIDE = "opentelemetry"
_KEY = create_key("chatdock-trace")

_spans: WeakValueDictionary[tuple[int, int], Span] = WeakValueDictionary()
"""Ours, by the trace and the id of theirs."""


def connect() -> None:
    """Hear what is reported: beside the application's own processors, or with a provider when it has set none."""
    provider = get_tracer_provider()
    if isinstance(provider, ProxyTracerProvider):
        # Off at the root: what belongs to no turn, such as requests that the web framework would report, costs nothing.
        provider = TracerProvider(sampler=DEFAULT_OFF, shutdown_on_exit=False)
        set_tracer_provider(provider)
    add = getattr(provider, "add_span_processor", None)
    if add is None:
        log.warning("opentelemetry_not_heard", provider=type(provider).__name__)
        return
    add(Processor())
    SIDES[SIDE] = Side(_find, _enter)


class Processor(SpanProcessor):
    """Turns OpenTelemetry's spans into ours, where they belong to a turn that is traced."""

    def on_start(self, span: OtelSpan, parent_context: Context | None = None) -> None:
        """Begin ours."""
        trace = get_value(_KEY, parent_context) or current()
        if not isinstance(trace, Trace):
            return
        context = span.get_span_context()
        ours = trace.begin(
            "span",
            span.name,
            source=SIDE,
            id=f"{context.span_id:016x}",
            parent=_ours(span.parent),
            at=span.start_time // 1_000 if span.start_time else None,
        )
        if ours is not None:
            _spans[context.trace_id, context.span_id] = ours

    def on_end(self, span: ReadableSpan) -> None:
        """End ours, now that theirs says all that it has to say."""
        ours = _ours(span.get_span_context())
        if ours is None:
            return
        said = span.attributes or {}
        ours.trace.describe(ours, said)
        ours.name = words.clip(span.name, words.MAX_NAME)
        if span.status.status_code is StatusCode.ERROR:
            ours.error = words.clip(_error(span, content=ours.trace.content), words.MAX_TEXT)
        ours.end(at=span.end_time // 1_000 if span.end_time else None)


def _error(span: ReadableSpan, *, content: bool) -> str:
    """What went wrong: what the span says of it, or the type alone, since a message may quote anything."""
    if content and span.status.description:
        return span.status.description
    raised = [event.attributes.get("exception.type") for event in span.events if event.attributes]
    return str((span.attributes or {}).get("error.type") or next(filter(None, raised), "error"))


def _ours(theirs: SpanContext | None) -> Span | None:
    return _spans.get((theirs.trace_id, theirs.span_id)) if theirs is not None else None


def _find() -> Span | None:
    return _ours(get_current_span().get_span_context())


def _enter(trace: Trace | None) -> None:
    """Let the turn's own span be the current one; a turn that is not traced is sampled out for everybody."""
    ours = trace.id if trace else trace_id(ids.run_id())
    flags = TraceFlags(TraceFlags.SAMPLED if trace else TraceFlags.DEFAULT)
    root = SpanContext(int(ours, 16), int(ours[16:], 16), is_remote=False, trace_flags=flags)
    attach(set_value(_KEY, trace, set_span_in_context(NonRecordingSpan(root), Context())))
