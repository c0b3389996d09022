"""Whatever way a client reads server-sent events, it gets all of a turn, and no more of it when it resumes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.client import Chat, Json
from tests.runs.recording import played
from tests.runs.stage import Stage
from tests.runs.wire import Wire, frames_in

WIRE = Path(__file__).parent.parent / "data" / "wire"

Seen = tuple[list[Json], str, int]
"""The events, the last id, and how many events came behind it."""


def blocks(data: bytes) -> Seen:
    """Splits at blank lines and takes the blocks that begin with `data: `; knows nothing of ids."""
    whole = data.decode(errors="ignore").split("\n\n")[:-1]
    events = [json.loads(block.removeprefix("data: ")) for block in whole if block.startswith("data: ")]
    return events, "", len(events)


def lines(data: bytes) -> Seen:
    """Takes a line at a time, each for itself."""
    events: list[Json] = []
    last, behind = "", 0
    for line in data.decode(errors="ignore").split("\n")[:-1]:
        if line.startswith("data:"):
            events.append(json.loads(line[5:]))
            behind += 1
        elif line.startswith("id:"):
            last, behind = line[3:].strip(), 0
    return events, last, behind


def event_source(data: bytes) -> Seen:
    """The algorithm of the HTML standard, "interpreting an event stream"."""
    events: list[Json] = []
    buffer, id_buffer, last, behind = "", "", "", 0
    for line in data.decode(errors="ignore").removeprefix("\ufeff").split("\n")[:-1]:
        if line == "":
            if id_buffer != last:
                last, behind = id_buffer, 0
            if buffer:
                events.append(json.loads(buffer.removesuffix("\n")))
                behind += 1
            buffer = ""
        elif not line.startswith(":"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                buffer += value + "\n"
            elif field == "id" and "\0" not in value:
                id_buffer = value
            else:
                raise AssertionError(f"a field that nobody needs: {line!r}")
    return events, last, behind


KINDS = pytest.mark.parametrize("read", [blocks, lines, event_source])


@KINDS
@pytest.mark.parametrize("path", sorted(WIRE.glob("*.sse")), ids=lambda path: str(path.stem))
def test_every_kind_of_reader_sees_every_event(read: Callable[[bytes], Seen], path: Path) -> None:
    data = path.read_bytes()
    events, last, behind = read(data)
    assert events == [frame.event for frame in frames_in(data) if frame.event]
    assert events[0]["type"] == "thread.created"
    assert not last or (int(last.rpartition(":")[2]), behind) == (len(events), 0)


@KINDS
def test_a_reader_that_was_cut_anywhere_has_every_event_once_after_it_resumed(
    read: Callable[[bytes], Seen], chat: Chat, stage: Stage, text: str
) -> None:
    reader = [reader for reader, _ in played(chat, stage, text)][-1]
    whole, turn = reader.received, reader.turn
    rest_after: dict[str, list[Json]] = {}
    for size in range(len(whole) + 1):
        events, last, behind = read(whole[:size])
        if last not in rest_after:
            sent = {"last-event-id": last or f"{turn.run_id}:0"}
            with Wire(chat, "threads.resume", thread_id=turn.thread_id, headers=sent) as again:
                rest_after[last] = read(again.rest())[0]
        assert events + rest_after[last][behind:] == turn.events, f"cut after {size} bytes"
