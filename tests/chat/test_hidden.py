"""Hidden context, metadata and state are for the model and the operator: no client sees them on any way.

Everything hidden here holds the canary, which every client of the suite looks for in every byte it receives.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from chatkit import types

from chatdock import Turn
from tests.chat.conftest import Stage, said
from tests.chat.shapes import Script, added, answer, base, delta, done, hidden, passed, sdk_hidden
from tests.harness.client import CANARY, ApiFailure, Chat, Frame
from tests.harness.client import Turn as Streamed

HIDDEN = {"hidden_context_item", "sdk_hidden_context"}
MAKERS = pytest.mark.parametrize("make", [hidden, sdk_hidden])


def look_everywhere(stage: Stage, chat: Chat, thread_id: str, visible: list[str]) -> None:
    """Read the thread on every way there is: the visible items' types alone."""
    assert [item["type"] for item in chat.items(thread_id)] == visible
    assert [item["type"] for item in chat.call("items.list", thread_id=thread_id)["data"]] == visible[::-1]
    thread = chat.call("threads.get_by_id", thread_id=thread_id)
    assert [item["type"] for item in thread["items"]["data"]] == visible
    assert thread["metadata"] == {}
    assert all(listed["metadata"] == {} for listed in chat.call("threads.list")["data"])
    assert chat.call("threads.update", thread_id=thread_id, title="renamed")["metadata"] == {}
    rest = stage.backend.http.get(f"/v1/chatkit/threads/{thread_id}/items").text
    rest += stage.backend.http.get(f"/v1/chatkit/threads/{thread_id}").text
    assert CANARY not in rest
    assert not any(kind in rest for kind in HIDDEN)


@MAKERS
def test_a_hidden_item_is_shown_on_no_event(stage: Stage, make: Any) -> None:
    ids: list[str] = []

    async def whispers(turn: Turn) -> Script:
        item, other = make(turn, CANARY), make(turn, CANARY)
        ids.extend([item.id, other.id])
        yield added(item)
        yield delta(item.id, CANARY)
        yield done(item)
        yield types.ThreadItemReplacedEvent(item=item)
        yield done(other)
        yield types.ThreadItemRemovedEvent(item_id=other.id)
        yield "Nothing to see."

    chat = stage.chat(whispers)
    turn = chat.create()
    assert turn.outcome == "completed"
    assert not any(item_id in repr(turn.events) for item_id in ids)
    assert {e["item"]["type"] for e in turn.events if "item" in e} == {"user_message", "assistant_message"}
    look_everywhere(stage, chat, turn.thread_id, ["user_message", "assistant_message"])


@MAKERS
@pytest.mark.parametrize("event", ["updated", "replaced", "removed"])
def test_a_hidden_item_of_an_earlier_turn_is_shown_on_no_event_either(stage: Stage, make: Any, event: str) -> None:
    made: list[Any] = []

    async def whispers(turn: Turn) -> Script:
        if not made:
            made.append(make(turn, CANARY))
            yield done(made[0])
        elif event == "updated":
            yield delta(made[0].id, CANARY)
        elif event == "replaced":
            yield types.ThreadItemReplacedEvent(item=made[0])
        else:
            yield types.ThreadItemRemovedEvent(item_id=made[0].id)
        yield "Nothing to see."

    chat = stage.chat(whispers)
    thread_id = chat.create().thread_id
    turn = chat.send(thread_id)
    assert turn.outcome == "completed"
    assert made[0].id not in repr(turn.events)
    look_everywhere(stage, chat, thread_id, ["user_message", "assistant_message"] * 2)


def test_metadata_and_state_stay_on_the_server(stage: Stage) -> None:
    async def keeps(turn: Turn) -> Script:
        turn.thread.metadata = {"secret": CANARY}
        turn.state["deep"] = [{"secret": CANARY}]
        yield "Half"
        thread = types.Thread(**turn.thread.model_dump(), items=types.Page())
        thread.title = "Named"
        thread.metadata["more"] = CANARY
        yield types.ThreadUpdatedEvent(thread=thread)
        yield " and half"

    chat = stage.chat(keeps)
    turn = chat.create()
    assert turn.outcome == "completed"
    assert turn.of("thread.updated")
    assert all(event["thread"]["metadata"] == {} for event in turn.of("thread.updated") + turn.of("thread.created"))
    look_everywhere(stage, chat, turn.thread_id, ["user_message", "assistant_message"])


@pytest.mark.parametrize("from_start", [True, False])
def test_a_resumed_stream_shows_nothing_hidden(stage: Stage, from_start: bool) -> None:
    gate = threading.Event()

    async def whispers(turn: Turn) -> Script:
        yield done(hidden(turn, CANARY))
        yield added(hidden(turn, CANARY))
        turn.thread.metadata["secret"] = CANARY
        yield "Before,"
        await passed(gate)
        yield done(sdk_hidden(turn, CANARY))
        yield " after."

    chat = stage.chat(whispers)
    with chat.open("threads.create", said()) as frames:
        first = next(frames)
        assert first.event is not None
        thread_id = first.event["thread"]["id"]
        next(frame for frame in frames if frame.event and "Before," in repr(frame.event))
    after = {"starting_after": first.id} if from_start else {}
    with chat.open("threads.resume", {"thread_id": thread_id, **after}) as frames:
        gate.set()
        resumed = Streamed(list(frames))
    assert resumed.outcome == "completed"
    assert not HIDDEN & {e["item"]["type"] for e in resumed.events if "item" in e}
    look_everywhere(stage, chat, thread_id, ["user_message", "assistant_message", "assistant_message"])


def test_a_run_can_be_replayed_after_its_end_and_shows_nothing_hidden(stage: Stage) -> None:
    chat = stage.chat()
    turn = chat.create()
    replayed = Streamed(chat.stream("threads.resume", thread_id=turn.thread_id, starting_after=f"{turn.run_id}:0"))
    assert replayed.frames == turn.frames


def test_the_note_that_a_cancelled_turn_leaves_for_the_model_is_hidden(stage: Stage) -> None:
    notes: list[Any] = []

    async def endless(turn: Turn) -> Script:
        notes.extend(item for item in await turn.history() if item.type == "sdk_hidden_context")
        yield "Well,"
        if not notes:
            await asyncio.sleep(60)

    chat = stage.chat(endless)
    seen: list[Frame] = []
    with chat.open("threads.create", said()) as frames:
        for frame in frames:
            seen.append(frame)
            if "delta" in repr(frame.event):
                chat.call("threads.cancel", thread_id=Streamed(seen).thread_id)
    thread_id = Streamed(seen).thread_id
    look_everywhere(stage, chat, thread_id, ["user_message", "assistant_message"])
    chat.send(thread_id)
    assert len(notes) == 1


def naming(thread_id: str, item_id: str) -> dict[str, dict[str, Any]]:
    """Every operation that names an item, naming this one."""
    where = {"thread_id": thread_id, "item_id": item_id}
    return {
        "threads.retry_after_item": where,
        "threads.add_structured_input": {**where, "input": {}},
        "threads.custom_action": {**where, "action": {"type": "go"}},
        "threads.sync_custom_action": {**where, "action": {"type": "go"}},
        "items.feedback": {"thread_id": thread_id, "item_ids": [item_id], "kind": "positive"},
        "items.list": {"thread_id": thread_id, "after": item_id},
    }


def test_a_hidden_item_is_no_cursor_and_no_target(stage: Stage) -> None:
    ids: list[str] = []

    async def whispers(turn: Turn) -> Script:
        item = hidden(turn, CANARY)
        ids.append(item.id)
        yield done(item)
        yield "Nothing to see."

    chat = stage.chat(whispers)
    thread_id = chat.create().thread_id
    for operation, params in naming(thread_id, ids[0]).items():
        refused = chat.post(operation, params)
        missing = chat.post(operation, naming(thread_id, "cti_missing")[operation])
        assert refused.status_code == missing.status_code == (400 if operation == "items.list" else 404), operation
        assert refused.text.replace(ids[0], "cti_missing") == missing.text
    rest = stage.backend.http.get(f"/v1/chatkit/threads/{thread_id}/items", params={"after": ids[0]})
    assert rest.status_code == 400


def test_pages_are_filled_past_hidden_items(stage: Stage) -> None:
    async def whispers(turn: Turn) -> Script:
        for n in range(30):
            yield done(hidden(turn, CANARY))
            yield done(answer(turn, str(n)))

    chat = stage.chat(whispers)
    thread_id = chat.create().thread_id
    page = chat.call("items.list", thread_id=thread_id, limit=31, order="asc")
    assert len(page["data"]) == 31
    assert not page["has_more"]
    assert len(chat.call("threads.get_by_id", thread_id=thread_id)["items"]["data"]) == 20
    assert len(stage.backend.get(f"threads/{thread_id}/items", limit=31)["data"]) == 31


async def _fails(turn: Turn) -> Script:
    yield "Well,"
    raise RuntimeError(f"{CANARY} {turn.state}")


def _title_fails(turn: Turn) -> str | None:
    raise RuntimeError(CANARY)


async def _sync_fails(turn: Turn) -> types.ThreadItem | None:
    raise RuntimeError(CANARY)


async def _sync_hides(turn: Turn) -> types.ThreadItem | None:
    turn.state["secret"] = turn.thread.metadata["secret"] = CANARY
    return types.HiddenContextItem(**base(turn, content=CANARY))


def test_what_failed_inside_is_not_told_outside(stage: Stage) -> None:
    chat = stage.chat(_fails, part={"title": _title_fails, "action": _fails, "sync_action": _sync_fails})
    turn = chat.create()
    assert turn.outcome == "failed"
    action: Any = {"thread_id": turn.thread_id, "action": {"type": "go", "payload": {}}}
    assert Streamed(chat.stream("threads.custom_action", **action)).outcome == "failed"
    with pytest.raises(ApiFailure):
        chat.call("threads.sync_custom_action", **action)


def test_a_hidden_item_that_a_sync_action_returns_is_stored_and_not_shown(stage: Stage) -> None:
    chat = stage.chat(part={"sync_action": _sync_hides})
    thread_id = chat.create().thread_id
    assert chat.call("threads.sync_custom_action", thread_id=thread_id, action={"type": "go"}) == {}
    look_everywhere(stage, chat, thread_id, ["user_message", "assistant_message"])
