"""A server that was paused past its lease finds its runs ended by another, and writes nothing into them."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.client import Chat
from tests.harness.server import eventually
from tests.runs.checker import Sent, violations
from tests.runs.forked import ForkedServer
from tests.runs.wire import Reader, creating, sending

LEASE = 1.0
WORKFLOW = """
import asyncio, pathlib
from chatdock import workflow

go = pathlib.Path(__file__).with_name("go")

@workflow("wf_test")
async def answer(turn):
    yield "before "
    while turn.text != "plain" and not go.exists():
        await asyncio.sleep(0.005)
    if turn.text == "names":
        turn.thread.title = "A name from the grave"
    if turn.text == "says":
        yield "after"
    if turn.text == "breaks":
        raise ValueError("too late")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fence")
    (folder / "answers.py").write_text(WORKFLOW)
    return folder


@pytest.fixture(scope="module")
def pair(folder: Path) -> Iterator[tuple[ForkedServer, ForkedServer]]:
    """Two servers on one database."""
    settings = {"lease": str(LEASE), "sweep_interval": "0.2", "multitask_strategy": "enqueue"}
    with (
        ForkedServer(folder, folder / "answers.py", **settings) as first,
        ForkedServer(folder, folder / "answers.py", **settings) as second,
    ):
        yield first, second


def pause(server: ForkedServer) -> None:
    """SIGSTOP, in a moment in which it does not hold the database's lock, which nobody could take from it."""

    def free() -> bool:
        os.kill(server.pid, signal.SIGSTOP)
        connection = sqlite3.connect(server.database, timeout=0.2, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            os.kill(server.pid, signal.SIGCONT)
            return False
        finally:
            connection.close()
        return True

    eventually(free)


def test_a_paused_server_writes_nothing_after_another_took_over(
    pair: tuple[ForkedServer, ForkedServer], folder: Path
) -> None:
    zombie, other = pair
    chat, observer = zombie.backend.chat(), other.backend.chat()
    ways = ("says", "ends", "names", "breaks")
    readers = {text: creating(chat, text) for text in ways}
    for reader in readers.values():
        reader.wait_for(lambda turn: turn.text == "before ")
    threads = {text: reader.turn.thread_id for text, reader in readers.items()}
    pause(zombie)
    try:
        eventually(lambda: not any(_is_live(observer, thread) for thread in threads.values()))
        stored = _everything(zombie.database)
        (folder / "go").touch()
    finally:
        os.kill(zombie.pid, signal.SIGCONT)
    for reader in readers.values():
        reader.wait()
    eventually(lambda: "chatdock_runs_live 0.0" in zombie.backend.http.get("/metrics").text)
    assert creating(chat, "plain").wait().outcome == "completed", "the server that was paused serves on"
    now = _everything(zombie.database)
    assert all(now[row] == data for row, data in stored.items())
    history = [Sent(text, threads[text], True, outcome="failed") for text in ways]
    assert violations(zombie.database, history) == []
    for text in ways:
        assert [item["content"][0]["text"] for item in observer.items(threads[text])] == [text, "before "]


def test_a_server_ends_the_runs_of_one_that_died_while_it_lives(
    pair: tuple[ForkedServer, ForkedServer], folder: Path
) -> None:
    (folder / "go").unlink(missing_ok=True)
    victim, other = pair
    reader = creating(victim.backend.chat(), "ends")
    turn = reader.wait_for(lambda turn: turn.text == "before ")
    victim.kill()
    reader.wait()
    observer = other.backend.chat()
    eventually(lambda: not _is_live(observer, turn.thread_id))
    assert observer.items(turn.thread_id)[-1]["content"][0]["text"] == "before "
    victim.start()


def test_a_server_that_starts_leaves_the_runs_of_another_alone(
    pair: tuple[ForkedServer, ForkedServer], folder: Path
) -> None:
    (folder / "go").unlink(missing_ok=True)
    restarted, other = pair
    reader = creating(other.backend.chat(), "says")
    reader.wait_for(lambda turn: turn.text == "before ")
    restarted.kill()
    restarted.start()
    (folder / "go").touch()
    assert reader.wait().outcome == "completed"
    assert reader.turn.text == "before after"


def test_a_run_is_followed_resumed_and_cancelled_through_another_server(
    pair: tuple[ForkedServer, ForkedServer], folder: Path
) -> None:
    (folder / "go").unlink(missing_ok=True)
    owner, other = pair
    reader = creating(owner.backend.chat(), "says")
    turn = reader.wait_for(lambda turn: turn.text == "before ")
    elsewhere = other.backend.chat()
    follower = Reader(elsewhere, "threads.resume", thread_id=turn.thread_id, starting_after=turn.frames[0].id)
    follower.wait_for(lambda turn: turn.text == "before ")
    elsewhere.call("threads.cancel", thread_id=turn.thread_id)
    assert reader.wait().outcome == "cancelled"
    assert follower.wait().frames == reader.frames[1:]


def test_a_message_that_was_queued_at_one_server_and_answered_by_another_is_streamed(
    pair: tuple[ForkedServer, ForkedServer], folder: Path
) -> None:
    (folder / "go").unlink(missing_ok=True)
    owner, other = pair
    first = creating(owner.backend.chat(), "says")
    turn = first.wait_for(lambda turn: turn.text == "before ")
    second = sending(other.backend.chat(), turn.thread_id, "plain")
    second.wait_for(lambda turn: turn.of("stream_options"))
    (folder / "go").touch()
    assert first.wait().outcome == "completed"
    assert second.wait().outcome == "completed"


def _is_live(chat: Chat, thread_id: str) -> bool:
    return "active_run" in chat.call("threads.get_by_id", thread_id=thread_id)


def _everything(database: Path) -> dict[tuple[str, ...], Any]:
    """Every row of runs, frames, items and threads."""
    connection = sqlite3.connect(database)
    try:
        rows: dict[tuple[str, ...], Any] = {}
        for table, key in [("run", "id"), ("frame", "run_id, first"), ("item", "thread_id, id"), ("thread", "id")]:
            for row in connection.execute(f"SELECT {key}, * FROM {table}"):
                rows[(table, *map(str, row[: key.count(",") + 1]))] = row
        return rows
    finally:
        connection.close()
