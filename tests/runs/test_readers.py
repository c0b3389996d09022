"""Readers: silence is filled with comments, a slow one is cut and can resume, and a run never waits for any."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from chatdock import Turn, workflow
from tests.harness.client import Chat, message
from tests.harness.server import ProcessServer, ThreadServer, eventually, serving
from tests.runs.stage import Stage
from tests.runs.wire import Wire, creating, frames_in, resuming

CHUNK, CHUNKS = 20_000, 400  # eight megabytes: more than the kernel buffers for a reader that takes nothing
TORRENT = """
import asyncio
from chatdock import workflow

@workflow("wf_test")
async def torrent(turn):
    for number in range({chunks}):
        yield f"{{number:06d}}" * ({chunk} // 6)
        await asyncio.sleep(0)
"""


@pytest.fixture(scope="module")
def torrent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessServer]:
    """A server in a process of its own, whose workflow says more than anybody reads."""
    folder = tmp_path_factory.mktemp("torrent")
    target = folder / "torrent.py"
    target.write_text(TORRENT.format(chunk=CHUNK, chunks=CHUNKS))
    with ProcessServer(folder, str(target), environment={"CHATDOCK_SLOW_READER_TIMEOUT": "1"}) as server:
        yield server


def test_silence_is_filled_with_comments(tmp_path: Path, stage: Stage, text: str) -> None:
    with serving(tmp_path, [stage.workflow], keepalive=0.05) as server:
        chat = server.backend.chat()
        with Wire(chat, "threads.create", input=message(text)) as wire:
            while wire.received.count(b": keep-alive\n\n") < 3:
                assert wire.read_some()
            stage.end(text, "an answer")
            received = wire.rest()
        frames = frames_in(received)
        assert frames[-1].comment == "completed"
        assert [frame.sequence for frame in frames[:-1]] == list(range(1, len(frames)))


def test_a_follower_that_waits_hears_comments_too(tmp_path: Path, stage: Stage, text: str) -> None:
    with serving(tmp_path, [stage.workflow], keepalive=0.05) as server:
        chat = server.backend.chat()
        first = creating(chat, text)
        turn = first.wait_for(lambda turn: turn.of("stream_options"))
        with Wire(chat, "threads.resume", thread_id=turn.thread_id, starting_after=first.frames[-1].id) as wire:
            assert wire.read_some().startswith(b": keep-alive\n\n")
            stage.end(text)
            wire.rest()


def test_a_reader_that_takes_nothing_is_cut_and_the_run_goes_on(torrent: ProcessServer) -> None:
    chat = torrent.backend.chat()
    usual = min(_seconds_of(chat) for _ in range(2))
    process = psutil.Process(torrent.process.pid if torrent.process else 0)
    before = process.memory_info().rss
    stuck = [Wire(chat, "threads.create", input=message("stuck"), receive_buffer=4096) for _ in range(4)]
    try:
        for wire in stuck:
            assert wire.begin() == 200
        began = time.monotonic()
        eventually(lambda: _all_idle(chat), what="the end of the runs")
        assert time.monotonic() - began < 8 * usual + 2, "the runs waited for their readers"
        assert _seconds_of(chat) < 4 * usual + 1, "other readers suffered"
        eventually(lambda: torrent.output().count("slow_reader_cut") == len(stuck), what="the cut of the readers")
        grown = process.memory_info().rss - before
        assert grown < 32_000_000, f"{grown} bytes for {len(stuck)} readers that take nothing"
        eventually(lambda: len(process.net_connections()) <= 4, what="the end of their connections")
    finally:
        for wire in stuck:
            wire.close()


def test_a_reader_that_was_cut_resumes_and_misses_nothing(torrent: ProcessServer) -> None:
    chat = torrent.backend.chat()
    with Wire(chat, "threads.create", input=message("cut"), receive_buffer=4096) as wire:
        first = frames_in(wire.read(100_000))
        thread_id, last = first[0].event["thread"]["id"] if first[0].event else "", first[-1]
        eventually(lambda: _all_idle(chat), what="the end of the run")
    rest = chat.stream("threads.resume", thread_id=thread_id, starting_after=last.id)
    sequence = [frame.sequence for frame in (*first, *rest[:-1])]
    assert sequence == list(range(1, len(sequence) + 1))
    deltas = [f.event["update"].get("delta", "") for f in (*first, *rest) if f.event and "update" in f.event]
    assert "".join(deltas) == "".join(f"{number:06d}" * (CHUNK // 6) for number in range(CHUNKS))
    assert rest[-1].comment == "completed"


def test_a_reader_that_fell_behind_is_not_left_hanging_when_its_thread_is_deleted(tmp_path: Path) -> None:
    said = asyncio.Event()

    @workflow("wf_test")
    async def torrent(turn: Turn) -> AsyncIterator[str]:
        for _ in range(CHUNKS):
            yield "x" * CHUNK
            await asyncio.sleep(0)
        said.set()

    with serving(tmp_path, [torrent]) as server:
        chat = server.backend.chat()
        wire = Wire(chat, "threads.create", input=message("much"), receive_buffer=4096)
        try:
            first = frames_in(wire.read(20_000))
            thread_id = first[0].event["thread"]["id"] if first[0].event else ""
            eventually(said.is_set)
            chat.call("threads.delete", thread_id=thread_id)
            reading = threading.Thread(target=wire.rest)
            reading.start()
            reading.join(8)
            ended = not reading.is_alive()
            wire.hang_up()
            reading.join()
            assert ended, "the stream of a deleted thread went on"
        finally:
            wire.close()


def test_many_readers_of_one_run_see_the_same(chat: Chat, stage: Stage, text: str) -> None:
    first = creating(chat, text)
    turn = first.wait_for(lambda turn: turn.of("stream_options"))
    readers = [resuming(chat, turn.thread_id, first.frames[0].id) for _ in range(30)]
    for number in range(50):
        stage.say(text, f"{number} ")
    stage.end(text)
    frames = first.wait().frames
    assert first.turn.text == "".join(f"{number} " for number in range(50))
    for reader in readers:
        assert reader.wait().frames == frames[1:]


def test_readers_that_come_and_go_leave_nothing_behind(server: ThreadServer, chat: Chat, stage: Stage, text: str) -> None:
    def tasks() -> int:
        async def count() -> int:
            return len(asyncio.all_tasks())

        return server.call(count)

    first = creating(chat, text)
    turn = first.wait_for(lambda turn: turn.of("stream_options"))
    before = tasks()
    files = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        resuming(chat, turn.thread_id, first.frames[0].id).drop()
    eventually(lambda: tasks() <= before, what="the end of their tasks")
    gc.collect()
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= files + 2, what="the end of their sockets")
    stage.end(text)
    first.wait()


def _seconds_of(chat: Chat) -> float:
    """How long a turn takes when it is read."""
    began = time.monotonic()
    assert chat.create("read along").outcome == "completed"
    return time.monotonic() - began


def _all_idle(chat: Chat) -> bool:
    threads = chat.call("threads.list", limit=100)["data"]
    return not any("active_run" in chat.call("threads.get_by_id", thread_id=thread["id"]) for thread in threads)
