"""Whoever reconnects with the id of the last frame ends with the same events, once each and in order."""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from chatdock.runs.log import RunLog
from tests.harness.client import ApiFailure, Chat, Turn
from tests.harness.server import ThreadServer, eventually, serving
from tests.runs.recording import played
from tests.runs.stage import Stage
from tests.runs.wire import Reader, Wire, complete, creating, frames_in, joined, last_id, resuming

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def recorded(server: ThreadServer, stage: Stage) -> tuple[Chat, Turn, bytes]:
    """A turn that has ended: its user, its frames, its bytes."""
    chat = server.backend.chat("recorder")
    reader = [reader for reader, _ in played(chat, stage, "recorded")][-1]
    assert reader.turn.outcome == "completed"
    assert len(reader.frames) > 35
    return chat, reader.turn, reader.received


def test_a_client_that_is_cut_after_any_event_sees_the_rest_live(chat: Chat, stage: Stage, text: str) -> None:
    followers: list[tuple[int, Reader]] = []
    whole: Reader | None = None
    for number, (reader, frame) in enumerate(played(chat, stage, text), 1):
        whole = reader
        if frame.id:
            followers.append((number, resuming(chat, reader.turn.thread_id, frame.id)))
    assert whole is not None
    assert len(followers) == len(whole.frames) - 1
    for number, follower in followers:
        assert follower.wait().frames == whole.frames[number:]


def test_a_client_that_is_cut_after_every_event_sees_every_event_once(chat: Chat, stage: Stage, text: str) -> None:
    seen = b""
    whole = None
    for reader, frame in played(chat, stage, text):
        whole = reader
        if frame.id is None or frame.sequence <= len(frames_in(seen)):
            continue
        after = last_id(seen) or f"{frame.run_id}:0"
        with Wire(chat, "threads.resume", thread_id=reader.turn.thread_id, starting_after=after) as cut:
            assert cut.read_some()
            seen = joined(seen, complete(cut.received))
    assert whole is not None
    if frames_in(seen)[-1].comment is None:
        after = last_id(seen) or ""
        with Wire(chat, "threads.resume", thread_id=whole.turn.thread_id, starting_after=after) as end:
            seen = joined(seen, end.rest())
    assert seen == whole.received


def test_a_client_that_is_cut_at_any_byte_of_a_live_stream_sees_every_event_once(
    chat: Chat, stage: Stage, text: str
) -> None:
    chance = random.Random(7)
    cuts: list[bytes] = []
    whole = None
    for reader, frame in played(chat, stage, text):
        whole = reader
        if frame.id is None or frame.sequence < 4:
            continue
        size = chance.randrange(1, len(reader.received) + 1)
        with Wire(chat, "threads.resume", thread_id=reader.turn.thread_id, starting_after=f"{frame.run_id}:0") as cut:
            cuts.append(cut.read(size))
    assert whole is not None
    for seen in cuts:
        assert whole.received.startswith(seen)
        after = last_id(seen) or f"{whole.turn.run_id}:0"
        with Wire(chat, "threads.resume", thread_id=whole.turn.thread_id, starting_after=after) as again:
            assert joined(seen, again.rest()) == whole.received


def test_a_client_that_is_cut_at_any_byte_sees_every_event_once_after_the_run_has_ended(
    recorded: tuple[Chat, Turn, bytes],
) -> None:
    chat, turn, whole = recorded
    for size in range(1, len(whole), 17):
        with Wire(chat, "threads.resume", thread_id=turn.thread_id, starting_after=f"{turn.run_id}:0") as cut:
            kept = cut.read(size)
        after = last_id(kept) or f"{turn.run_id}:0"
        with Wire(chat, "threads.resume", thread_id=turn.thread_id, starting_after=after) as again:
            assert joined(kept, again.rest()) == whole, f"cut after {size} bytes"


def test_between_a_frame_and_its_id_and_inside_the_id_a_cut_loses_and_doubles_nothing(
    recorded: tuple[Chat, Turn, bytes],
) -> None:
    chat, turn, whole = recorded
    rest_after: dict[str, bytes] = {}
    for match in re.finditer(rb"id: [^\n]+\n\n", whole):
        for size in range(match.start() - 2, match.end() + 1):
            kept = whole[:size]
            after = last_id(kept) or f"{turn.run_id}:0"
            if after not in rest_after:
                with Wire(chat, "threads.resume", thread_id=turn.thread_id, starting_after=after) as again:
                    rest_after[after] = again.rest()
            assert joined(kept, rest_after[after]) == whole, f"cut after {size} bytes"
    assert len(rest_after) > 20


def test_a_resume_in_the_middle_of_what_was_stored_at_once_begins_with_the_next_event(
    recorded: tuple[Chat, Turn, bytes],
) -> None:
    chat, turn, whole = recorded
    blocks = whole.split(b"\n\n")
    events = [number for number, block in enumerate(blocks) if block.startswith(b"data: ")]
    assert any(later - number == 1 for number, later in pairwise(events)), "no batch holds two frames"
    for number, place in enumerate(events, 1):
        rest = blocks[place + 1 :]
        if rest[0].startswith(b"id: "):
            del rest[0]
        after = f"{turn.run_id}:{number}"
        with Wire(chat, "threads.resume", thread_id=turn.thread_id, starting_after=after) as again:
            assert again.rest() == b"\n\n".join(rest)


def test_last_event_id_says_the_same_as_starting_after(recorded: tuple[Chat, Turn, bytes]) -> None:
    chat, turn, _ = recorded
    for number, frame in enumerate(turn.frames[:-1], 1):
        assert frame.id is not None
        rest = chat.stream("threads.resume", headers={"last-event-id": frame.id}, thread_id=turn.thread_id)
        assert rest == turn.frames[number:]


def test_a_run_can_be_resumed_from_every_event_after_a_restart(tmp_path: Path, stage: Stage, text: str) -> None:
    with serving(tmp_path, [stage.workflow]) as first:
        chat = first.backend.chat()
        turn = [reader for reader, _ in played(chat, stage, text)][-1].turn
    with serving(tmp_path, [stage.workflow]) as second:
        chat = second.backend.chat()
        for number, frame in enumerate(turn.frames[:-1], 1):
            rest = chat.stream("threads.resume", thread_id=turn.thread_id, starting_after=frame.id)
            assert rest == turn.frames[number:]


def test_events_that_an_older_version_stored_are_read_as_those_of_today(
    tmp_path: Path, stage: Stage, text: str
) -> None:
    with serving(tmp_path, [stage.workflow]) as first:
        chat = first.backend.chat()
        reader = [reader for reader, _ in played(chat, stage, text)][-1]
        turn, whole = reader.turn, reader.received
    assert _store_as_before(tmp_path) > 20
    with serving(tmp_path, [stage.workflow]) as second:
        chat = second.backend.chat()
        for number in range(len(turn.frames)):
            after = f"{turn.run_id}:{number}"
            rest = chat.stream("threads.resume", thread_id=turn.thread_id, starting_after=after)
            assert rest == turn.frames[number:]
        with Wire(chat, "threads.resume", thread_id=turn.thread_id, starting_after=f"{turn.run_id}:0") as again:
            assert again.rest() == whole


def test_a_run_that_was_live_when_its_server_was_upgraded_ends_and_can_be_resumed(
    tmp_path: Path, stage: Stage, text: str
) -> None:
    stage.say(text, "one ")
    with serving(tmp_path, [stage.workflow]) as first:
        chat = first.backend.chat()
        reader = creating(chat, text)
        seen = reader.wait_for(lambda turn: turn.text)
        stage.end(text, "two")
        reader.wait()
    _store_as_before(tmp_path)
    last = seen.frames[-1].sequence
    with closing(sqlite3.connect(tmp_path / "chatdock.db")) as database, database:
        database.execute("UPDATE run SET status = 'running', owner = 'gone', lease_until = 0, ended_at = NULL")
        database.execute("DELETE FROM frame WHERE first > ?", (last,))
        database.execute("DELETE FROM item WHERE type = 'assistant_message'")
    with serving(tmp_path, [stage.workflow]) as second:
        chat = second.backend.chat()
        for number, frame in enumerate(seen.frames, 1):
            rest = chat.stream("threads.resume", thread_id=seen.thread_id, starting_after=frame.id)
            assert rest[: last - number] == seen.frames[number:last]
            assert Turn(rest[last - number :]).types == ["thread.item.done", "error"]
            assert rest[-1].comment == "failed"
        assert [item["content"][0]["text"] for item in chat.items(seen.thread_id)] == [text, "one "]


def _store_as_before(folder: Path) -> int:
    """Put the id of each stored frame in front of its data, as it was once written; returns the number of batches."""
    with closing(sqlite3.connect(folder / "chatdock.db")) as database, database:
        rows = database.execute("SELECT run_id, first, data FROM frame").fetchall()
        for run_id, first, data in rows:
            blocks = [block for block in data.split(b"\n\n")[:-1] if not block.startswith(b"id: ")]
            older = b"".join(
                block + b"\n\n" if block.startswith(b": ") else b"id: %b:%d\n%b\n\n" % (run_id.encode(), n, block)
                for n, block in enumerate(blocks, first)
            )
            database.execute("UPDATE frame SET data = ? WHERE (run_id, first) = (?, ?)", (older, run_id, first))
    return len(rows)


def test_two_tabs_see_the_same_events(chat: Chat, stage: Stage, text: str) -> None:
    tabs: list[Reader] = []
    whole = None
    for reader, frame in played(chat, stage, text):
        whole = reader
        if frame.id and frame.sequence == 9:
            tabs = [resuming(chat, reader.turn.thread_id, frame.id) for _ in range(2)]
    assert whole is not None
    first, second = (tab.wait().frames for tab in tabs)
    assert first == second == whole.frames[9:]


def test_an_event_that_has_not_happened_yet_cannot_be_resumed_from(recorded: tuple[Chat, Turn, bytes]) -> None:
    chat, turn, _ = recorded
    with pytest.raises(ApiFailure) as failure:
        chat.stream("threads.resume", thread_id=turn.thread_id, starting_after=f"{turn.run_id}:{len(turn.frames) + 1}")
    assert failure.value.status == 400
    assert failure.value.error["param"] == "params.starting_after"
    assert str(len(turn.frames)) in failure.value.error["message"]


@pytest.mark.parametrize(
    "malformed", ["", "7", "run:7", "crun_x:1", "{run}", "{run}:", "{run}:-1", "{run}:1.5", "{run}:x"]
)
def test_a_malformed_id_is_refused(recorded: tuple[Chat, Turn, bytes], malformed: str) -> None:
    chat, turn, _ = recorded
    with pytest.raises(ApiFailure) as failure:
        chat.stream("threads.resume", thread_id=turn.thread_id, starting_after=malformed.format(run=turn.run_id))
    assert failure.value.status == 400
    assert failure.value.error["param"] == "params.starting_after"


def test_unknown_runs_and_those_of_other_threads_are_not_found(
    recorded: tuple[Chat, Turn, bytes], stage: Stage, text: str, server: ThreadServer
) -> None:
    chat, turn, _ = recorded
    stage.end(text, "short")
    other = chat.create(text)
    stranger = server.backend.chat("stranger")
    unknown = f"crun_{'0' * 36}:1"
    for who, thread_id, after in [
        (chat, turn.thread_id, unknown),
        (chat, turn.thread_id, other.frames[0].id),
        (chat, other.thread_id, turn.frames[0].id),
        (stranger, turn.thread_id, turn.frames[0].id),
        (stranger, turn.thread_id, None),
    ]:
        with pytest.raises(ApiFailure) as failure:
            who.stream("threads.resume", thread_id=thread_id, starting_after=after)
        assert failure.value.status == 404


def test_a_thread_without_a_live_run_cannot_be_joined(recorded: tuple[Chat, Turn, bytes]) -> None:
    chat, turn, _ = recorded
    with pytest.raises(ApiFailure) as failure:
        chat.stream("threads.resume", thread_id=turn.thread_id)
    assert failure.value.status == 404
    assert failure.value.error["code"] == "no_live_run"


def test_a_compacted_run_is_not_found_and_its_items_stay(tmp_path: Path, stage: Stage, text: str) -> None:
    stage.end(text, "kept ", "for good")
    with serving(tmp_path, [stage.workflow], run_retention=0, sweep_interval=0.05) as server:
        chat = server.backend.chat()
        turn = chat.create(text)
        _eventually_gone(chat, turn)
        assert [item["type"] for item in chat.items(turn.thread_id)] == ["user_message", "assistant_message"]
        assert "active_run" not in chat.call("threads.get_by_id", thread_id=turn.thread_id)


def test_a_reader_that_is_behind_when_its_run_is_compacted_is_at_the_end(
    tmp_path: Path, stage: Stage, text: str
) -> None:
    stage.end(text, "kept ", "for good")
    with serving(tmp_path, [stage.workflow], run_retention=0, sweep_interval=0.05) as server:
        chat = server.backend.chat()
        turn = chat.create(text)
        _eventually_gone(chat, turn)

        async def read_on() -> bytes | None:
            log = RunLog(server.world.database, keepalive=60, slow_reader_timeout=60)
            with closing(log.follow(turn.run_id)) as follower:
                async with asyncio.timeout(5):
                    return await follower.read()

        assert server.call(read_on) is None


def _eventually_gone(chat: Chat, turn: Turn) -> None:
    rest = whole = turn.frames[1:]

    def gone() -> bool:
        nonlocal rest
        before = rest
        try:
            rest = chat.stream("threads.resume", thread_id=turn.thread_id, starting_after=turn.frames[0].id)
        except ApiFailure as failure:
            return failure.status == 404
        assert before == whole, "events broke off, and were not gone"
        # Dropped while they are read, they break off before the last frame, which makes the client ask again.
        assert rest == whole[: len(rest)], "a part from further on would be a silent gap"
        return False

    eventually(gone)
    for frame in turn.frames[:-1]:
        with pytest.raises(ApiFailure) as failure:
            chat.stream("threads.resume", thread_id=turn.thread_id, starting_after=frame.id)
        assert failure.value.status == 404
