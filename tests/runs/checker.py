"""Reads a database after the fact and tells what is wrong with it. Shares no code with the product."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ENDED = {"waiting", "completed", "failed", "cancelled"}
HIDDEN = {"hidden_context_item", "sdk_hidden_context"}


NamedFrame = tuple[str | None, bytes]
"""A frame without its blank line, and the id that it has by the `id:` block behind it."""


@dataclass
class Sent:
    """A message as its client remembers it."""

    text: str
    thread_id: str | None = None
    acknowledged: bool = False
    frames: dict[str, bytes] = field(default_factory=dict)
    outcome: str | None = None
    """The terminal frame that it saw."""


def violations(database: Path, history: list[Sent], *, one_at_a_time: bool = True) -> list[str]:
    """Every broken promise, one a line; nothing when all were kept. All runs must have ended.

    `one_at_a_time`: messages were refused while a run was live, so the runs of a thread do not overlap in time.
    """
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return [*_all(connection, history, one_at_a_time)]
    finally:
        connection.close()


def _all(connection: sqlite3.Connection, history: list[Sent], one_at_a_time: bool) -> Iterator[str]:
    for (verdict,) in connection.execute("PRAGMA integrity_check"):
        if verdict != "ok":
            yield f"integrity: {verdict}"
    runs = connection.execute("SELECT * FROM run ORDER BY created_at, id").fetchall()
    log: dict[str, bytes] = {}
    outcomes: dict[str, str] = {}
    for run in runs:
        frames = _frames(connection, run["id"])
        yield from _check_log(run, frames)
        log |= {name: frame for name, frame in frames if name}
        if frames and frames[-1][1].startswith(b": "):
            outcomes[run["id"]] = frames[-1][1][2:].decode()
    if one_at_a_time:
        yield from _check_one_at_a_time(runs)
    yield from _check_items(connection, runs)
    yield from _check_history(connection, history, log, outcomes)


def _check_log(run: sqlite3.Row, frames: list[NamedFrame]) -> Iterator[str]:
    name = run["id"]
    if run["status"] not in ENDED:
        yield f"{name}: not ended but {run['status']}"
    terminals = [number for number, (_, frame) in enumerate(frames, 1) if frame.startswith(b": ")]
    if len(terminals) != 1:
        yield f"{name}: {len(terminals)} terminal frames"
    elif terminals[0] != len(frames):
        yield f"{name}: the terminal frame is number {terminals[0]} of {len(frames)}"
    elif frames[-1][1] != f": {run['status']}".encode():
        yield f"{name}: ended {frames[-1]!r} but is {run['status']}"
    numbers = [int(found.rpartition(":")[2]) for found, _ in frames if found]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"{name}: a gap or a double in its sequence numbers: {numbers}"
    if any(not found or not found.startswith(f"{name}:") for found, frame in frames if frame[:2] != b": "):
        yield f"{name}: frames with another run's id or none"
    if run["last_sequence"] != len(frames):
        yield f"{name}: last_sequence is {run['last_sequence']} of {len(frames)} frames"


def _check_one_at_a_time(runs: list[sqlite3.Row]) -> Iterator[str]:
    ended: dict[str, tuple[str, int]] = {}
    for run in runs:
        before = ended.get(run["thread_id"])
        if before and before[1] > run["created_at"]:
            yield f"{run['thread_id']}: {run['id']} began while {before[0]} was live"
        ended[run["thread_id"]] = run["id"], run["ended_at"] or 1 << 62


def _check_items(connection: sqlite3.Connection, runs: list[sqlite3.Row]) -> Iterator[str]:
    """The items of a thread are what its runs' events add up to."""
    expected: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for run in runs:
        for _, frame in _frames(connection, run["id"]):
            event = _event(frame)
            if event.get("type") in {"thread.item.done", "thread.item.replaced"}:
                expected[run["thread_id"]][event["item"]["id"]] = event["item"]
            elif event.get("type") == "thread.item.removed":
                expected[run["thread_id"]].pop(event["item_id"], None)
    stored: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for row in connection.execute("SELECT thread_id, id, type, data FROM item"):
        if row["type"] not in HIDDEN:
            stored[row["thread_id"]][row["id"]] = json.loads(row["data"])
    for thread_id in expected.keys() | stored.keys():
        if expected[thread_id] != stored[thread_id]:
            differing = {k for k in expected[thread_id] if stored[thread_id].get(k) != expected[thread_id][k]}
            differing |= stored[thread_id].keys() - expected[thread_id].keys()
            yield f"{thread_id}: items differ from its events: {sorted(differing)}"


def _check_history(
    connection: sqlite3.Connection, history: list[Sent], log: dict[str, bytes], outcomes: dict[str, str]
) -> Iterator[str]:
    """What clients were shown is there."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for row in connection.execute("SELECT thread_id, data FROM item WHERE type = 'user_message'"):
        found["".join(part["text"] for part in json.loads(row["data"])["content"])].append(row["thread_id"])
    for sent in history:
        places = found[sent.text]
        if sent.acknowledged and not places:
            yield f"lost: {sent.text!r} was acknowledged"
        if len(places) > 1:
            yield f"doubled: {sent.text!r} is there {len(places)} times"
        if sent.thread_id and places and places != [sent.thread_id]:
            yield f"misplaced: {sent.text!r} is in {places}, not in {sent.thread_id}"
        for name, frame in sent.frames.items():
            if name not in log:
                yield f"{name}: was seen and is not in the log"
            elif log[name] != frame:
                yield f"{name}: was seen as {frame!r} and is {log[name]!r}"
        for run_id in {name.rpartition(":")[0] for name in sent.frames} if sent.outcome else ():
            if outcomes.get(run_id) != sent.outcome:
                yield f"{run_id}: was seen to end {sent.outcome} and ended {outcomes.get(run_id)}"


def named_frames(data: bytes) -> list[NamedFrame]:
    """The frames of a stream; those behind its last id have none."""
    found: list[NamedFrame] = []
    for block in data.split(b"\n\n")[:-1]:
        if not block.startswith(b"id: "):
            found.append((None, block))
            continue
        run_id, _, last = block[4:].decode().rpartition(":")
        unnamed = [place for place, (name, frame) in enumerate(found) if name is None and frame[:2] != b": "]
        for behind, place in enumerate(reversed(unnamed)):
            found[place] = (f"{run_id}:{int(last) - behind}", found[place][1])
    return found


def _frames(connection: sqlite3.Connection, run_id: str) -> list[NamedFrame]:
    rows = connection.execute("SELECT data FROM frame WHERE run_id = ? ORDER BY first", (run_id,))
    return named_frames(b"".join(row["data"] for row in rows))


def _event(frame: bytes) -> dict[str, Any]:
    _, _, data = frame.partition(b"data: ")
    event: dict[str, Any] = json.loads(data) if data else {}
    return event
