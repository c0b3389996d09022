"""A tab that joins a live run without an id gets the turn so far as a snapshot, then the rest, and shows the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from chatdock.protocol import frames, snapshot
from tests.harness.client import Chat, Frame, Turn
from tests.harness.server import eventually
from tests.runs.folding import fold
from tests.runs.recording import played
from tests.runs.stage import Stage
from tests.runs.wire import Reader, Wire, creating, frames_in, named, resuming


def test_whenever_a_tab_joins_it_shows_what_the_whole_stream_adds_up_to(chat: Chat, stage: Stage, text: str) -> None:
    joined: list[Reader] = []
    whole: Reader | None = None
    for reader, frame in played(chat, stage, text):
        whole = reader
        if frame.id and not reader.ended:
            joined.append(resuming(chat, reader.turn.thread_id))
    assert whole is not None
    expected = fold(whole.frames)
    assert len(expected["items"]) >= 5
    shorter = 0
    for tab in joined:
        turn = tab.wait()
        if tab.status == 404:  # the run had ended by then
            continue
        assert tab.status == 200, tab.received
        assert fold(turn.frames) == expected
        assert turn.outcome == "completed"
        shorter += len(turn.frames) < len(whole.frames)
    assert shorter > 20


def test_a_snapshot_is_what_the_stream_added_up_to_at_its_id(chat: Chat, stage: Stage, text: str) -> None:
    compared = 0
    for reader, frame in played(chat, stage, text):
        if frame.id is None or reader.ended or frame.id != reader.frames[-1].id:
            continue
        snapshot = _snapshot(chat, reader.turn.thread_id)
        if snapshot is None:
            continue
        seen = [one for one in reader.frames if one.id and one.sequence <= snapshot[-1].sequence]
        assert snapshot[-1].id == seen[-1].id
        assert fold(snapshot) == fold(seen)
        compared += 1
    assert compared > 20


def test_a_client_that_joined_resumes_with_the_id_of_its_snapshot(chat: Chat, stage: Stage, text: str) -> None:
    reader = creating(chat, text)
    stage.say(text, "one ", "two ")
    reader.wait_for(lambda turn: turn.text == "one two ")
    snapshot = _snapshot(chat, reader.turn.thread_id)
    assert snapshot is not None
    rest = resuming(chat, reader.turn.thread_id, snapshot[-1].id)
    stage.end(text, "three")
    whole = reader.wait()
    assert rest.wait().frames == [
        frame for frame in whole.frames if not frame.id or frame.sequence > snapshot[-1].sequence
    ]
    assert fold([*snapshot, *rest.frames]) == fold(whole.frames)


def test_two_tabs_that_join_at_once_see_the_same(chat: Chat, stage: Stage, text: str) -> None:
    reader = creating(chat, text)
    stage.say(text, "before ")
    reader.wait_for(lambda turn: turn.text == "before ")
    tabs = [resuming(chat, reader.turn.thread_id) for _ in range(2)]
    for tab in tabs:
        tab.wait_for(lambda turn: turn.of("thread.item.added"))
    stage.say(text, "both ")
    for tab in tabs:
        tab.wait_for(lambda turn: turn.text.endswith("both "))
    stage.end(text, "after")
    first, second = (tab.wait().frames for tab in tabs)
    assert first == second
    assert fold(first) == fold(reader.wait().frames)


def test_a_thread_names_its_live_run_while_it_lives(chat: Chat, stage: Stage, text: str) -> None:
    reader = creating(chat, text)
    stage.say(text, "so far")
    turn = reader.wait_for(lambda turn: turn.text)
    last = reader.frames[-1]
    active = chat.call("threads.get_by_id", thread_id=turn.thread_id)["active_run"]
    assert active == {"id": turn.run_id, "sequence": last.sequence}
    stage.end(text)
    reader.wait()
    eventually(lambda: "active_run" not in chat.call("threads.get_by_id", thread_id=turn.thread_id))


def _snapshot(chat: Chat, thread_id: str) -> list[Frame] | None:
    """What a tab that joins is shown first; None when the run has ended."""
    with Wire(chat, "threads.resume", thread_id=thread_id) as wire:
        if wire.begin() == 404:
            return None
        while True:
            wire.read_some()
            head, found, tail = named(wire.received).partition(b"\n\nid: ")
            if found:  # behind the last of a snapshot's frames, which are fewer than its number says
                return frames_in(head + found + tail.partition(b"\n\n")[0] + b"\n\n")


def test_a_tab_that_joins_in_the_moment_of_the_end_sees_the_end(chat: Chat, stage: Stage, text: str) -> None:
    joined = 0
    for number in range(60):
        stage.say(f"{text}.{number}", "so far")
        reader = creating(chat, f"{text}.{number}")
        turn = reader.wait_for(lambda turn: turn.text)
        stage.end(f"{text}.{number}")
        tab = resuming(chat, turn.thread_id)
        seen = tab.wait()
        if tab.status == 200:
            joined += 1
            assert seen.outcome == "completed"
            assert fold(seen.frames) == fold(reader.wait().frames)
    assert joined > 10


def test_joining_does_not_fold_the_run_again(
    chat: Chat, stage: Stage, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def counted(data: bytes) -> Iterator[Any]:
        for event in payloads(data):
            read.append(1)
            yield event

    payloads = frames.payloads
    reader = creating(chat, text)
    for number in range(50):
        stage.say(text, f"{number} ")
        said = "".join(f"{each} " for each in range(number + 1))
        reader.wait_for(partial(_says, said))
    monkeypatch.setattr(snapshot, "payloads", counted)
    for _ in range(5):
        tab = resuming(chat, reader.turn.thread_id)
        tab.wait_for(lambda turn: turn.of("thread.item.added"))
        assert fold(tab.frames) == fold(reader.frames)
        tab.drop()
    assert len(read) == 0
    stage.end(text)
    assert reader.wait().outcome == "completed"


def _says(text: str, turn: Turn) -> bool:
    return turn.text == text
