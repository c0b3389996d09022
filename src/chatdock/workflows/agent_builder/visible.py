"""The part of a run's stream that is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from agents import Agent, RunResultStreaming, StreamEvent


class Visible:
    """The part of a run's stream that belongs to agents whose text is shown."""

    def __init__(self, result: RunResultStreaming, enters: Callable[[Agent[Any]], Awaitable[bool]]) -> None:
        self._result = result
        self._enters = enters
        self.spoke = False
        """Whether any text was among it."""

    @property
    def run_loop_exception(self) -> BaseException | None:
        """What ended the run."""
        return self._result.run_loop_exception

    async def stream_events(self) -> AsyncIterator[StreamEvent]:
        """Its events, from where an agent takes over that is shown to where one does that is not."""
        agent = self._result.current_agent
        visible = await self._enters(agent)
        async for event in self._result.stream_events():
            if event.type == "agent_updated_stream_event" and event.new_agent is not agent:
                agent = event.new_agent
                visible = await self._enters(agent)
            if visible:
                if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                    self.spoke = True
                yield event
