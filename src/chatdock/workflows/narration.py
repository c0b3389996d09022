"""How an agent's answer is shown: text as it comes, reasoning and tool calls as workflow items."""

from __future__ import annotations

from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from chatkit.errors import CustomStreamError
from chatkit.types import (
    CustomTask,
    ProgressUpdateEvent,
    ThoughtTask,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemUpdatedEvent,
)

from chatdock.protocol.kinds import HIDDEN_TYPES
from chatdock.workflows.thinking import Answer
from chatdock.workflows.wording import CUT_SHORT, MODEL_FAILED, NO_ANSWER, readable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from chatdock.workflows.live import Steps
    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted

log = structlog.get_logger("chatdock.workflows")

UNSAID = {"workflow", *HIDDEN_TYPES}
"""Items that are nothing for the user to read: what was done, and what is hidden."""
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


@dataclass(frozen=True, slots=True)
class Answered:
    """A model has come to the end of an answer; `cut_short` when it stopped at its length limit.

    An adapter that says so lets the user know of answers without a word. An answer that calls tools is none yet.
    """

    cut_short: bool = False
    message: str = ""
    """Which; it may be said several times of one message, and is cut short when it was so once."""


class Silence(Exception):
    """A model's answer held nothing at all; `args[0]` says how that is known."""


Part = Text | Thought | ToolStarted | ToolEnded | Answered


async def narrate(
    turn: Turn,
    parts: AsyncGenerator[Part | Emitted, None],
    failures: tuple[type[Exception], ...],
) -> AsyncIterator[Emitted]:
    """The events of what an agent says and does; whatever else it emits passes through.

    `failures` are what the library raises when its model does not answer: the user is told so and may try again, and
    the log says why. So it is when all models answered, and nothing was said. Reasoning at the beginning of a text is
    shown as reasoning. `parts` is closed when this ends, however it does.
    """
    steps = _Shown(turn)
    message: str | None = None
    answered: Answered | None = None
    with _hearing(turn) as heard:
        async with aclosing(parts) as stream:
            try:
                async for part in _thinking_apart(stream):
                    match part:
                        case Text():
                            if await steps.make_room():
                                message = None
                            if message not in (None, part.message):
                                yield "\n\n"
                            message = part.message
                            heard.said = True
                            yield part.delta
                        case Thought():
                            await steps.think(part.delta)
                        case ToolStarted():
                            await steps.start(part.call, part.name)
                        case ToolEnded():
                            await steps.complete(part.call)
                        case Answered():
                            if answered is None or part.cut_short or part.message != answered.message:
                                answered = part
                        case _:
                            heard.listen(part)
                            yield part
            except Silence as silence:
                await steps.end()
                raise _no_answer(turn, silence.args[0]) from silence
            except failures as error:
                log.error("model_failed", workflow=turn.workflow_id, thread=turn.thread.id, error=error)
                await steps.end()
                raise CustomStreamError(MODEL_FAILED, allow_retry=True) from error
            except Exception:
                await steps.end()
                raise
        thought = steps.thought
        await steps.end()
    if answered is not None and not heard.said:
        if answered.cut_short:
            reason = "it came to its length limit before any text"
        else:
            reason = "reasoning alone" if thought else "no text"
        raise _no_answer(turn, reason)
    if answered is not None and answered.cut_short:
        yield turn.task(CustomTask(title=CUT_SHORT))


def _no_answer(turn: Turn, reason: str) -> CustomStreamError:
    log.error("model_failed", workflow=turn.workflow_id, thread=turn.thread.id, error="NoAnswer", reason=reason)
    return CustomStreamError(NO_ANSWER, allow_retry=True)


async def _thinking_apart(parts: AsyncIterator[Part | Emitted]) -> AsyncIterator[Part | Emitted]:
    """The parts, with reasoning at the beginning of an answer's text as `Thought`; no text is empty."""
    answer, message = Answer(), ""
    async for part in parts:
        another = isinstance(part, Text) and part.message != message
        if another or isinstance(part, ToolStarted | ToolEnded):
            for each in _told_apart(answer.end(), message):
                yield each
            answer = Answer()
        if isinstance(part, Text):
            message = part.message
            for each in _told_apart(answer.more(part.delta), message):
                yield each
        else:
            yield part
    for each in _told_apart(answer.end(), message):
        yield each


def _told_apart(known: tuple[str, str], message: str) -> list[Part]:
    thought, text = known
    return [*([Thought(thought)] if thought else []), *([Text(text, message)] if text else [])]


class _Heard:
    """Whether the user has got anything but what was done and thought."""

    def __init__(self) -> None:
        self.said = False

    def listen(self, event: Emitted) -> None:
        self.said = self.said or is_said(event)


@contextmanager
def _hearing(turn: Turn) -> Iterator[_Heard]:
    """Hears what tools say through the turn, too."""
    heard, emit = _Heard(), turn.emit_now

    async def emit_now(event: Emitted) -> None:
        heard.listen(event)
        assert emit is not None
        await emit(event)

    turn.emit_now = None if emit is None else emit_now
    try:
        yield heard
    finally:
        turn.emit_now = emit


def is_said(event: Emitted) -> bool:
    """Whether an event is something for the user to have: not steps, nor how far something is."""
    match event:
        case ThreadItemAddedEvent() | ThreadItemDoneEvent():
            return event.item.type not in UNSAID
        case ThreadItemUpdatedEvent():
            return not event.update.type.startswith("workflow")
        case ProgressUpdateEvent() | ThreadItemRemovedEvent():
            return False
        case _:
            return bool(event)


class _Shown:
    """The workflow item that is open: one of reasoning, or one with a task for each tool call."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._open: Steps | None = None
        self._thought = ""
        self._sent = 0
        self._working: dict[str, int] = {}
        self.thought = False
        """Whether the model thought since the last text."""

    async def make_room(self) -> bool:
        """Before text: ends the open item unless tools still work; whether one was open."""
        was_open = self._open is not None
        self.thought = False
        if not self._working:
            await self.end()
        return was_open

    async def think(self, delta: str) -> None:
        if not delta:
            return
        self.thought = True
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
