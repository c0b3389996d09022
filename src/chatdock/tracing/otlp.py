"""Exports traces as OTLP over HTTP. Imported only when an endpoint is named.

OpenTelemetry's own batch processor and exporter do the work, in a thread of theirs, and read its standard variables:
endpoint, headers, timeout, queue.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from chatdock import __version__
from chatdock.tracing import attributes as words
from chatdock.tracing.trace import Span, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

CLOSE_SECONDS = 3.0
"""How long the end of the server waits for an endpoint that does not answer."""


class Exporter:
    """Sends what has ended, soon and in batches."""

    def __init__(self) -> None:
        self._processor = BatchSpanProcessor(OTLPSpanExporter())
        self._resource = Resource.create()
        if str(self._resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
            self._resource = self._resource.merge(Resource({SERVICE_NAME: "chatdock", SERVICE_VERSION: __version__}))
        self._scope = InstrumentationScope("chatdock", __version__)

    def export(self, record: Trace | Span) -> None:
        """Queue a trace's own span or one inside it, which must have ended."""
        self._processor.on_end(self._root(record) if isinstance(record, Trace) else self._span(record))

    async def close(self) -> None:
        """Send what is queued, unless the endpoint takes too long."""
        closing = threading.Thread(target=self._processor.shutdown, name="chatdock-export-end", daemon=True)
        closing.start()
        deadline = asyncio.get_running_loop().time() + CLOSE_SECONDS
        while closing.is_alive() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)

    def _root(self, trace: Trace) -> ReadableSpan:
        whose = trace.whose
        said: dict[str, Any] = {
            words.OPERATION: "invoke_workflow",
            "gen_ai.workflow.name": whose["workflow_id"],
            "gen_ai.conversation.id": whose["thread_id"],
            "chatdock.workflow.version": whose["workflow_version"],
            "chatdock.run.id": whose["run_id"],
            "chatdock.outcome": trace.outcome,
        }
        if trace.first_text_at is not None:
            said["chatdock.time_to_first_text"] = (trace.first_text_at - trace.started_at) / 1_000_000
        return self._readable(
            trace,
            trace.root_id,
            f"invoke_workflow {whose['workflow_id']}",
            parent=None,
            failed=trace.outcome in {"failed", "lost"},
            said={name: value for name, value in said.items() if value is not None},
        )

    def _span(self, span: Span) -> ReadableSpan:
        return self._readable(
            span,
            span.id,
            span.name,
            parent=_context(span.trace, span.parent.id if span.parent else span.trace.root_id),
            failed=span.error is not None,
            said=span.attributes,
        )

    def _readable(
        self,
        record: Trace | Span,
        span_id: str,
        name: str,
        *,
        parent: SpanContext | None,
        failed: bool,
        said: Mapping[str, Any],
    ) -> ReadableSpan:
        trace = record if isinstance(record, Trace) else record.trace
        is_call = isinstance(record, Span) and record.kind == "model"
        return ReadableSpan(
            name,
            context=_context(trace, span_id),
            parent=parent,
            resource=self._resource,
            attributes=said,
            kind=SpanKind.CLIENT if is_call else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, record.error) if failed else Status(),
            start_time=record.started_at * 1_000,
            end_time=(record.ended_at or record.started_at) * 1_000,
            instrumentation_scope=self._scope,
        )


def _context(trace: Trace, span_id: str) -> SpanContext:
    return SpanContext(int(trace.id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
