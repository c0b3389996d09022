"""A full disk: new messages are refused, what is there is read, and when there is space again all goes on by itself."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.client import ApiFailure, Chat, Json, message
from tests.harness.server import eventually
from tests.runs.checker import Sent, violations
from tests.runs.forked import ForkedServer
from tests.runs.wire import Reader, creating

pytestmark = pytest.mark.slow

WORKFLOW = """
import asyncio, pathlib
from chatdock import workflow

go = pathlib.Path(__file__).with_name("go")

@workflow("wf_test")
async def answer(turn):
    yield "before "
    while turn.text == "live" and not go.exists():
        await asyncio.sleep(0.005)
    yield "after"
"""


class Disk:
    """A server whose files cannot grow beyond a limit: what a full disk is to it."""

    def __init__(self, server: ForkedServer, folder: Path, limit: int) -> None:
        self.server = server
        self.go = folder / "go"
        self.chat: Chat = server.backend.chat()
        self._limit = limit
        self._usual = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        """No file can be written beyond the limit, neither the database nor its journal."""
        resource.prlimit(self.server.pid, resource.RLIMIT_FSIZE, (self._limit, self._usual[1]))

    def free(self) -> None:
        """There is space again."""
        resource.prlimit(self.server.pid, resource.RLIMIT_FSIZE, self._usual)


@pytest.fixture(params=[4096, 0], ids=["database", "database and log"])
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Disk]:
    target = tmp_path / "answers.py"
    target.write_text(WORKFLOW)
    with ForkedServer(tmp_path, target, lease="1", sweep_interval="0.2") as server:
        yield Disk(server, tmp_path, request.param)


def test_a_full_disk_loses_nothing_and_is_survived(disk: Disk) -> None:
    chat = disk.chat
    done = chat.create("done")
    live = creating(chat, "live")
    live.wait_for(lambda turn: turn.text == "before ")
    disk.fill()
    _new_messages_are_refused(disk, done.thread_id)
    assert disk.server.backend.http.get("/readyz").status_code == 503
    assert [item["content"][0]["text"] for item in chat.items(done.thread_id)] == ["done", "before after"]
    assert len(chat.call("threads.list")["data"]) == 2
    assert len(disk.server.backend.get("threads")["data"]) == 2

    disk.go.touch()  # the live run says more, which cannot be stored
    turn = live.wait()
    assert turn.text == "before ", "what is not stored was shown"
    assert turn.outcome is None
    _new_messages_are_refused(disk, done.thread_id)

    disk.free()
    later = chat.send(done.thread_id, "there is space again")
    assert later.outcome == "completed"
    assert disk.server.backend.http.get("/readyz").status_code == 200
    eventually(
        lambda: "active_run" not in chat.call("threads.get_by_id", thread_id=turn.thread_id),
        seconds=5,
        what="the end of the run that was live while the disk was full",
    )
    _the_broken_run_can_be_retried(chat, live)
    history = [Sent("done", done.thread_id, True), Sent("live", turn.thread_id, True)]
    history.append(Sent("there is space again", done.thread_id, True))
    assert violations(disk.server.database, history) == []


def test_a_run_ends_after_the_disk_was_full_though_nobody_else_comes(disk: Disk) -> None:
    live = creating(disk.chat, "live")
    turn = live.wait_for(lambda turn: turn.text == "before ")
    disk.fill()
    disk.go.touch()
    live.wait()
    disk.free()
    eventually(
        lambda: "active_run" not in disk.chat.call("threads.get_by_id", thread_id=turn.thread_id),
        seconds=5,
        what="the end of the run that was live while the disk was full",
    )
    _the_broken_run_can_be_retried(disk.chat, live)


def _new_messages_are_refused(disk: Disk, thread_id: str) -> None:
    before = _rows(disk.server.database)
    requests: list[tuple[str, Json]] = [
        ("threads.create", {"input": message("refused")}),
        ("threads.add_user_message", {"thread_id": thread_id, "input": message("refused")}),
    ]
    for operation, params in requests:
        with pytest.raises(ApiFailure) as failure:
            disk.chat.stream(operation, **params)
        assert failure.value.status == 503
        assert failure.value.error["code"] == "storage_unavailable"
        assert int(failure.value.response.headers["retry-after"]) > 0
    assert _rows(disk.server.database) == before


def _the_broken_run_can_be_retried(chat: Chat, live: Reader) -> None:
    turn = live.turn
    rest = chat.stream("threads.resume", thread_id=turn.thread_id, starting_after=turn.frames[-1].id)
    assert rest[-1].comment == "failed"
    assert rest[-2].event is not None
    assert rest[-2].event["type"] == "error"
    assert rest[-2].event["allow_retry"] is True
    asked, kept = chat.items(turn.thread_id)
    assert kept["content"][0]["text"] == "before "
    again = chat.stream("threads.retry_after_item", thread_id=turn.thread_id, item_id=asked["id"])
    assert again[-1].comment == "completed"
    assert chat.items(turn.thread_id)[-1]["content"][0]["text"] == "before after"


def _rows(database: Path) -> list[int]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("thread", "item", "run", "idempotency")
        ]
    finally:
        connection.close()
