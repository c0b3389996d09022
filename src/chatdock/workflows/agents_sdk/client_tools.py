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
    # A run that waits for an approval can be stored and continued: that is all a client tool needs.
    tool.needs_approval = True
    tool.on_invoke_tool = _answered


def is_client_tool(tool: object) -> bool:
    """Whether the page executes it."""
    return isinstance(tool, FunctionTool) and tool.on_invoke_tool is _answered


async def _answered(context: ToolContext[Any], arguments: str) -> str:
    return written(outputs.get()[context.tool_call_id])


def written(output: Any) -> str:
    """What the page answered, for the model."""
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
