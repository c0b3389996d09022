"""What a scripted model does, whichever library asks it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chat.shapes import passed


@dataclass(frozen=True)
class Think:
    """Reasoning."""

    text: str


@dataclass(frozen=True)
class Call:
    """A call of a tool."""

    tool: str
    arguments: dict[str, Any]
    id: str = "call_1"


@dataclass(frozen=True)
class Wait:
    """Nothing more, until the test opens the gate."""

    gate: threading.Event


class Fail:
    """The endpoint fails."""


class Full:
    """The answer stops at its length limit."""


Step = str | Think | Call | Wait | Fail | Full
Prompt = list[tuple[str, str]]
"""Role and text of each message."""


@dataclass
class Script:
    """The answers to one request of the model after another, and what the model was asked."""

    answers: list[Sequence[Step]]
    failure: Callable[[], Exception]
    """What the library's models raise."""
    asked: list[Prompt] = field(default_factory=list)
    models: list[str | None] = field(default_factory=list)
    """The models that were asked for."""
    closed: threading.Event = field(default_factory=threading.Event)
    """Set when a stream ended, however it did."""

    async def play(self, prompt: Prompt, model: str | None = None) -> AsyncIterator[str | Think | Call | Full]:
        """The next answer."""
        self.asked.append(prompt)
        self.models.append(model)
        try:
            for step in self.answers.pop(0):
                if isinstance(step, Wait):
                    await passed(step.gate)
                elif isinstance(step, Fail):
                    raise self.failure()
                else:
                    yield step
        finally:
            self.closed.set()
