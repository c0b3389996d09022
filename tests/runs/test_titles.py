"""A thread is named once, beside its first answer, and nothing waits for the name."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chatdock import Turn, workflow
from chatdock.workflows.workflow import Workflow
from tests.harness.client import Chat
from tests.harness.server import ThreadServer, eventually, serving


class Titles:
    """A workflow whose titler does what the first message says."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.late = threading.Event()
        self.workflow: Workflow = workflow("wf_test")(self._answer)
        self.workflow.titler(self._title)

    async def _answer(self, turn: Turn) -> AsyncIterator[str]:
        yield "an "
        if turn.text == "beside":
            await asyncio.sleep(0.1)
        yield "answer"

    async def _title(self, turn: Turn) -> str | None:
        self.asked.append(turn.text)
        if turn.text == "fails":
            raise RuntimeError("no model")
        if turn.text == "late":
            while not self.late.is_set():
                await asyncio.sleep(0.005)
        return None if turn.text == "nameless" else f'  "A title\nfor {turn.text}"  '


@pytest.fixture(scope="module")
def titles() -> Titles:
    return Titles()


@pytest.fixture(scope="module")
def titled(tmp_path_factory: pytest.TempPathFactory, titles: Titles) -> Iterator[ThreadServer]:
    with serving(tmp_path_factory.mktemp("titles"), [titles.workflow]) as server:
        yield server


def title_of(chat: Chat, thread_id: str) -> str | None:
    title: str | None = chat.call("threads.get_by_id", thread_id=thread_id).get("title")
    return title


def test_the_title_comes_beside_the_answer(titled: ThreadServer) -> None:
    chat = titled.backend.chat()
    turn = chat.create("beside")
    (updated,) = turn.of("thread.updated")
    assert updated["thread"]["title"] == "A title for beside"
    assert title_of(chat, turn.thread_id) == "A title for beside"
    assert titled.backend.get(f"threads/{turn.thread_id}")["title"] == "A title for beside"


def test_an_answer_does_not_wait_for_its_title(titled: ThreadServer, titles: Titles) -> None:
    chat = titled.backend.chat()
    turn = chat.create("late")
    assert turn.outcome == "completed"
    assert turn.of("thread.updated") == []
    assert title_of(chat, turn.thread_id) is None
    titles.late.set()
    assert eventually(lambda: title_of(chat, turn.thread_id)) == "A title for late"


@pytest.mark.parametrize("text", ["fails", "nameless"])
def test_a_title_that_cannot_be_made_costs_nothing(titled: ThreadServer, text: str) -> None:
    chat = titled.backend.chat()
    turn = chat.create(text)
    assert turn.outcome == "completed"
    assert turn.text == "an answer"
    assert title_of(chat, turn.thread_id) is None


def test_a_thread_is_named_once(titled: ThreadServer, titles: Titles) -> None:
    chat = titled.backend.chat()
    turn = chat.create("beside")
    asked = len(titles.asked)
    assert chat.send(turn.thread_id, "second message").of("thread.updated") == []
    assert len(titles.asked) == asked
    assert title_of(chat, turn.thread_id) == "A title for beside"


def test_a_users_own_title_is_never_replaced(titled: ThreadServer, titles: Titles) -> None:
    titles.late.clear()
    chat = titled.backend.chat()
    turn = chat.create("late")
    chat.call("threads.update", thread_id=turn.thread_id, title="Mine")
    titles.late.set()
    chat.send(turn.thread_id, "another")
    assert title_of(chat, turn.thread_id) == "Mine"


def test_a_session_without_titling_names_nothing(titled: ThreadServer, titles: Titles) -> None:
    off = {"automatic_thread_titling": {"enabled": False}}
    chat = titled.backend.chat(chatkit_configuration=off)
    asked = len(titles.asked)
    turn = chat.create("untitled")
    assert turn.of("thread.updated") == []
    assert len(titles.asked) == asked
    assert title_of(chat, turn.thread_id) is None


def test_a_title_survives_a_restart(tmp_path: Path) -> None:
    titles = Titles()
    with serving(tmp_path, [titles.workflow]) as server:
        turn = server.backend.chat().create("beside")
    with serving(tmp_path, [titles.workflow]) as server:
        assert title_of(server.backend.chat(), turn.thread_id) == "A title for beside"
