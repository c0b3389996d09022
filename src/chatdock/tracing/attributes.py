"""What a span says about itself, in OpenTelemetry's words for generative AI: what is kept of it, and what it means.

Texts may hold what users wrote, so of what libraries report only those are kept whose meaning is known and harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MAX_ATTRIBUTES = 64
MAX_NAME = 200
MAX_TEXT = 1_000
"""Characters of a text that is no content."""
MAX_CONTENT = 16_384
"""Characters of a text when content is kept."""

OPERATION = "gen_ai.operation.name"
MODEL = "gen_ai.request.model"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHED_TOKENS = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"

_HARMLESS = frozenset(
    {
        OPERATION,
        MODEL,
        "gen_ai.agent.id",
        "gen_ai.agent.name",
        "gen_ai.agent.version",
        "gen_ai.data_source.id",
        "gen_ai.output.type",
        "gen_ai.provider.name",
        "gen_ai.request.encoding_formats",
        "gen_ai.response.finish_reasons",
        "gen_ai.response.id",
        "gen_ai.response.model",
        "gen_ai.system",
        "gen_ai.tool.call.id",
        "gen_ai.tool.name",
        "gen_ai.tool.type",
        "gen_ai.workflow.name",
        # Other conventions for the same
        "llm.model_name",
        "llm.provider",
        "llm.request.type",
        "llm.system",
        "openinference.span.kind",
        "tool.name",
        "traceloop.span.kind",
        # What a call went to
        "db.namespace",
        "db.operation.name",
        "db.system.name",
        "error.type",
        "http.request.method",
        "network.protocol.name",
        "rpc.method",
        "rpc.service",
        "rpc.system",
        "server.address",
    }
)

_OPERATIONS = {
    "chat": "model",
    "text_completion": "model",
    "generate_content": "model",
    "embeddings": "model",
    "execute_tool": "tool",
    "invoke_agent": "agent",
    "create_agent": "agent",
}
_KINDS = {"llm": "model", "embedding": "model", "tool": "tool", "agent": "agent", "guardrail": "guardrail"}
_INPUT = (INPUT_TOKENS, "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
_OUTPUT = (OUTPUT_TOKENS, "gen_ai.usage.completion_tokens", "llm.token_count.completion")


def explicit(attributes: Mapping[str, Any], *, content: bool) -> dict[str, Any]:
    """What an author wrote into a span: all of it, bounded."""
    return _bounded(attributes.items(), MAX_CONTENT if content else MAX_TEXT)


def reported(attributes: Mapping[str, Any], *, content: bool) -> dict[str, Any]:
    """What a library reports: numbers, and texts that hold nothing users wrote; with `content` all of it, bounded."""
    if content:
        return _bounded(attributes.items(), MAX_CONTENT)
    known = ((name, value) for name, value in attributes.items() if name in _HARMLESS or isinstance(value, int | float))
    return _bounded(known, MAX_TEXT)


def kind_of(attributes: Mapping[str, Any]) -> str:
    """`model`, `tool`, `agent` or `guardrail`, by whichever convention says so; else `span`."""
    if kind := _OPERATIONS.get(str(attributes.get(OPERATION))):
        return kind
    for name in ("openinference.span.kind", "traceloop.span.kind"):
        if kind := _KINDS.get(str(attributes.get(name)).lower()):
            return kind
    return "model" if "llm.request.type" in attributes else "span"


def tokens_of(attributes: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Input and output tokens, None where nothing is said."""
    return _first(attributes, _INPUT), _first(attributes, _OUTPUT)


def clip(text: str, length: int) -> str:
    """At most `length` characters that can be stored anywhere."""
    short = text if len(text) <= length else text[: length - 1] + "…"
    return short.encode("utf-8", "replace").decode()


def _bounded(attributes: Iterable[tuple[str, Any]], length: int) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in attributes:
        if len(kept) >= MAX_ATTRIBUTES:
            break
        if value is not None:
            kept[clip(str(name), MAX_NAME)] = _plain(value, length)
    return kept


def _plain(value: Any, length: int) -> Any:
    """A value that JSON and OTLP can hold; an object of any other type is named by its type."""
    if isinstance(value, list | tuple):
        return [str(_plain(item, length // MAX_ATTRIBUTES)) for item in value[:MAX_ATTRIBUTES]]
    if isinstance(value, str):
        return clip(value, length)
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    return type(value).__name__


def _first(attributes: Mapping[str, Any], names: Iterable[str]) -> int | None:
    for name in names:
        value = attributes.get(name)
        if isinstance(value, int) and 0 <= value < 2**63:
            return value
    return None
