"""A stage: one server for a module of tests, on which each test scripts the workflow of its own users."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from chatkit.types import AudioInput, ThreadItem

from chatdock import Turn, workflow
from chatdock.workflows.titles import opening_words
from chatdock.workflows.workflow import Workflow
from tests.chat.shapes import Script, all_of, done, echo, hidden
from tests.harness.client import CANARY, Backend, Chat, message
from tests.harness.server import ThreadServer, serving

Respond = Callable[[Turn], Script]
Title = Callable[[Turn], str | Awaitable[str | None] | None]


@dataclass
class Part:
    """What the workflow does for one user."""

    respond: Respond = echo
    action: Respond = echo
    sync_action: Callable[[Turn], Awaitable[ThreadItem | None]] | None = None
    title: Title = opening_words
    planted: bool = True


class Cast:
    """The parts of all users, and the workflows that play them."""

    def __init__(self) -> None:
        self.parts: dict[str, Part] = {}

    def workflows(self) -> list[Workflow]:
        """`wf_test` plays the user's part; `wf_plain` echoes and can no more; `wf_no_stop` cannot be stopped."""
        parts = self.parts

        @workflow("wf_test")
        async def played(turn: Turn) -> Script:
            part = parts[turn.user]
            if part.planted:
                yield done(hidden(turn, {"secret": CANARY}))
            async for event in all_of(part.respond(turn)):
                yield event

        async def action(turn: Turn) -> Script:
            async for event in all_of(parts[turn.user].action(turn)):
                yield event

        async def sync_action(turn: Turn) -> ThreadItem | None:
            perform = parts[turn.user].sync_action
            return None if perform is None else await perform(turn)

        async def transcriber(audio: AudioInput) -> Any:
            if audio.data == b"noise":
                raise RuntimeError(CANARY)
            return None if audio.data == b"silence" else f"{audio.media_type}: {audio.data.decode()}"

        played.action(action)
        played.sync_action(sync_action)
        played.transcriber(transcriber)
        played.titler(lambda turn: parts[turn.user].title(turn))  # type: ignore[arg-type]
        return [played, workflow("wf_plain")(echo), workflow("wf_no_stop", allow_cancel=False)(echo)]


_numbers = itertools.count(1)


class Stage:
    """A server and its cast."""

    def __init__(self, server: ThreadServer, cast: Cast) -> None:
        self.server = server
        self._cast = cast

    @property
    def backend(self) -> Backend:
        """The application's back end."""
        return self.server.backend

    def user(self, respond: Respond = echo, **part: Any) -> str:
        """A new user, and what the workflow does for them."""
        name = f"user-{next(_numbers)}"
        self._cast.parts[name] = Part(respond, **part)
        return name

    def chat(self, respond: Respond = echo, *, part: dict[str, Any] | None = None, **session: Any) -> Chat:
        """A new user's client."""
        return self.backend.chat(self.user(respond, **(part or {})), **session)

    def recast(self, user: str, respond: Respond = echo, **part: Any) -> None:
        """From now on the workflow does this for the user."""
        self._cast.parts[user] = Part(respond, **part)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One server for the module."""
    cast = Cast()
    with serving(tmp_path_factory.mktemp("stage"), cast.workflows()) as server:
        yield Stage(server, cast)


def said(text: str = "hello", **members: Any) -> dict[str, Any]:
    """The parameters of `threads.create`."""
    return {"input": {**message(text), **members}}
