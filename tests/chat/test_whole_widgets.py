"""A widget keeps every member that its workflow wrote, on every way to a client and back."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from chatkit import types
from chatkit.widgets import Card, DynamicWidgetRoot, Text
from pydantic import ValidationError

from chatdock import Turn, workflow
from chatdock.protocol.widgets import widget_of
from tests.harness.client import Chat, Json
from tests.harness.client import Turn as Streamed
from tests.harness.server import serving

WIDGET: Json = {
    "type": "Card",
    "border": {"size": 2, "color": "red"},
    "children": [
        {"type": "Text", "id": "note", "value": "Grüße", "shadow": "lg"},
        {"type": "Row", "children": [{"type": "Badge", "label": "new", "glow": True}, {"type": "Gauge", "at": 0.5}]},
        {"type": "Button", "label": "Go", "onClickAction": {"type": "keep", "retry": {"times": 2}}},
    ],
}


def changed(title: str) -> Json:
    """The same with another title."""
    return {**copy.deepcopy(WIDGET), "title": title}


@workflow("wf_test")
async def shows(turn: Turn) -> AsyncIterator[Any]:
    """A widget at once, or one that changes while it is shown."""
    if turn.text == "stream":

        async def states() -> AsyncIterator[Json]:
            for word in ("one", "one two"):
                state = changed("streamed")
                state["children"][0]["value"] = word
                yield state
            yield changed("last")

        async for event in turn.stream_widget(states()):
            yield event
    else:
        yield turn.widget(WIDGET)


@shows.action
async def act(turn: Turn) -> AsyncIterator[Any]:
    """Puts the widget that the action came from back as it is, as the history has it, or with a change."""
    assert turn.action is not None
    assert turn.sender is not None
    if turn.action.type == "keep":
        yield turn.replace(turn.sender)
    elif turn.action.type == "history":
        yield turn.replace((await turn.history())[-1])
    else:
        yield turn.replace(turn.changed(turn.sender, changed("changed")))


@shows.sync_action
async def act_at_once(turn: Turn) -> types.ThreadItem | None:
    """Nothing but a note for copying changes."""
    assert turn.sender is not None
    return turn.sender.model_copy(update={"copy_text": "synced"})


def test_a_widgets_members_are_all_there_on_every_way_and_after_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path, [shows]) as server:
        chat = server.backend.chat()
        turn = chat.create("show")
        [item] = turn.done("widget")
        assert item["widget"] == WIDGET
        look(chat, server.backend.get(f"threads/{turn.thread_id}/items")["data"], turn.thread_id, WIDGET)
    with serving(tmp_path, [shows]) as server:
        chat = server.backend.chat()
        params: Json = {"thread_id": turn.thread_id, "item_id": item["id"]}
        for kind, expected in (("keep", WIDGET), ("history", WIDGET), ("change", changed("changed"))):
            events = Streamed(chat.stream("threads.custom_action", action={"type": kind}, **params))
            [replaced] = events.of("thread.item.replaced")
            assert replaced["item"]["widget"] == expected
            look(chat, server.backend.get(f"threads/{turn.thread_id}/items")["data"], turn.thread_id, expected)
        synced = chat.call("threads.sync_custom_action", action={"type": "sync"}, **params)["updated_item"]
        assert (synced["widget"], synced["copy_text"]) == (changed("changed"), "synced")
        assert chat.items(turn.thread_id)[-1] == synced


def test_a_widget_that_changes_while_it_is_shown_keeps_its_members(tmp_path: Path) -> None:
    with serving(tmp_path, [shows]) as server:
        turn = server.backend.chat().create("stream")
    [added] = [event["item"] for event in turn.of("thread.item.added")]
    assert added["widget"]["border"] == WIDGET["border"]
    assert [event["update"]["delta"] for event in turn.of("widget.streaming_text.value_delta")] == [" two"]
    [root] = turn.of("widget.root.updated")
    assert root["update"]["widget"] == turn.done("widget")[0]["widget"] == changed("last")


def look(chat: Chat, rest: list[Json], thread_id: str, expected: Json) -> None:
    """The thread's only widget in every listing."""
    listed = [item for item in rest if item["type"] == "chatkit.widget"]
    assert [json.loads(item["widget"]) for item in listed] == [expected]
    for items in (chat.items(thread_id), chat.call("threads.get_by_id", thread_id=thread_id)["items"]["data"]):
        assert [item["widget"] for item in items if item["type"] == "widget"] == [expected]


def test_json_that_a_strict_class_holds_whole_is_of_that_class() -> None:
    assert isinstance(widget_of({"type": "Card", "size": "sm", "children": [{"type": "Text", "value": "x"}]}), Card)
    made = widget_of({"type": "Card", "border": 1, "children": [Text(value="x", id=None)]})
    assert isinstance(made, DynamicWidgetRoot)
    assert made.model_dump(exclude_none=True) == {
        "type": "Card",
        "border": 1,
        "children": [{"type": "Text", "value": "x"}],
    }
    given = Card(children=[Text(value="x")])
    assert widget_of(given) is given


@pytest.mark.parametrize("nonsense", [None, "Card", [], {}, {"type": "Text", "value": "x"}, {"children": []}])
def test_what_is_no_widget_is_refused(nonsense: Any) -> None:
    with pytest.raises(ValidationError):
        widget_of(nonsense)
