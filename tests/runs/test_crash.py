"""kill -9: what was begun ends at boot with what was said by then, what waited is answered, nothing is asked twice."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.harness.client import Chat, Json, Turn
from tests.harness.server import eventually
from tests.runs.checker import Sent, violations
from tests.runs.forked import ForkedServer
from tests.runs.wire import Reader, creating, sending

WORKFLOW = """
import asyncio, pathlib
from chatdock import workflow

@workflow("wf_test")
async def answer(turn):
    with open(pathlib.Path(__file__).with_suffix(".asked"), "a") as asked:
        asked.write(turn.text + "\\n")
    yield f"{turn.text} begins "
    while turn.text in {"live", "first", "stopped"}:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if turn.text != "stopped":
                raise
    yield "and ends"
"""


class Crash:
    """A server with one run of each kind, killed and started again."""

    def __init__(self, server: ForkedServer, target: Path) -> None:
        self.server = server
        self.target = target
        self.chat: Chat = server.backend.chat()
        self.before: dict[str, Turn] = {}

    def happen(self) -> None:
        readers = {text: self._begun(text) for text in ("live", "first", "stopped")}
        readers["done"] = creating(self.chat, "done")
        eventually(lambda: readers["done"].ended)
        readers["queued"] = sending(self.chat, readers["first"].turn.thread_id, "queued")
        readers["queued"].wait_for(lambda turn: turn.of("stream_options"))
        cancelling = threading.Thread(target=self._cancel, args=(readers["stopped"].turn.thread_id,))
        cancelling.start()
        eventually(self._cancel_is_stored)
        self.server.kill()
        cancelling.join()
        self.before = {text: reader.wait() for text, reader in readers.items()}
        self.server.start()
        self.live_at_once = [text for text in ("live", "first", "stopped") if self.is_live(text)]
        eventually(lambda: not any(self.is_live(text) for text in self.before))

    def is_live(self, text: str) -> bool:
        return "active_run" in self.thread(text)

    def thread(self, text: str) -> Json:
        """The thread in which this was said."""
        return self.chat.call("threads.get_by_id", thread_id=self.before[text].thread_id)

    def after(self, text: str) -> Turn:
        """The turn as it is replayed now."""
        turn = self.before[text]
        first, *_ = turn.frames
        rest = self.chat.stream("threads.resume", thread_id=turn.thread_id, starting_after=first.id)
        return Turn([first, *rest])

    def asked(self) -> list[str]:
        """What the workflow was asked, over all its lives."""
        return self.target.with_suffix(".asked").read_text().split()

    def _begun(self, text: str) -> Reader:
        reader = creating(self.chat, text)
        reader.wait_for(lambda turn: turn.text == f"{text} begins ")
        return reader

    def _cancel(self, thread_id: str) -> None:
        with suppress(httpx.TransportError):
            self.chat.post("threads.cancel", {"thread_id": thread_id})

    def _cancel_is_stored(self) -> bool:
        connection = sqlite3.connect(self.server.database)
        try:
            return bool(
                connection.execute("SELECT 1 FROM run WHERE cancel_requested AND status = 'running'").fetchone()
            )
        finally:
            connection.close()


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crash]:
    folder = tmp_path_factory.mktemp("crash")
    target = folder / "answers.py"
    target.write_text(WORKFLOW)
    with ForkedServer(folder, target, multitask_strategy="enqueue") as server:
        crash = Crash(server, target)
        crash.happen()
        yield crash


def texts(chat: Chat, thread_id: str) -> list[str]:
    return [item["content"][0]["text"] for item in chat.items(thread_id)]


def test_every_run_has_ended_before_a_request_is_answered(crash: Crash) -> None:
    assert crash.live_at_once == []
    history = [
        Sent(text, turn.thread_id, True, outcome=crash.after(text).outcome) for text, turn in crash.before.items()
    ]
    assert violations(crash.server.database, history, one_at_a_time=False) == []


def test_what_was_said_is_kept_and_a_retry_is_offered(crash: Crash) -> None:
    for text in ("live", "first"):
        turn = crash.after(text)
        assert turn.frames[: len(crash.before[text].frames)] == crash.before[text].frames
        assert turn.outcome == "failed"
        assert turn.events[-1]["type"] == "error"
        assert turn.events[-1]["allow_retry"] is True
        (kept,) = turn.done("assistant_message")
        assert kept["content"][0]["text"] == f"{text} begins "
        assert kept in crash.thread(text)["items"]["data"]


def test_what_was_cancelled_before_the_crash_is_cancelled_after_it(crash: Crash) -> None:
    turn = crash.after("stopped")
    assert turn.outcome == "cancelled"
    assert not turn.of("error")
    assert texts(crash.chat, turn.thread_id) == ["stopped", "stopped begins "]
    answer = crash.chat.call("threads.cancel", thread_id=turn.thread_id)
    assert answer == {"run": {"id": turn.run_id, "status": "cancelled"}}


def test_what_waited_is_answered(crash: Crash) -> None:
    turn = crash.after("queued")
    assert turn.outcome == "completed"
    assert turn.text == "queued begins and ends"
    said = texts(crash.chat, turn.thread_id)
    assert said == ["first", "first begins ", "queued", "queued begins and ends"]


def test_the_model_is_not_asked_again(crash: Crash) -> None:
    assert sorted(crash.asked()) == ["done", "first", "live", "queued", "stopped"]


def test_what_was_done_is_as_it_was(crash: Crash) -> None:
    assert crash.after("done").frames == crash.before["done"].frames


def test_a_retry_answers_again(crash: Crash) -> None:
    thread = crash.thread("live")
    asked, partial = thread["items"]["data"]
    crash.chat.call("threads.update", thread_id=thread["id"], title="Still mine")
    reader = Reader(crash.chat, "threads.retry_after_item", thread_id=thread["id"], item_id=asked["id"])
    turn = reader.wait_for(lambda turn: turn.text == "live begins ")
    assert turn.of("thread.item.removed") == [{"type": "thread.item.removed", "item_id": partial["id"]}]
    crash.chat.call("threads.cancel", thread_id=thread["id"])
    assert reader.wait().outcome == "cancelled"
    assert texts(crash.chat, thread["id"]) == ["live", "live begins "]


def test_a_server_that_crashes_again_and_again_recovers_again(crash: Crash) -> None:
    reader = creating(crash.chat, "live")
    turn = reader.wait_for(lambda turn: turn.text)
    for _ in range(3):
        crash.server.kill()
        crash.server.start()
    reader.wait()
    rest = crash.chat.stream("threads.resume", thread_id=turn.thread_id, starting_after=turn.frames[0].id)
    assert [frame.comment for frame in rest if frame.comment] == ["failed"]
