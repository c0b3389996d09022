"""Widget actions: those that stream, and those that answer with one item while a run may be live."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Literal

import pytest
from chatkit import types
from pydantic import BaseModel, ConfigDict

from chatdock import Turn
from tests.chat.conftest import Stage, said
from tests.chat.shapes import Script, answer, card, done, passed, widget
from tests.harness.client import CANARY, ApiFailure, Chat
from tests.harness.client import Turn as Streamed

OPERATIONS = ["threads.custom_action", "threads.sync_custom_action"]
GO = {"type": "go", "payload": {"n": 1}}


async def shows(turn: Turn) -> Script:
    yield done(widget(turn))


async def reports(turn: Turn) -> Script:
    assert turn.action is not None
    sender = turn.sender.id if turn.sender else None
    yield f"{turn.action.type} {turn.action.payload} from {sender}; {turn.message}"


async def rewrites(turn: Turn) -> types.ThreadItem | None:
    """Writes the action's payload into the widget that it came from."""
    assert turn.action is not None
    assert turn.sender is not None
    return types.WidgetItem.model_validate({**turn.sender.model_dump(), "widget": card(str(turn.action.payload))})


async def breaks(turn: Turn) -> Script:
    yield "I shall"
    raise RuntimeError(CANARY)


async def sync_breaks(turn: Turn) -> types.ThreadItem | None:
    turn.state["half"] = "done"
    raise RuntimeError(CANARY)


async def sync_nonsense(turn: Turn) -> Any:
    return "a string"


async def remembers(turn: Turn) -> Script:
    yield ", ".join(item.content[0].text for item in await turn.history() if item.type == "user_message")


def shown(stage: Stage, **part: Any) -> tuple[Chat, str, str]:
    """A user who sees a widget: client, thread and widget."""
    chat = stage.chat(shows, part=part)
    turn = chat.create()
    return chat, turn.thread_id, turn.done("widget")[0]["id"]


@pytest.mark.parametrize("payload", [{"n": 1, "deep": [None, {"x": "y"}]}, [1], "text", 0, None])
def test_a_streaming_action_knows_its_sender_and_its_payload(stage: Stage, payload: Any) -> None:
    chat, thread_id, item_id = shown(stage, action=reports)
    action = {"type": "go", "payload": payload}
    turn = Streamed(chat.stream("threads.custom_action", thread_id=thread_id, item_id=item_id, action=action))
    assert turn.outcome == "completed"
    assert turn.text == f"go {payload} from {item_id}; None"
    assert turn.types[0] == "stream_options"
    assert chat.items(thread_id)[-1]["content"][0]["text"] == turn.text


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    count: int
    kind: Literal["lamp", "bulb"] = "lamp"


async def orders(turn: Turn) -> Script:
    order = turn.payload(Order)
    yield f"{order.count} {order.kind}"


async def sync_orders(turn: Turn) -> types.ThreadItem | None:
    turn.thread.title = f"{turn.payload(Order).count} ordered"
    return None


UNFIT: list[Any] = [None, [], {}, {"count": CANARY}, {"count": 1, "kind": CANARY}, {"count": 1, CANARY: 1}]


@pytest.mark.parametrize("payload", UNFIT)
def test_a_payload_that_does_not_fit_does_nothing_and_tells_nobody_its_values(
    stage: Stage, payload: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    chat, thread_id, item_id = shown(stage, action=orders, sync_action=sync_orders)
    action = {"type": "order", "payload": payload}
    turn = Streamed(chat.stream("threads.custom_action", thread_id=thread_id, item_id=item_id, action=action))
    assert turn.outcome == "failed"
    assert turn.of("error")[0]["message"] == "The action's data does not fit."
    assert not turn.of("error")[0]["allow_retry"]
    response = chat.post("threads.sync_custom_action", {"thread_id": thread_id, "item_id": item_id, "action": action})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "action_failed")
    assert "ordered" not in str(chat.call("threads.get_by_id", thread_id=thread_id))
    logged = "".join(capfd.readouterr())
    assert "payload_unfit" in logged
    assert any(kind in logged for kind in ("model_type", "missing", "int_parsing", "literal_error", "extra_forbidden"))
    assert CANARY not in logged


def test_a_payload_that_fits_is_the_models(stage: Stage) -> None:
    chat, thread_id, item_id = shown(stage, action=orders)
    action = {"type": "order", "payload": {"count": 2, "kind": "bulb"}}
    turn = Streamed(chat.stream("threads.custom_action", thread_id=thread_id, item_id=item_id, action=action))
    assert turn.text == "2 bulb"


def test_an_action_on_an_old_widget_knows_what_was_said_since(stage: Stage) -> None:
    chat, thread_id, item_id = shown(stage, action=remembers)
    chat.send(thread_id, "and then")
    turn = Streamed(chat.stream("threads.custom_action", thread_id=thread_id, item_id=item_id, action=GO))
    assert turn.text == "hello, and then"


def test_an_action_may_come_from_no_item_and_without_a_payload(stage: Stage) -> None:
    chat, thread_id, _ = shown(stage, action=reports)
    turn = Streamed(chat.stream("threads.custom_action", thread_id=thread_id, action={"type": "go"}))
    assert turn.text == "go None from None; None"


def test_a_streaming_action_may_replace_its_widget(stage: Stage) -> None:
    async def replaces(turn: Turn) -> Script:
        item = await rewrites(turn)
        assert item is not None
        yield types.ThreadItemReplacedEvent(item=item)

    chat, thread_id, item_id = shown(stage, action=replaces)
    turn = Streamed(chat.stream("threads.custom_action", thread_id=thread_id, item_id=item_id, action=GO))
    [event] = turn.of("thread.item.replaced")
    assert event["item"]["id"] == item_id
    assert [item["type"] for item in chat.items(thread_id)] == ["user_message", "widget"]
    assert chat.items(thread_id)[1] == event["item"]
    assert event["item"]["widget"]["children"][0]["value"] == "{'n': 1}"


def test_a_failing_streaming_action_ends_in_an_error_and_keeps_what_it_said(stage: Stage) -> None:
    chat, thread_id, item_id = shown(stage, action=breaks)
    turn = Streamed(chat.stream("threads.custom_action", thread_id=thread_id, item_id=item_id, action=GO))
    assert turn.events[-1] == {"type": "error", "code": "stream.error", "allow_retry": True}
    assert turn.outcome == "failed"
    assert chat.items(thread_id)[-1]["content"][0]["text"] == "I shall"
    assert chat.send(thread_id).outcome == "completed"


def test_a_sync_action_returns_the_item_that_it_changed_and_stores_it(stage: Stage) -> None:
    chat, thread_id, item_id = shown(stage, sync_action=rewrites)
    item = chat.call("threads.sync_custom_action", thread_id=thread_id, item_id=item_id, action=GO)["updated_item"]
    assert item["id"] == item_id
    assert item["widget"]["children"][0]["value"] == "{'n': 1}"
    assert chat.items(thread_id)[1] == item


def test_a_sync_action_that_changes_nothing_answers_with_an_empty_object(stage: Stage) -> None:
    chat, thread_id, item_id = shown(stage)
    before = chat.items(thread_id)
    assert chat.call("threads.sync_custom_action", thread_id=thread_id, item_id=item_id, action=GO) == {}
    assert chat.items(thread_id) == before


def test_a_sync_action_is_performed_while_a_run_is_live(stage: Stage) -> None:
    gate = threading.Event()

    async def shows_and_waits(turn: Turn) -> Script:
        yield done(widget(turn))
        yield "Waiting"
        await passed(gate)
        yield " is over."

    chat = stage.chat(shows_and_waits, part={"sync_action": rewrites})
    with chat.open("threads.create", said()) as frames:
        events = (frame.event for frame in frames if frame.event)
        item = next(event["item"] for event in events if event.get("item", {}).get("type") == "widget")
        next(event for event in events if "Waiting" in repr(event))
        where = {"thread_id": item["thread_id"], "item_id": item["id"]}
        updated = chat.call("threads.sync_custom_action", **where, action=GO)["updated_item"]
        busy = chat.post("threads.custom_action", {**where, "action": GO})
        assert (busy.status_code, busy.json()["error"]["code"]) == (409, "thread_busy")
        gate.set()
        assert list(frames)[-1].comment == "completed"
    items = chat.items(item["thread_id"])
    assert items[1] == updated
    assert items[2]["content"][0]["text"] == "Waiting is over."


@pytest.mark.parametrize("perform", [sync_breaks, sync_nonsense])
def test_a_sync_action_that_fails_is_a_400_that_says_nothing_of_why_and_stores_nothing(
    stage: Stage, perform: Any
) -> None:
    seen: list[Any] = []

    async def looks(turn: Turn) -> Script:
        seen.append(turn.state.get("half"))
        yield done(widget(turn))

    chat = stage.chat(looks, part={"sync_action": perform})
    thread_id = chat.create().thread_id
    before = chat.items(thread_id)
    with pytest.raises(ApiFailure) as failure:
        chat.call("threads.sync_custom_action", thread_id=thread_id, action=GO)
    assert (failure.value.status, failure.value.error["code"]) == (400, "action_failed")
    assert failure.value.error["message"] == "The action failed."
    assert chat.items(thread_id) == before
    assert chat.send(thread_id).outcome == "completed"
    assert seen == [None, None]


def test_a_sync_action_may_change_thread_and_state(stage: Stage) -> None:
    seen: list[Any] = []

    async def looks(turn: Turn) -> Script:
        seen.append(turn.state.get("pressed"))
        yield done(widget(turn))

    async def presses(turn: Turn) -> types.ThreadItem | None:
        await asyncio.sleep(0)
        turn.state["pressed"] = True
        turn.thread.title = "Pressed"
        return None

    chat = stage.chat(looks, part={"sync_action": presses})
    thread_id = chat.create().thread_id
    assert chat.call("threads.sync_custom_action", thread_id=thread_id, action=GO) == {}
    assert chat.call("threads.get_by_id", thread_id=thread_id)["title"] == "Pressed"
    chat.send(thread_id)
    assert seen == [None, True]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_action_of_a_workflow_without_actions_is_refused(stage: Stage, operation: str) -> None:
    chat = stage.chat(workflow="wf_plain")
    thread_id = chat.create().thread_id
    response = chat.post(operation, {"thread_id": thread_id, "action": GO})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "action_unsupported"
    assert len(chat.items(thread_id)) == 2


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_action_comes_from_a_widget_or_from_nothing(stage: Stage, operation: str) -> None:
    async def says(turn: Turn) -> Script:
        yield done(answer(turn, "no widget"))

    chat = stage.chat(says)
    thread_id = chat.create().thread_id
    for item in chat.items(thread_id):
        response = chat.post(operation, {"thread_id": thread_id, "item_id": item["id"], "action": GO})
        assert response.status_code == 400
        assert response.json()["error"]["message"] == f"params.item_id must name a widget, not a {item['type']}."


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("action", "param"),
    [
        ({}, "params.action.type"),
        ({"type": ""}, "params.action.type"),
        ({"type": "x" * 257}, "params.action.type"),
        ({"type": 5}, "params.action.type"),
        (None, "params.action"),
        ("go", "params.action"),
    ],
)
def test_a_malformed_action_is_refused_by_name(stage: Stage, operation: str, action: Any, param: str) -> None:
    response = stage.chat().post(operation, {"thread_id": "cthr_x", "action": action})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
