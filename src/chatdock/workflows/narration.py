"""How an agent's answer is shown: text as it comes, reasoning and tool calls as workflow items."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from chatkit.errors import CustomStreamError
from chatkit.types import CustomTask, ThoughtTask

from chatdock.workflows.wording import MODEL_FAILED, readable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from chatdock.workflows.live import Steps
    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted

log = structlog.get_logger("chatdock.workflows")

GROWTH = 16
"""Reasoning is sent whole with every update, so it is sent again only when a sixteenth was added: what goes out stays
in proportion to what was thought."""


@dataclass(frozen=True, slots=True)
class Text:
    """More of a message; texts with another `message` begin a new paragraph."""

    delta: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Thought:
    """More of the model's reasoning, as far as it may be shown."""

    delta: str


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool works. Its arguments are not shown."""

    call: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolEnded:
    """It has ended, well or not. What came out is not shown."""

    call: str


async def narrate(
    turn: Turn,
    parts: AsyncGenerator[Text | Thought | ToolStarted | ToolEnded | Emitted, None],
    failures: tuple[type[Exception], ...],
) -> AsyncIterator[Emitted]:
    """The events of what an agent says and does; whatever else it emits passes through.

    `failures` are what the library raises when its model does not answer: the user is told so and may try again, and
    the log says why. `parts` is closed when this ends, however it does.
    """
    steps = _Shown(turn)
    message: str | None = None
    async with aclosing(parts) as stream:
        try:
            async for part in stream:
                match part:
                    case Text():
                        if part.delta:
                            if await steps.make_room():
                                message = None
                            if message not in (None, part.message):
                                yield "\n\n"
                            message = part.message
                            yield part.delta
                    case Thought():
                        await steps.think(part.delta)
                    case ToolStarted():
                        await steps.start(part.call, part.name)
                    case ToolEnded():
                        await steps.complete(part.call)
                    case _:
                        yield part
        except failures as error:
            log.error("model_failed", workflow=turn.workflow_id, thread=turn.thread.id, error=error)
            await steps.end()
            raise CustomStreamError(MODEL_FAILED, allow_retry=True) from error
        except Exception:
            await steps.end()
            raise
        await steps.end()


class _Shown:
    """The workflow item that is open: one of reasoning, or one with a task for each tool call."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._open: Steps | None = None
        self._thought = ""
        self._sent = 0
        self._working: dict[str, int] = {}

    async def make_room(self) -> bool:
        """Before text: ends the open item unless tools still work; whether one was open."""
        was_open = self._open is not None
        if not self._working:
            await self.end()
        return was_open

    async def think(self, delta: str) -> None:
        if not delta:
            return
        steps = await self._begin("reasoning")
        self._thought += delta
        if not self._sent:
            await steps.add(ThoughtTask(content=self._thought))
            self._sent = len(self._thought)
        elif len(self._thought) - self._sent > self._sent // GROWTH:
            await steps.update(0, content=self._thought)
            self._sent = len(self._thought)

    async def start(self, call: str, name: str) -> None:
        if call not in self._working:
            steps = await self._begin("custom")
            self._working[call] = await steps.add(CustomTask(title=readable(name) or "Tool"))

    async def complete(self, call: str) -> None:
        number = self._working.pop(call, None)
        if number is not None:
            assert self._open is not None
            await self._open.complete(number)

    async def end(self) -> None:
        steps, self._open = self._open, None
        if steps is None:
            return
        if self._thought:
            await steps.complete(0, content=self._thought)
            self._thought, self._sent = "", 0
        for number in self._working.values():  # these broke off: they neither work nor did they come to their end
            await steps.update(number, status_indicator="none")
        self._working.clear()
        await steps.end()

    async def _begin(self, kind: str) -> Steps:
        if self._open is not None and self._open.item.workflow.type != kind:
            await self.end()
        if self._open is None:
            self._open = await self._turn.steps(kind="reasoning" if kind == "reasoning" else "custom").begin()
        return self._open
