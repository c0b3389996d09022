"""A workflow whose every word the test hands out, so that tests wait for states and never for seconds."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from typing import Any

from chatkit.types import AssistantMessageItem, UserMessageItem

from chatdock import Turn, workflow
from chatdock.workflows.workflow import Emitted

END = object()


class Stage:
    """Plays one script per text of a user's message; a turn waits for its next line."""

    def __init__(self) -> None:
        self._scripts: defaultdict[str, deque[Any]] = defaultdict(deque)
        self._closed: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        self.begun: list[str] = []
        self.histories: dict[str, list[str]] = {}
        self.newest: dict[str, list[str]] = {}
        self.workflow = workflow("wf_test")(self.play)

    def say(self, text: str, *lines: Emitted | Exception) -> None:
        """Let the turn that answers `text` yield these; an exception is raised."""
        self._scripts[text].extend(lines)

    def end(self, text: str, *lines: Emitted) -> None:
        """Let the turn yield these and end."""
        self._scripts[text].extend((*lines, END))

    def times_begun(self, text: str) -> int:
        """How many turns answered this text so far."""
        return self.begun.count(text)

    def is_closed(self, text: str) -> bool:
        """Whether the `finally` of the turn's generator ran."""
        return self._closed[text].is_set()

    async def play(self, turn: Turn) -> AsyncIterator[Emitted]:
        """Answer a turn as its script says."""
        self.begun.append(turn.text)
        self._closed[turn.text].clear()
        self.histories[turn.text] = [text_of(item) for item in await turn.history()]
        self.newest[turn.text] = [text_of(item) for item in await turn.history(1)]
        script = self._scripts[turn.text]
        try:
            while True:
                while not script:
                    await asyncio.sleep(0.002)
                line = script.popleft()
                if line is END:
                    return
                if isinstance(line, Exception):
                    raise line
                yield line
        finally:
            self._closed[turn.text].set()


def text_of(item: Any) -> str:
    """What a message says; other items by their type."""
    if isinstance(item, UserMessageItem | AssistantMessageItem):
        return "".join(part.text for part in item.content)
    return str(item.type)
