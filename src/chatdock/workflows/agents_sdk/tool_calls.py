"""Counts the tool calls of an Agents SDK run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents import RunHooks

if TYPE_CHECKING:
    from agents import Agent, ModelResponse, RunContextWrapper

    from chatdock.workflows.turn import Turn


class ToolCalls(RunHooks[Any]):
    """Counts what the model calls, handoffs and hosted tools included, before any of it is executed here.

    `on_tool_start` would not see what the model's provider executes.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    async def on_llm_end(self, context: RunContextWrapper[Any], agent: Agent[Any], response: ModelResponse) -> None:
        """Count the calls of one answer of the model; raises `LimitReached`, which ends the run."""
        for item in response.output:
            if item.type.endswith("_call"):
                self._turn.count_tool_call()
