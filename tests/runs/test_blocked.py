"""A workflow that blocks the loop, or raises what no loop survives, in a server of its own process."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from chatdock.watchdog import BLOCKED_BEATS, Watchdog
from tests.harness.server import ProcessServer, eventually
from tests.runs.wire import creating, resuming

WORKFLOW = """
import asyncio, time
from chatdock import workflow

async def leave(kind):
    raise kind

@workflow("wf_test")
async def answer(turn):
    yield f"{turn.text} begins "
    await turn.history()
    if turn.text == "spins":
        while True:
            pass
    if turn.text == "sleeps":
        time.sleep(3600)
    if turn.text == "interrupts":
        left = asyncio.ensure_future(leave(KeyboardInterrupt))
        await asyncio.sleep(0.1)
    if turn.text == "exits":
        left = asyncio.ensure_future(leave(SystemExit(0)))
        await asyncio.sleep(0.1)
    if turn.text == "calls":
        asyncio.get_running_loop().call_soon(exit, 0)
        await asyncio.sleep(0.1)
    yield "and ends"
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["spins", "sleeps"])
def test_a_blocked_loop_is_told_of_and_ends_after_the_drain_and_its_run_with_the_next_start(
    tmp_path: Path, how: str
) -> None:
    target = tmp_path / "answers.py"
    target.write_text(WORKFLOW)
    with ProcessServer(tmp_path, str(target), environment={"CHATDOCK_DRAIN_TIMEOUT": "0"}) as server:
        reader = creating(server.backend.chat(), how)
        turn = reader.wait_for(lambda turn: turn.text == f"{how} begins ")
        eventually(lambda: "loop_blocked" in server.output(), what="a line in the log")
        assert f"answer ({target}:" in server.output()
        server.terminate()
        assert server.process is not None
        assert server.process.returncode == 1
        assert "ended_without_a_drain" in server.output()
        reader.wait()
        server.start()
        rest = resuming(server.backend.chat(), turn.thread_id, turn.frames[0].id).wait()
        assert rest.outcome == "failed"
        assert rest.events[-1]["allow_retry"] is True


@pytest.mark.slow
def test_a_task_that_exits_does_not_end_the_server(tmp_path: Path) -> None:
    target = tmp_path / "answers.py"
    target.write_text(WORKFLOW)
    with ProcessServer(tmp_path, str(target)) as server:
        chat = server.backend.chat()
        for how in ("interrupts", "exits", "calls"):
            turn = chat.create(how)
            assert (turn.outcome, turn.text) == ("completed", f"{how} begins and ends")
        assert server.output().count("task_exited") == 3
        server.terminate()
        assert server.process is not None
        assert server.process.returncode == 0


class Loop:
    """A loop that answers when the test says so."""

    def __init__(self) -> None:
        self.blocked = threading.Event()
        self.beats = 0

    def call_soon_threadsafe(self, answer: Any) -> None:
        self.beats += 1
        if not self.blocked.is_set():
            answer()
        else:
            self.answer = answer


def test_a_blockage_is_told_of_once_with_the_stack_and_so_is_its_end() -> None:
    loop = Loop()
    with capture_logs() as lines:
        watchdog = Watchdog(cast("asyncio.AbstractEventLoop", loop), drain_timeout=0, beat=0.002, end=lambda code: None)
        watchdog.start()
        eventually(lambda: loop.beats > 3)
        for blockage in (1, 2):
            loop.blocked.set()
            eventually(lambda count=blockage: len(_of(lines, "loop_blocked")) == count)  # type: ignore[misc]
            beats = loop.beats
            time.sleep(0.002 * 3 * BLOCKED_BEATS)  # in which nothing more is said
            assert (loop.beats, len(_of(lines, "loop_blocked"))) == (beats, blockage)
            loop.blocked.clear()
            loop.answer()
            eventually(lambda count=blockage: len(_of(lines, "loop_goes_on")) == count)  # type: ignore[misc]
        watchdog.close()
    assert "test_a_blockage_is_told_of_once" in _of(lines, "loop_blocked")[0]["stack"]
    assert not _of(lines, "ended_without_a_drain")


def _of(lines: Any, event: str) -> list[Any]:
    return [line for line in lines if line["event"] == event]
