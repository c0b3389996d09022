"""A run whose stored events, input or items make no sense ends as failed; its thread, and every other run, goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from chatdock import Turn, workflow
from chatdock.protocol import frames
from tests.harness.client import Chat
from tests.harness.client import Turn as Streamed
from tests.harness.server import ThreadServer, eventually, serving


@workflow("wf_test")
async def answer(turn: Turn) -> AsyncIterator[str]:
    said = [item.type for item in await turn.history()]
    yield f"{turn.text} after {len(said)} items"


def _update(kind: str, **members: object) -> bytes:
    update = {"type": kind, **members}
    return orjson.dumps({"type": "thread.item.updated", "item_id": "cti_m", "update": update})


TASK_IN_A_MESSAGE = _update("workflow.task.added", task_index=0, task={"type": "custom"})
DELTA = _update("assistant_message.content_part.text_delta", content_index=0, delta="so far")
LOGS: dict[str, list[bytes]] = {
    "as it should be": [],
    "a task in a message": [TASK_IN_A_MESSAGE],
    "text far away": [_update("assistant_message.content_part.text_delta", content_index=1 << 40, delta="x")],
    "no json": [b"{"],
    "no text": [b"\xff\xfe"],
    "no frame": [b"id: 7", b"id: crun_1:2\ndata: {", b"id: \n\n"],
    "no object": [b"[]", b"null", b"7"],
    "an item without an id": [b'{"type":"thread.item.added","item":{"type":"widget"}}'],
    "an item of no kind": [b'{"type":"thread.item.added","item":{"type":[],"id":"cti_x","content":5}}'],
    "a message of no shape": [
        b'{"type":"thread.item.added","item":{"type":"assistant_message","id":"cti_x","content":[5,{"text":"x"}]}}'
    ],
    "an item that is too deep": [
        b'{"type":"thread.item.added","item":{"type":"assistant_message","id":"cti_x","content":%b}}'
        % (b"[" * 900 + b"]" * 900)
    ],
}
INPUTS = {"no json": "{", "no object": "[]", "no work": '{"kind": 5}', "an odd id": '{"kind":"message","item_id":{}}'}


@dataclass
class Broken:
    server: ThreadServer
    threads: dict[str, str]
    """Thread ids by what is wrong with them."""
    runs: dict[str, str]
    left: dict[str, int]
    """How many events each run had when the server was started."""

    def chat(self) -> Chat:
        return self.server.backend.chat(user="user_1")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    """A server that was started on a database in which all of this was left."""
    folder = tmp_path_factory.mktemp("malformed")
    names = [*(f"log: {name}" for name in LOGS), *(f"input: {name}" for name in INPUTS), "item", "message", "thread"]
    threads, runs = {}, {}
    with serving(folder, [answer]) as server:
        chat = server.backend.chat(user="user_1")
        for name in names:
            turn = chat.create("hello")
            assert turn.outcome == "completed"
            threads[name], runs[name] = turn.thread_id, turn.run_id
    left = _break(folder / "chatdock.db", threads, runs)
    with serving(folder, [answer]) as server:
        yield Broken(server, threads, runs, left)


def _break(database: Path, threads: dict[str, str], runs: dict[str, str]) -> dict[str, int]:
    left = {}
    connection = sqlite3.connect(database)
    for name, run_id in runs.items():
        state = ("running", "gone") if name.startswith("log") else ("queued", None)
        connection.execute(
            "UPDATE run SET status=?, owner=?, lease_until=0, ended_at=NULL WHERE id=?", (*state, run_id)
        )
        rows = connection.execute(
            "SELECT first, last, data FROM frame WHERE run_id=? ORDER BY first", (run_id,)
        ).fetchall()
        connection.execute("DELETE FROM frame WHERE run_id=? AND first > 1", (run_id,))
        connection.execute("UPDATE run SET last_sequence=? WHERE id=?", (rows[0][1], run_id))
        connection.execute("DELETE FROM item WHERE thread_id=? AND type='assistant_message'", (threads[name],))
        left[name] = rows[0][1]
        if name.startswith("log"):
            message = {"type": "assistant_message", "id": "cti_m", "thread_id": threads[name], "content": []}
            begun = orjson.dumps(
                {"type": "thread.item.added", "item": {**message, "created_at": "2026-01-01T00:00:00Z"}}
            )
            for number, payload in enumerate([begun, DELTA, *LOGS[name[5:]]], left[name] + 1):
                frame = payload if payload.startswith(b"id: ") else frames.batch(run_id, number, [payload])
                connection.execute("INSERT INTO frame VALUES (?, ?, ?, ?)", (run_id, number, number, frame))
                left[name] = number
        elif name.startswith("input"):
            connection.execute("UPDATE run SET input=? WHERE id=?", (INPUTS[name[7:]], run_id))
    for name, data in (("item", '{"type":"user_message"}'), ("message", "{")):
        connection.execute("UPDATE item SET data=? WHERE thread_id=?", (data, threads[name]))
    connection.execute(
        "INSERT INTO item SELECT thread_id, 99, 'cti_x', 'task', '{' FROM item WHERE thread_id=?", (threads["thread"],)
    )
    wrong = "UPDATE thread SET metadata='{', allowed_image_domains='5', state='[' WHERE id=?"
    connection.execute(wrong, (threads["thread"],))
    connection.commit()
    connection.close()
    return left


def _ended(broken: Broken, name: str) -> str:
    chat = broken.chat()

    def outcome() -> str | None:
        run = chat.call("threads.cancel", thread_id=broken.threads[name])["run"]
        return None if run["status"] in ("queued", "running") else str(run["status"])

    return str(eventually(outcome, what="the end of the run"))


@pytest.mark.parametrize("name", LOGS)
def test_a_run_that_makes_no_sense_ends_when_the_server_starts(broken: Broken, name: str) -> None:
    assert _ended(broken, f"log: {name}") == "failed"
    thread_id = broken.threads[f"log: {name}"]
    chat = broken.chat()
    after = f"{broken.runs[f'log: {name}']}:{broken.left[f'log: {name}']}"
    turn = Streamed(chat.stream("threads.resume", thread_id=thread_id, starting_after=after))
    assert turn.outcome == "failed"
    assert turn.events[-1]["allow_retry"] is True
    assert [item["content"][0]["text"] for item in chat.items(thread_id)] == ["hello", "so far"]


@pytest.mark.parametrize("name", INPUTS)
def test_a_run_whose_input_cannot_be_read_ends_as_failed(broken: Broken, name: str) -> None:
    assert _ended(broken, f"input: {name}") == "failed"


def test_a_run_whose_message_cannot_be_read_ends_as_failed(broken: Broken) -> None:
    assert _ended(broken, "item") == "failed"
    assert _ended(broken, "message") == "failed"


def test_a_run_whose_thread_can_be_read_in_part_is_answered(broken: Broken) -> None:
    assert _ended(broken, "thread") == "completed"


def test_every_thread_is_free_afterwards(broken: Broken) -> None:
    chat = broken.chat()
    for name, thread_id in broken.threads.items():
        _ended(broken, name)
        turn = chat.send(thread_id, "again")
        assert turn.outcome == "completed", name
        assert turn.text.startswith("again after ")
    listed = chat.call("threads.list", limit=100)["data"]
    assert {thread["id"] for thread in listed} == set(broken.threads.values())
