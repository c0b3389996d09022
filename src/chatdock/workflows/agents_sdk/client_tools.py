"""Tools that the page executes: the agent declares them, the browser answers."""

from __future__ import annotations

import json
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, overload

from agents import FunctionTool, function_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agents.tool_context import ToolContext

outputs: ContextVar[Mapping[str, Any]] = ContextVar("outputs", default={})  # noqa: B039 - never written to
"""What the page answered, by call id, while a run continues with it."""


@overload
def client_tool(function: Callable[..., Any], /) -> FunctionTool: ...


@overload
def client_tool(**options: Any) -> Callable[[Callable[..., Any]], FunctionTool]: ...


def client_tool(
    function: Callable[..., Any] | None = None, /, **options: Any
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """A tool that the page executes, in its `onClientTool`; signature and docstring say what the model may call.

    `options` are those of the SDK's `function_tool`, like `name_override`; the function's body never runs. A call ends
    the turn. The page's output, any JSON, is what the model gets, in a turn that goes on where this one stopped.
    """

    def declare(declared: Callable[..., Any]) -> FunctionTool:
        tool = function_tool(declared, **options)
        left_to_client(tool)
        return tool

    return declare if function is None else declare(function)


def left_to_client(tool: FunctionTool) -> None:
    """Let the page execute a tool."""
    # A run that waits for an approval can be stored and continued: that is all a client tool needs. Arguments that do
    # not fit reach no page: the call does not wait, and the model reads what is wrong.

    async def waits(_context: object, arguments: dict[str, Any], _call_id: str) -> bool:
        return _misfit(tool, arguments) is None

    tool.needs_approval = waits
    tool.on_invoke_tool = _Answered(tool)


def is_client_tool(tool: object) -> bool:
    """Whether the page executes it."""
    return isinstance(tool, FunctionTool) and isinstance(tool.on_invoke_tool, _Answered)


class _Answered:
    """Gives the model what the page answered."""

    def __init__(self, tool: FunctionTool) -> None:
        self._tool = tool

    async def __call__(self, context: ToolContext[Any], arguments: str) -> str:
        answered = outputs.get()
        if context.tool_call_id in answered:
            return written(answered[context.tool_call_id])
        return f"The arguments do not fit this tool: {_misfit(self._tool, json.loads(arguments or '{}'))}"


def _misfit(tool: FunctionTool, arguments: dict[str, Any]) -> str | None:
    """What of the arguments the tool's parameters do not allow; what has a default may be left out."""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
    from jsonschema.exceptions import best_match  # type: ignore[import-untyped]

    schema = tool.params_json_schema
    properties = schema.get("properties", {})
    required = [name for name in schema.get("required", ()) if not _has_default(properties.get(name, {}))]
    error = best_match(Draft202012Validator({**schema, "required": required}).iter_errors(arguments))
    return None if error is None else f"{error.json_path}: {error.message}"


def _has_default(parameter: Mapping[str, Any]) -> bool:
    # The SDK takes a default of None out of strict schemas.
    return "default" in parameter or {"type": "null"} in parameter.get("anyOf", ())


def written(output: Any) -> str:
    """What the page answered, for the model."""
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
