"""Counts the tool calls of an Agents SDK run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents import RunHooks

if TYPE_CHECKING:
    from agents import Agent, ModelResponse, RunContextWrapper

    from chatdock.workflows.turn import Turn


class ToolCalls(RunHooks[Any]):
    """Counts what the model calls, handoffs and hosted tools included, before any of it is executed here.

    `on_tool_start` would not see what the model's provider executes. `others` are hooks that are called as well.
    """

    def __init__(self, turn: Turn, others: RunHooks[Any] | None = None) -> None:
        self._turn = turn
        self._others = others
        for name in dir(others):
            if name.startswith("on_") and name != "on_llm_end":
                setattr(self, name, getattr(others, name))

    async def on_llm_end(self, context: RunContextWrapper[Any], agent: Agent[Any], response: ModelResponse) -> None:
        """Count the calls of one answer of the model; raises `LimitReached`, which ends the run."""
        for item in response.output:
            if item.type.endswith("_call"):
                self._turn.count_tool_call()
        if self._others is not None:
            await self._others.on_llm_end(context, agent, response)
