"""Spans of the Agents SDK. Imported only where the SDK is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from agents.tracing import TracingProcessor, get_current_span, set_trace_provider
from agents.tracing.provider import DefaultTraceProvider

from chatdock.tracing import attributes as words
from chatdock.tracing.trace import SIDES, Side, Span, Trace, current

if TYPE_CHECKING:
    from agents.tracing import Span as SdkSpan
    from agents.tracing import Trace as SdkTrace

SIDE = "agents"
_PASSED_OVER = ("task", "turn")
"""The SDK's own bookkeeping: each stands around an agent or its steps and says nothing that they do not."""
_KINDS = {
    "agent": "agent",
    "generation": "model",
    "response": "model",
    "function": "tool",
    "handoff": "handoff",
    "guardrail": "guardrail",
    "mcp_tools": "mcp",
}

_spans: WeakValueDictionary[str, Span] = WeakValueDictionary()
"""Ours, by the SDK's id of theirs; one that is passed over stands for what is above it."""


def connect() -> None:
    """Be the only one that the SDK reports to.

    A provider of our own, rather than a processor in the SDK's: that one comes with an exporter to its vendor.
    """
    provider = DefaultTraceProvider()
    provider.register_processor(Processor())
    provider.set_disabled(False)  # whatever the environment says: it speaks of the vendor's
    set_trace_provider(provider)
    SIDES[SIDE] = Side(_find, _enter)


def run_options() -> dict[str, Any]:
    """The members of a `RunConfig` by which a run is traced as its turn is."""
    if SIDE not in SIDES:
        connect()
    trace = current()
    return {"tracing_disabled": trace is None, "trace_include_sensitive_data": trace is not None and trace.content}


class Processor(TracingProcessor):
    """Turns the SDK's spans into ours, where they belong to a turn that is traced."""

    def on_trace_start(self, trace: SdkTrace) -> None:
        """The turn's own trace takes its place."""

    def on_trace_end(self, trace: SdkTrace) -> None:
        """The turn's own trace takes its place."""

    def on_span_start(self, span: SdkSpan[Any]) -> None:
        """Begin ours."""
        trace, parent = current(), _spans.get(span.parent_id or "")
        if trace is None:
            return
        data = span.span_data
        if data.type in _PASSED_OVER:
            ours = parent
        else:
            ours = trace.begin(_KINDS.get(data.type, "span"), _name(data), source=SIDE, parent=parent)
        if ours is not None:
            _spans[span.span_id] = ours

    def on_span_end(self, span: SdkSpan[Any]) -> None:
        """End ours, now that the SDK's says all that it has to say."""
        ours = _spans.get(span.span_id)
        if ours is None:
            return
        if span.error is not None:
            detail = f": {_json(span.error['data'])}" if ours.trace.content and span.error["data"] else ""
            ours.error = words.clip(span.error["message"] + detail, words.MAX_TEXT)
        if span.span_data.type not in _PASSED_OVER:
            _describe(ours, span.span_data)
            ours.end()

    def shutdown(self) -> None:
        """Nothing is held here."""

    def force_flush(self) -> None:
        """Nothing is held here."""


def _find() -> Span | None:
    span = get_current_span()
    return None if span is None else _spans.get(span.span_id)


def _enter(_trace: Trace | None) -> None:
    """The SDK's own context needs nothing: its spans are ours by the turn that they began in."""


def _name(data: Any) -> str:
    match data.type:
        case "agent":
            return f"invoke_agent {data.name}"
        case "generation":
            return f"chat {data.model}" if data.model else "chat"
        case "response":
            return "chat"
        case "function":
            return f"execute_tool {data.name}"
        case "handoff":
            return f"handoff from {data.from_agent}"
        case "guardrail":
            return f"guardrail {data.name}"
        case "mcp_tools":
            return f"tools/list {data.server}"
        case _:
            return str(getattr(data, "name", data.type))


def _describe(span: Span, data: Any) -> None:
    """What the SDK's span has come to, in OpenTelemetry's words."""
    said: dict[str, Any] = {}
    match data.type:
        case "agent":
            said = {words.OPERATION: "invoke_agent", "gen_ai.agent.name": data.name}
        case "generation" | "response":
            said = _model_call(data, content=span.trace.content)
            if said[words.MODEL]:
                span.name = words.clip(f"chat {said[words.MODEL]}", words.MAX_NAME)
        case "function":
            said = {words.OPERATION: "execute_tool", "gen_ai.tool.name": data.name, "gen_ai.tool.type": "function"}
            if span.trace.content:
                said |= {"gen_ai.tool.call.arguments": data.input, "gen_ai.tool.call.result": str(data.output)}
        case "handoff":
            span.name = words.clip(f"handoff from {data.from_agent} to {data.to_agent}", words.MAX_NAME)
        case "guardrail":
            said = {"chatdock.guardrail.triggered": data.triggered}
        case "custom":
            said = data.data
    span.trace.describe(span, said)


def _model_call(data: Any, *, content: bool) -> dict[str, Any]:
    usage = data.usage or {}
    response = getattr(data, "response", None)
    cached = (usage.get("input_tokens_details") or {}).get("cached_tokens")
    reasoning = (usage.get("output_tokens_details") or {}).get("reasoning_tokens")
    said = {
        words.OPERATION: "chat",
        words.MODEL: getattr(data, "model", None) or getattr(response, "model", None),
        "gen_ai.response.id": getattr(response, "id", None),
        words.INPUT_TOKENS: usage.get("input_tokens"),
        words.OUTPUT_TOKENS: usage.get("output_tokens"),
        words.CACHED_TOKENS: cached or None,
        words.REASONING_TOKENS: reasoning or None,
    }
    if content:
        output = getattr(response, "output", None) or getattr(data, "output", None)
        said |= {"chatdock.input": _json(data.input), "chatdock.output": _json(output)}
    return said


def _json(value: Any) -> str:
    """Content as JSON text; what JSON has no form for stands as text."""
    return json.dumps(value, default=lambda other: other.model_dump() if hasattr(other, "model_dump") else str(other))
