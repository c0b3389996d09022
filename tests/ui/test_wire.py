"""The bytes that the server and the element share: what the server writes is read by `ui/tests/wire.test.ts`, what the
element sends is read here. `REWRITE_WIRE=1` writes the streams anew.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import anyio
import orjson
import pytest
from chatkit import types

from chatdock.protocol import frames, ids
from chatdock.protocol.operations import NAMES, OPERATION
from chatdock.protocol.snapshot import Snapshot
from chatdock.runs.execution import Execution
from chatdock.runs.log import LiveRun
from chatdock.runs.recorder import Recorder
from chatdock.runs.work import Work, make_turn
from chatdock.storage.database import Database
from chatdock.storage.times import Clock
from chatdock.workflows.showcase import COMMANDS, showcase
from tests.harness.client import Json

pytestmark = pytest.mark.anyio

WIRE = Path(__file__).parent.parent / "data" / "wire"
TIME = "2026-01-01T00:00:00Z"
COMMANDS_KEPT = (
    "text 12 1ms",
    "markdown 0ms",
    "unicode 0ms",
    "annotations 1ms",
    "parts",
    "progress 1ms",
    "notice",
    "effect",
    "reasoning 1ms",
    "workflow 1ms",
    "task",
    "image 1ms",
    "widget",
    "stream-widget 1ms",
    "mixed",
    "tool",
    "input",
    "title Tides",
    "images example.com",
    "lock For the night",
    "hidden",
    "replace 1ms",
    "remove 1ms",
    "end",
    "empty message",
    "error partial",
    "error stream",
    "error event retry partial",
    "crash partial",
)
"""Each kind of item, event and update, as one turn each."""


class Disk:
    """A database that takes everything at once and keeps nothing."""

    def submit(self, work: object) -> asyncio.Future[bool]:
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        stored.set_result(True)
        return stored

    async def write(self, work: object) -> bool:
        return True


async def stream(line: str) -> bytes:
    """The frames of a turn that answers `line`, as clients get them; ids and times are as they come."""
    now = datetime.now(UTC)
    thread = types.ThreadMetadata(id=ids.thread_id(), created_at=now)
    message = types.UserMessageItem(
        id=ids.item_id(),
        thread_id=thread.id,
        created_at=now,
        content=[types.UserMessageTextContent(text=line)],
        inference_options=types.InferenceOptions(),
    )
    opening = [
        frames.thread_event("thread.created", thread),
        frames.item_event("thread.item.done", frames.dump(message)),
        frames.dump(types.StreamOptionsEvent(stream_options=types.StreamOptions(allow_cancel=True))),
    ]
    run_id = ids.run_id()
    live = LiveRun(run_id, 1, len(opening), frames.batch(run_id, len(opening), opening))
    database = cast("Database", Disk())
    work = Work(
        kind="message",
        item_id=message.id,
        user_id="user_1",
        project_id="default",
        workflow_id=showcase.id,
        workflow_version=None,
        titling=False,
    )
    turn = make_turn(
        database,
        work,
        session_id="cksess_1",
        thread=thread,
        item=message,
        saved_state="{}",
        variables=None,
        hidden_ids=(),
    )
    execution = Execution(
        run_id, turn, work, time_limit=60, on_end=lambda _: None, on_late_title=no_title, spawn=lambda _: None
    )
    recorder = Recorder(
        database,
        live,
        turn,
        clock=Clock(),
        fence=1,
        output_limit=16_777_216,
        on_answer=lambda: None,
        on_failure=execution.lost,
    )
    execution.start(showcase, recorder)
    with anyio.fail_after(30):
        await execution.ended()
    written = live.since(0)
    assert written is not None
    return written


async def no_title(title: str) -> None:
    raise AssertionError(f"a title was made: {title}")


def fixed(data: bytes) -> bytes:
    """With the ids numbered in the order in which they appear, and every item at the same time."""
    numbers: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"{found[1]}_{len(numbers) + 1:036x}")

    text = re.sub(r"\b(cthr|cti|crun)_[0-9a-f]{36}\b", number, data.decode())
    return re.sub(r'("created_at":)"[^"]+"', rf'\1"{TIME}"', text).encode()


def folded(data: bytes) -> Json:
    """What a client has at the end, and of each item that was still being written what it had just before it was done,
    by the number of the frame that ended it."""
    snapshot = Snapshot()
    drafts: Json = {}
    for number, event in enumerate(frames.payloads(data), 1):
        item_id = event.get("item", {}).get("id")
        if event["type"] == "thread.item.done" and item_id in snapshot.drafts:
            drafts[str(number)] = orjson.loads(orjson.dumps(snapshot.items[item_id]))
        snapshot.apply(b"data: %b\n\n" % orjson.dumps(event))
    return {"outcome": frames.outcome(data), "items": list(snapshot.items.values()), "drafts": drafts}


def name_of(line: str) -> str:
    words = [word for word in line.split() if not re.fullmatch(r"\d+(ms)?", word)]
    return "-".join(re.sub(r"\W", "", word.lower()) for word in words[:3])


@pytest.mark.parametrize("line", COMMANDS_KEPT, ids=name_of)
async def test_the_server_writes_the_stored_bytes(line: str) -> None:
    data = fixed(await stream(line))
    result = json.dumps(folded(data), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    stored, result_stored = WIRE / f"{name_of(line)}.sse", WIRE / f"{name_of(line)}.json"
    if os.environ.get("REWRITE_WIRE"):
        stored.write_bytes(data)
        result_stored.write_text(result, encoding="utf-8")
    assert data == stored.read_bytes()
    assert result == result_stored.read_text(encoding="utf-8")


def test_every_stored_stream_is_written_by_some_command() -> None:
    assert {path.stem for path in WIRE.glob("*.sse")} == {name_of(line) for line in COMMANDS_KEPT}
    assert {line.split()[0] for line in COMMANDS_KEPT} <= COMMANDS.keys()


def requests() -> list[Json]:
    loaded: list[Json] = json.loads((WIRE / "requests.json").read_text(encoding="utf-8"))
    return loaded


@pytest.mark.parametrize("request_", requests(), ids=lambda request: request["name"])
def test_the_server_reads_what_the_element_sends(request_: Json) -> None:
    body = request_["body"]
    read = OPERATION.validate_json(json.dumps(body))
    assert read.type == body["type"]
    assert kept(read.params.model_dump(mode="json", by_alias=True), body["params"]) == body["params"]


def kept(read: Any, sent: Any) -> Any:
    """Of what was read the members that were sent: defaults that the server adds are its own affair."""
    if isinstance(sent, dict) and isinstance(read, dict):
        return {name: kept(read[name], value) for name, value in sent.items() if name in read}
    if isinstance(sent, list) and isinstance(read, list):
        return [kept(a, b) for a, b in zip(read, sent, strict=True)]
    return read


def test_the_element_sends_every_operation() -> None:
    assert {request["body"]["type"] for request in requests()} == NAMES
