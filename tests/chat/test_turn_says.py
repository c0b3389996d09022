"""What a workflow can say through its turn: each becomes events of the protocol, and is stored as it was shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from chatkit import types
from chatkit.server import diff_widget
from chatkit.widgets import DynamicWidgetRoot

from chatdock import Turn
from chatdock.protocol.snapshot import Snapshot
from chatdock.workflows.widget_updates import widget_updates
from tests.chat.conftest import Stage
from tests.chat.shapes import Script, card
from tests.harness.client import Chat
from tests.harness.client import Turn as Streamed

SOURCE = types.URLSource(url="https://example.com/tides", title="Tides")


def shown(chat: Chat, streamed: Streamed) -> list[dict[str, Any]]:
    """The thread's items as a client that loads it sees them, without the user's message."""
    thread = chat.call("threads.get_by_id", thread_id=streamed.thread_id)
    return [item for item in thread["items"]["data"] if item["type"] != "user_message"]


def test_a_source_stands_where_the_text_was_when_it_was_cited(stage: Stage) -> None:
    async def cites(turn: Turn) -> Script:
        yield "High water 🌊 at nine"
        yield turn.cite(SOURCE)
        yield ", low water at three"
        yield turn.cite(types.FileSource(filename="tides.pdf", title="Tide table"))

    chat = stage.chat(cites)
    streamed = chat.create()
    added = [event["update"] for event in streamed.of("assistant_message.content_part.annotation_added")]
    assert [(one["annotation_index"], one["annotation"]["index"]) for one in added] == [(0, 20), (1, 40)]
    (content,) = shown(chat, streamed)[0]["content"]
    assert content["text"] == "High water 🌊 at nine, low water at three"
    assert content["annotations"] == [one["annotation"] for one in added]


def test_a_source_of_no_text_fails_the_turn(stage: Stage) -> None:
    async def cites(turn: Turn) -> Script:
        yield turn.task(types.CustomTask(title="Looked it up"))
        yield turn.cite(SOURCE)

    assert stage.chat(cites).create().outcome == "failed"


def test_every_single_thing_a_turn_can_say(stage: Stage) -> None:
    async def says(turn: Turn) -> Script:
        yield turn.progress("Looking", icon="search")
        yield turn.notice("Nearly **full**", level="warning", title="Berths")
        yield turn.effect("open_map", {"at": [1, 2]})
        yield turn.say("Found it.", [SOURCE])
        yield turn.task(types.CustomTask(title="Counted"))
        yield turn.hidden({"secret": "for the model"})
        yield turn.widget(card("first"), copy_text="first")
        gone = turn.say("never mind")
        yield gone
        yield turn.remove(gone.item.id)
        last = (await turn.history())[-1]
        assert isinstance(last, types.WidgetItem)
        yield turn.replace(last.model_copy(update={"copy_text": "second"}))
        yield turn.ask(types.StructuredInputFreeform(id="why", question="Why?"))

    chat = stage.chat(says, part={"planted": False})
    streamed = chat.create()
    assert streamed.of("progress_update")[0] == {"type": "progress_update", "icon": "search", "text": "Looking"}
    assert streamed.of("notice")[0]["title"] == "Berths"
    assert streamed.of("client_effect")[0]["data"] == {"at": [1, 2]}
    items = shown(chat, streamed)
    assert [item["type"] for item in items] == ["assistant_message", "task", "widget", "structured_input"]
    assert items[0]["content"][0]["annotations"][0]["source"]["url"] == SOURCE.url
    assert items[2]["copy_text"] == "second"
    assert "for the model" not in json.dumps(streamed.events)
    assert streamed.outcome == "waiting"


def test_a_client_call_ends_the_turn_and_its_output_is_another(stage: Stage) -> None:
    async def calls(turn: Turn) -> Script:
        if turn.tool_output is None:
            yield turn.call_client("locate", {"precise": True})
            yield "never said"
        else:
            yield f"You are at {turn.tool_output.output}."

    chat = stage.chat(calls)
    asked = chat.create()
    assert (asked.outcome, asked.text) == ("waiting", "")
    told = Streamed(chat.stream("threads.add_client_tool_output", thread_id=asked.thread_id, result="berth 4"))
    assert told.text == "You are at berth 4."


def test_an_error_is_the_last_thing_a_turn_says_and_keeps_what_was_said(stage: Stage) -> None:
    async def fails(turn: Turn) -> Script:
        yield "Half of it"
        yield turn.error("The harbour is closed.", allow_retry=False)
        yield "never said"

    chat = stage.chat(fails)
    streamed = chat.create()
    assert streamed.events[-1] == {
        "type": "error", "code": "custom", "message": "The harbour is closed.", "allow_retry": False
    }  # fmt: skip
    assert shown(chat, streamed)[0]["content"][0]["text"] == "Half of it"


def test_a_tool_emits_beside_what_the_workflow_yields(stage: Stage) -> None:
    async def works(turn: Turn) -> Script:
        async def tool() -> None:
            async with turn.steps("Checking", icon="search") as steps:
                prices = await steps.add("Prices")
                tides = await steps.add(types.SearchTask(title="Tides"))
                await steps.complete(tides, queries=["tides today"])
                await steps.complete(prices, content="Two of them")
                steps.summary = "Checked two things"

        yield "Let me see."
        await tool()
        yield "Done."

    chat = stage.chat(works)
    streamed = chat.create()
    said, steps, end = shown(chat, streamed)
    assert (said["content"][0]["text"], end["content"][0]["text"]) == ("Let me see.", "Done.")
    assert steps["workflow"]["summary"] == {"title": "Checked two things"}
    assert [task["status_indicator"] for task in steps["workflow"]["tasks"]] == ["complete", "complete"]
    assert steps["workflow"]["tasks"][1]["queries"] == ["tides today"]
    begun = streamed.of("thread.item.added")[1]["item"]
    assert begun["workflow"] == {
        "type": "custom", "tasks": [], "summary": {"title": "Checking", "icon": "search"}, "expanded": False
    }  # fmt: skip


def test_steps_that_fail_end_named_after_what_was_done_and_the_turn_fails(stage: Stage) -> None:
    async def works(turn: Turn) -> Script:
        async with turn.steps() as steps:
            await steps.add("Prices")
            yield str(1 // int(turn.text))

    streamed = stage.chat(works).create("0")
    assert streamed.outcome == "failed"
    assert streamed.done("workflow")[0]["workflow"]["summary"] == {"title": "Prices"}


def test_a_picture_is_previewed_then_stored_and_one_that_never_came_is_taken_away(stage: Stage) -> None:
    async def paints(turn: Turn) -> Script:
        async with turn.picture() as picture:
            await picture.preview("data:image/png;base64,aGFsZg==", 0.5)
            await picture.finish("data:image/png;base64,d2hvbGU=")
        async with turn.picture() as picture:
            await picture.preview("data:image/png;base64,aGFsZg==", 0.1)
        yield "One of two."

    chat = stage.chat(paints)
    streamed = chat.create()
    assert [event["update"]["progress"] for event in streamed.of("generated_image.updated")] == [0.5, 0.1]
    assert len(streamed.of("thread.item.removed")) == 1
    picture, _ = shown(chat, streamed)
    assert picture["image"]["url"].endswith("d2hvbGU=")


def test_a_widget_streams_its_text_as_deltas_and_stores_its_last_state(stage: Stage) -> None:
    async def states() -> AsyncIterator[Any]:
        yield card("")
        yield card("High water")
        yield card("High water at nine")
        yield {**card("High water at nine"), "size": "sm"}

    async def streams(turn: Turn) -> Script:
        async for event in turn.stream_widget(states(), copy_text="tides"):
            yield event

    chat = stage.chat(streams)
    streamed = chat.create()
    deltas = [event["update"]["delta"] for event in streamed.of("widget.streaming_text.value_delta")]
    assert deltas == ["High water", " at nine"]
    assert len(streamed.of("widget.root.updated")) == 1
    (stored,) = shown(chat, streamed)
    assert (stored["widget"]["size"], stored["copy_text"]) == ("sm", "tides")


def text(value: str, **members: Any) -> dict[str, Any]:
    return {"type": "Text", "id": "line", "value": value, **members}


MARKDOWN = {"type": "Markdown", "id": "md", "value": ""}
BOX = {"type": "Box", "padding": 1}


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ([text("a")], [text("ab")], ["delta"]),
        ([text("a", streaming=True)], [text("ab", streaming=True)], ["delta"]),
        ([{**BOX, "children": [text("a")]}], [{**BOX, "children": [text("abc")]}], ["delta"]),
        ([text("a"), MARKDOWN], [text("ab"), {**MARKDOWN, "value": "*"}], ["delta", "delta"]),
        ([text("a")], [text("b")], ["root"]),
        ([text("a")], [text("ab", weight="bold")], ["root"]),
        ([text("a")], [text("a"), text("b", id="more")], ["root"]),
        ([{**BOX, "children": [text("a")]}], [{"type": "Box", "children": [text("a")]}], ["root"]),
        ([{"type": "Text", "value": "a"}], [{"type": "Text", "value": "ab"}], ["root"]),
        ([text("a")], [text("a")], []),
    ],
)
def test_updates_of_a_widget_bring_a_client_to_its_next_state(
    before: list[Any], after: list[Any], kinds: list[str]
) -> None:
    old, new = (DynamicWidgetRoot.model_validate({"type": "Card", "children": each}) for each in (before, after))
    updates = widget_updates(old, new)
    assert ["root" if isinstance(update, types.WidgetRootUpdated) else "delta" for update in updates] == kinds
    item: dict[str, Any] = {"id": "cti_1", "type": "widget", "widget": old.model_dump(exclude_none=True)}
    snapshot = Snapshot()
    for event in [{"type": "thread.item.added", "item": item}] + [
        {"type": "thread.item.updated", "item_id": "cti_1", "update": update.model_dump(exclude_none=True)}
        for update in updates
    ]:
        snapshot.apply(b"data: %b\n\n" % json.dumps(event).encode())
    assert snapshot.items["cti_1"]["widget"] == new.model_dump(exclude_none=True)
    if "root" not in kinds:
        assert updates == diff_widget(old, new)


def test_nothing_can_be_emitted_once_the_turn_is_over(stage: Stage) -> None:
    kept: list[Turn] = []

    async def leaves(turn: Turn) -> Script:
        kept.append(turn)
        yield "gone"

    stage.chat(leaves).create()
    with pytest.raises(RuntimeError, match="nor after the end"):
        asyncio.run(kept[0].emit("too late"))


def test_the_history_comes_in_pages_and_as_input_of_the_responses_api(stage: Stage) -> None:
    pages: list[list[str]] = []
    inputs: list[Any] = []

    async def looks(turn: Turn) -> Script:
        before = None
        while page := await turn.history(2, before=before):
            pages.append([item.type for item in page])
            before = page[0].id
        assert await turn.history(5, before="cti_unknown") == []
        inputs.extend(await turn.input_items())
        yield turn.text

    chat = stage.chat(looks, part={"planted": False})
    thread_id = chat.create("one").thread_id
    pages.clear()
    inputs.clear()
    chat.send(thread_id, "two")
    assert pages == [["assistant_message", "user_message"], ["user_message"]]
    assert [(one["role"], one["content"]) for one in inputs] == [
        ("user", [{"type": "input_text", "text": "one"}]),
        ("assistant", "one"),
        ("user", [{"type": "input_text", "text": "two"}]),
    ]
