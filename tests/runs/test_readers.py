"""Readers: silence is filled with comments, a slow one is cut and can resume, and a run never waits for any."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.harness.client import Chat, message
from tests.harness.client import Turn as WholeTurn
from tests.harness.server import ProcessServer, ThreadServer, eventually, serving
from tests.runs.stage import Stage
from tests.runs.wire import Wire, creating, frames_in, named, resuming

SIZE, MESSAGES = 20_000, 400
"""Eight megabytes: more than the kernel takes for a reader that takes nothing."""
STUCK = 20
TORRENT = f"""
import asyncio
from chatkit.types import AssistantMessageContent, AssistantMessageItem, ThreadItemDoneEvent
from chatdock import workflow

@workflow("wf_test")
async def torrent(turn):
    for number in range({MESSAGES}):
        content = [AssistantMessageContent(text=f"{{number:05d}}" * {SIZE // 5})]
        yield ThreadItemDoneEvent(item=AssistantMessageItem(
            id=turn.new_id(), thread_id=turn.thread.id, created_at=turn.now(), content=content))
        await asyncio.sleep(0)
"""


def torrential(folder: Path, slow_reader_timeout: str) -> ProcessServer:
    """A server in a process of its own, whose workflow says more than anybody reads."""
    target = folder / "torrent.py"
    target.write_text(TORRENT)
    return ProcessServer(folder, str(target), environment={"CHATDOCK_SLOW_READER_TIMEOUT": slow_reader_timeout})


@pytest.fixture(scope="module")
def torrent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessServer]:
    with torrential(tmp_path_factory.mktemp("torrent"), "2") as server:
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


def test_a_run_and_its_other_readers_wait_for_none_that_takes_nothing(tmp_path: Path) -> None:
    with torrential(tmp_path, "3600") as server:
        chat = server.backend.chat()
        with Wire(chat, "threads.create", input=message("stuck"), receive_buffer=4096) as wire:
            opening = frames_in(wire.read(1000))[0]
            thread_id = opening.event["thread"]["id"] if opening.event else ""
            rest = chat.stream("threads.resume", thread_id=thread_id, starting_after=opening.id)
            assert WholeTurn(rest).outcome == "completed"
            assert not _is_live(chat, thread_id)


@pytest.mark.slow
def test_readers_that_take_nothing_cost_little_and_are_cut(torrent: ProcessServer) -> None:
    assert torrent.process is not None
    process = psutil.Process(torrent.process.pid)
    chat = torrent.backend.chat()
    assert chat.create("read along").outcome == "completed"
    before, peak = process.memory_info().rss, 0
    stuck = [Wire(chat, "threads.create", input=message("stuck"), receive_buffer=4096)]
    try:
        opening = frames_in(stuck[0].read(1000))[0]
        thread_id = opening.event["thread"]["id"] if opening.event else ""
        params: dict[str, Any] = {"thread_id": thread_id, "starting_after": opening.id}
        stuck += [Wire(chat, "threads.resume", receive_buffer=4096, **params) for _ in range(STUCK - 1)]
        assert [wire.begin() for wire in stuck] == [200] * STUCK

        def cut() -> bool:
            nonlocal peak
            peak = max(peak, process.memory_info().rss)
            return len(process.net_connections()) <= 3  # the listener and two that idle clients keep open

        eventually(lambda: cut() or not _is_live(chat, thread_id), what="the end of the run")
        eventually(cut, what="the end of their connections")
    finally:
        for wire in stuck:
            wire.close()
    # The run itself keeps what it adds up to, for those who join it.
    each = (peak - before - SIZE * MESSAGES) / STUCK
    assert each < 2_000_000, f"{each:,.0f} bytes for each such reader"


def test_a_reader_that_was_cut_resumes_and_misses_nothing(torrent: ProcessServer) -> None:
    chat = torrent.backend.chat()
    with Wire(chat, "threads.create", input=message("cut"), receive_buffer=4096) as wire:
        first = frames_in(named(wire.read(100_000)))
        thread_id = first[0].event["thread"]["id"] if first[0].event else ""
        eventually(lambda: not _is_live(chat, thread_id), what="the end of the run")
    rest = chat.stream("threads.resume", thread_id=thread_id, starting_after=first[-1].id)
    turn = WholeTurn([*first, *rest])
    assert [frame.sequence for frame in turn.frames[:-1]] == list(range(1, len(turn.frames)))
    said = [item["content"][0]["text"] for item in turn.done("assistant_message")]
    assert said == [f"{number:05d}" * (SIZE // 5) for number in range(MESSAGES)]
    assert turn.outcome == "completed"


def test_a_reader_that_fell_behind_is_not_left_hanging_when_its_thread_is_deleted(torrent: ProcessServer) -> None:
    chat = torrent.backend.chat()
    with Wire(chat, "threads.create", input=message("much"), receive_buffer=65536) as wire:
        first = frames_in(named(wire.read(100_000)))
        thread_id = first[0].event["thread"]["id"] if first[0].event else ""
        eventually(lambda: not _is_live(chat, thread_id), what="the end of the run")
        chat.call("threads.delete", thread_id=thread_id)
        reading = threading.Thread(target=_read_on, args=(wire,))
        reading.start()
        reading.join(10)
        ended = not reading.is_alive()
        wire.hang_up()
        reading.join()
    assert ended, "the stream of a deleted thread went on"


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


def test_readers_that_come_and_go_leave_nothing_behind(
    server: ThreadServer, chat: Chat, stage: Stage, text: str
) -> None:
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


def _is_live(chat: Chat, thread_id: str) -> bool:
    return "active_run" in chat.call("threads.get_by_id", thread_id=thread_id)


def _read_on(wire: Wire) -> None:
    with contextlib.suppress(OSError, HTTPException):
        wire.rest()
