"""Threads: locked and closed ones, and what a workflow changes about its own."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from chatkit import types

from chatdock import Turn
from tests.chat.conftest import Stage, said
from tests.chat.shapes import Script, call, done, form, passed, widget
from tests.harness.client import CANARY, ApiFailure, Chat
from tests.harness.client import Turn as Streamed

STATUSES: dict[str, types.ThreadStatus] = {
    "locked": types.LockedStatus(reason="A colleague takes over."),
    "closed": types.ClosedStatus(reason="Solved."),
}


async def presses(turn: Turn) -> types.ThreadItem | None:
    raise AssertionError("not on a thread that takes no input")


def ended(stage: Stage, status: types.ThreadStatus) -> tuple[Chat, str, dict[str, dict[str, Any]]]:
    """A thread that takes no input any more: client, thread, and every input that might be tried."""

    async def ends(turn: Turn) -> Script:
        yield done(widget(turn))
        yield done(form(turn))
        turn.thread.status = status
        yield done(call(turn))

    chat = stage.chat(ends, part={"sync_action": presses})
    turn = chat.create()
    thread_id = turn.thread_id
    sender = turn.done("widget")[0]["id"]
    attempts: dict[str, dict[str, Any]] = {
        "threads.add_user_message": said(),
        "threads.add_client_tool_output": {"result": 1},
        "threads.add_structured_input": {"item_id": turn.done("structured_input")[0]["id"], "input": {}},
        "threads.retry_after_item": {"item_id": turn.done("user_message")[0]["id"]},
        "threads.custom_action": {"item_id": sender, "action": {"type": "go"}},
        "threads.sync_custom_action": {"item_id": sender, "action": {"type": "go"}},
    }
    return chat, thread_id, {name: {"thread_id": thread_id, **params} for name, params in attempts.items()}


@pytest.mark.parametrize("kind", STATUSES)
def test_a_locked_or_closed_thread_refuses_input_with_its_reason_and_stays_readable(stage: Stage, kind: str) -> None:
    status = STATUSES[kind]
    chat, thread_id, attempts = ended(stage, status)
    before = chat.items(thread_id)
    for operation, params in attempts.items():
        response = chat.post(operation, params)
        assert response.status_code == 409, operation
        assert response.json()["error"] == {
            "message": f"Thread '{thread_id}' is {kind}: {status.model_dump()['reason']}",
            "type": "invalid_request_error",
            "param": "params.thread_id",
            "code": f"thread_{kind}",
        }
    assert chat.items(thread_id) == before
    thread = chat.call("threads.get_by_id", thread_id=thread_id)
    assert thread["status"] == status.model_dump()
    assert thread["items"]["data"] == before
    assert chat.call("threads.list")["data"][0]["status"] == status.model_dump()
    assert stage.backend.get(f"threads/{thread_id}")["status"] == status.model_dump()
    assert chat.call("items.feedback", thread_id=thread_id, item_ids=[before[0]["id"]], kind="positive") == {}
    assert chat.call("threads.update", thread_id=thread_id, title="Archived")["title"] == "Archived"
    assert chat.call("threads.delete", thread_id=thread_id) == {}


def test_a_thread_may_be_locked_without_a_reason(stage: Stage) -> None:
    chat, thread_id, _ = ended(stage, types.LockedStatus())
    with pytest.raises(ApiFailure) as failure:
        chat.send(thread_id)
    assert failure.value.error["message"] == f"Thread '{thread_id}' is locked."
    assert chat.call("threads.get_by_id", thread_id=thread_id)["status"] == {"type": "locked"}
    assert stage.backend.get(f"threads/{thread_id}")["status"] == {"type": "locked", "reason": None}


def test_what_a_workflow_changes_about_its_thread_is_shown_as_it_happens_and_stored(stage: Stage) -> None:
    async def changes(turn: Turn) -> Script:
        turn.thread.title = "First"
        turn.thread.metadata["note"] = CANARY
        turn.thread.allowed_image_domains = ["img.example.com"]
        yield "One"
        turn.thread.status = types.LockedStatus(reason="For now.")
        yield " two"

    chat = stage.chat(changes)
    turn = chat.create()
    shown = turn.of("thread.updated")[-1]["thread"]
    assert shown.keys() == {"id", "title", "created_at", "status", "allowed_image_domains", "metadata", "items"}
    assert (shown["title"], shown["allowed_image_domains"]) == ("First", ["img.example.com"])
    assert shown["status"] == {"type": "locked", "reason": "For now."}
    stored = chat.call("threads.get_by_id", thread_id=turn.thread_id)
    assert {**stored, "items": None} == {**shown, "items": None}


def test_a_change_inside_of_what_was_shown_is_shown_too(stage: Stage) -> None:
    async def corrects(turn: Turn) -> Script:
        status = types.LockedStatus(reason="Frist")
        turn.thread.status = status
        turn.thread.allowed_image_domains = ["a.example.com"]
        yield "One"
        await turn.history()
        status.reason = "First"
        turn.thread.allowed_image_domains.append("b.example.com")
        yield " two"

    chat = stage.chat(corrects)
    turn = chat.create()
    shown = turn.of("thread.updated")[-1]["thread"]
    assert shown["status"] == {"type": "locked", "reason": "First"}
    assert shown["allowed_image_domains"] == ["a.example.com", "b.example.com"]
    stored = chat.call("threads.get_by_id", thread_id=turn.thread_id)
    assert {**stored, "items": None} == {**shown, "items": None}


def test_metadata_is_there_for_later_turns_alone(stage: Stage) -> None:
    seen: list[dict[str, Any]] = []

    async def counts(turn: Turn) -> Script:
        seen.append(dict(turn.thread.metadata))
        turn.thread.metadata = {"count": turn.thread.metadata.get("count", 0) + 1, "secret": CANARY}
        yield "counted"

    chat = stage.chat(counts)
    thread_id = chat.create().thread_id
    chat.send(thread_id)
    chat.send(thread_id)
    assert [metadata.get("count") for metadata in seen] == [None, 1, 2]
    other = chat.create().thread_id
    assert other != thread_id
    assert seen[-1] == {}


def test_a_thread_that_is_handed_over_as_an_event_counts_as_changed(stage: Stage) -> None:
    async def hands_over(turn: Turn) -> Script:
        changed = turn.thread.model_copy(update={"title": "Handed over", "metadata": {"secret": CANARY}})
        yield types.ThreadUpdatedEvent(thread=types.Thread(**changed.model_dump(), items=types.Page()))
        yield "ok"

    chat = stage.chat(hands_over)
    turn = chat.create()
    assert turn.of("thread.updated")[-1]["thread"]["title"] == "Handed over"
    assert chat.call("threads.get_by_id", thread_id=turn.thread_id)["title"] == "Handed over"


def test_a_users_rename_during_a_turn_is_not_undone_by_what_the_workflow_changes(stage: Stage) -> None:
    gate = threading.Event()

    async def notes(turn: Turn) -> Script:
        yield "begun"
        await passed(gate)
        turn.thread.metadata["secret"] = CANARY
        turn.thread.allowed_image_domains = ["img.example.com"]
        yield ", done"

    chat = stage.chat(notes, chatkit_configuration={"automatic_thread_titling": {"enabled": False}})
    with chat.open("threads.create", said()) as frames:
        first = next(frames)
        assert first.event is not None
        thread_id = first.event["thread"]["id"]
        next(frame for frame in frames if "begun" in repr(frame.event))
        chat.call("threads.update", thread_id=thread_id, title="The user's own")
        gate.set()
        rest = Streamed(list(frames))
    assert chat.call("threads.get_by_id", thread_id=thread_id)["title"] == "The user's own"
    assert [event["thread"].get("title") for event in rest.of("thread.updated")] == ["The user's own"]
