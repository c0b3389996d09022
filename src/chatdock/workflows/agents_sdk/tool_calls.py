"""What an Agents SDK run calls: counted, and kept with what it came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents import RunHooks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agents import Agent, ModelResponse, RunContextWrapper

    from chatdock.workflows.agents_sdk.progress import Progress
    from chatdock.workflows.turn import Turn


class ToolCalls(RunHooks[Any]):
    """Counts what the model calls, handoffs and hosted tools included, before any of it is executed here.

    `on_tool_start` would not see what the model's provider executes. `progress` follows the run; `keep` is awaited when
    a tool has ended, before the model is asked again. `others` are hooks that are called as well.
    """

    def __init__(
        self, turn: Turn, progress: Progress, keep: Callable[[], Awaitable[None]], others: RunHooks[Any] | None = None
    ) -> None:
        self._turn = turn
        self._progress = progress
        self._keep = keep
        self._others = others or RunHooks()
        for name in dir(others):
            if name.startswith("on_") and name not in vars(ToolCalls):
                setattr(self, name, getattr(others, name))

    async def on_llm_start(
        self, context: RunContextWrapper[Any], agent: Agent[Any], system_prompt: str | None, input_items: list[Any]
    ) -> None:
        """Follow the run, and keep what was not known when its tool ended."""
        loose = self._progress.loose
        self._progress.asked(agent.name, input_items)
        if loose:
            await self._keep()
        await self._others.on_llm_start(context, agent, system_prompt, input_items)

    async def on_llm_end(self, context: RunContextWrapper[Any], agent: Agent[Any], response: ModelResponse) -> None:
        """Count the calls of one answer of the model; raises `LimitReached`, which ends the run."""
        for item in response.output:
            if item.type.endswith("_call"):
                self._turn.count_tool_call()
        self._progress.answered(response)
        await self._others.on_llm_end(context, agent, response)

    async def streamed(self, item: Any) -> None:
        """Keep what the model's provider has executed while the model goes on."""
        if self._progress.streamed(item):
            await self._keep()

    async def on_tool_start(self, context: Any, agent: Any, tool: Any) -> None:
        """Know what may have been done."""
        self._progress.begins(context)
        await self._others.on_tool_start(context, agent, tool)

    async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: Any) -> None:
        """Keep what a tool came to."""
        self._progress.ended(context, result)
        if not self._progress.loose:
            await self._keep()
        await self._others.on_tool_end(context, agent, tool, result)
