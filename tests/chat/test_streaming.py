"""What a turn streams: the order of its events, their shape, and their end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from chatkit import types
from pydantic import TypeAdapter

from chatdock import Turn
from tests.chat.conftest import Stage, said
from tests.chat.shapes import Script, added, answer, call, delta, done, form, updated, widget
from tests.harness.client import Chat, Frame
from tests.harness.client import Turn as Streamed

EVENT: TypeAdapter[types.ThreadStreamEvent] = TypeAdapter(types.ThreadStreamEvent)

TEXT_MESSAGE = [
    "thread.item.added",
    "assistant_message.content_part.added",
    "assistant_message.content_part.text_delta",
    "assistant_message.content_part.done",
    "thread.item.done",
]
"""What text from a workflow comes to, when its pieces met in one delta."""


def joined(kinds: list[str]) -> list[str]:
    """Deltas that follow each other as one: how many there are depends on the commits."""
    return [kind for n, kind in enumerate(kinds) if not kind.endswith("delta") or kinds[n - 1] != kind]


def check_shape(turn: Streamed) -> None:
    """Every event is one of chatkit's, none holds a null, and sequence numbers are dense."""
    for event in turn.events:
        EVENT.validate_python(event)
        assert not has_null(event), event
    numbered = [frame.sequence for frame in turn.frames if frame.id]
    assert numbered == list(range(1, len(turn.events) + 1))
    assert {frame.run_id for frame in turn.frames if frame.id} == {turn.run_id}
    assert all(frame.comment is None for frame in turn.frames[:-1])


def has_null(value: Any) -> bool:
    """Whether there is a null anywhere."""
    if isinstance(value, dict):
        return any(has_null(member) for member in value.values())
    return any(has_null(member) for member in value) if isinstance(value, list) else value is None


def test_a_new_thread_streams_in_the_documented_order(stage: Stage) -> None:
    turn = stage.chat().create("good morning")
    check_shape(turn)
    head, rest = turn.types[:3], turn.types[3:]
    assert head == ["thread.created", "thread.item.done", "stream_options"]
    assert sorted(rest) == sorted([*TEXT_MESSAGE, "thread.updated"])
    assert [kind for kind in rest if kind != "thread.updated"] == TEXT_MESSAGE
    created = turn.events[0]["thread"]
    assert "title" not in created
    assert created["items"] == {"data": [], "has_more": False}
    assert turn.events[1]["item"]["type"] == "user_message"
    assert turn.events[2]["stream_options"] == {"allow_cancel": True}
    [begun] = turn.of("thread.item.added")
    assert begun["item"]["content"] == []
    [finished] = turn.done("assistant_message")
    assert finished["content"] == [{"type": "output_text", "text": "You said good morning", "annotations": []}]
    assert finished["id"] == begun["item"]["id"]
    [titled] = turn.of("thread.updated")
    assert titled["thread"]["title"] == "good morning"
    assert turn.outcome == "completed"


def test_a_message_to_a_thread_streams_in_the_documented_order(stage: Stage) -> None:
    chat = stage.chat()
    thread_id = chat.create().thread_id
    turn = chat.send(thread_id, "more")
    check_shape(turn)
    assert turn.types == ["thread.item.done", "stream_options", *TEXT_MESSAGE]
    assert turn.outcome == "completed"
    assert [item["id"] for item in chat.items(thread_id)][2:] == [
        turn.done("user_message")[0]["id"],
        turn.done("assistant_message")[0]["id"],
    ]


def test_a_workflow_without_a_stop_button_says_so(stage: Stage) -> None:
    turn = stage.chat(workflow="wf_no_stop").create()
    assert turn.of("stream_options") == [{"type": "stream_options", "stream_options": {"allow_cancel": False}}]


def test_text_progress_notices_and_effects_come_in_the_order_in_which_they_were_yielded(stage: Stage) -> None:
    async def mixed(turn: Turn) -> Script:
        yield types.ProgressUpdateEvent(icon="search", text="Looking")
        yield types.ProgressUpdateEvent(text="Still looking")
        yield "One"
        yield types.NoticeEvent(level="warning", message="Careful", title="Hm")
        yield " two"
        yield types.ClientEffectEvent(name="confetti", data={"n": None, "colours": ["red"]})
        yield done(answer(turn, "A whole message"))
        yield "Another"

    turn = stage.chat(mixed).create()
    assert [kind for kind in turn.types[3:] if kind != "thread.updated"] == [
        "progress_update",
        "progress_update",
        "thread.item.added",
        "assistant_message.content_part.added",
        "assistant_message.content_part.text_delta",
        "notice",
        "assistant_message.content_part.text_delta",
        "client_effect",
        "assistant_message.content_part.done",
        "thread.item.done",
        "thread.item.done",
        *TEXT_MESSAGE,
    ]
    texts = [item["content"][0]["text"] for item in turn.done("assistant_message")]
    assert texts == ["One two", "A whole message", "Another"]
    assert turn.of("progress_update")[0] == {"type": "progress_update", "icon": "search", "text": "Looking"}
    assert turn.of("progress_update")[1] == {"type": "progress_update", "text": "Still looking"}
    assert turn.of("notice") == [{"type": "notice", "level": "warning", "message": "Careful", "title": "Hm"}]
    assert turn.of("client_effect")[0]["name"] == "confetti"
    assert turn.of("client_effect")[0]["data"]["colours"] == ["red"]


async def cited(turn: Turn) -> Script:
    """One message with three citations, streamed as chatkit's own events."""
    item = answer(turn)
    sources: list[types.URLSource | types.FileSource | types.EntitySource] = [
        types.URLSource(title="A page", url="https://example.com/a", attribution="Example"),
        types.FileSource(title="A file", filename="a.pdf"),
        types.EntitySource(title="Ada", id="ada", data={"born": 1815}),
    ]
    annotations = [types.Annotation(source=source, index=5) for source in sources]
    yield added(item)
    yield updated(
        item.id,
        types.AssistantMessageContentPartAdded(content_index=0, content=types.AssistantMessageContent(text="")),
    )
    yield delta(item.id, "Look ")
    yield delta(item.id, "here")
    for index, annotation in enumerate(annotations):
        update = types.AssistantMessageContentPartAnnotationAdded(
            content_index=0, annotation_index=index, annotation=annotation
        )
        yield updated(item.id, update)
    content = types.AssistantMessageContent(text="Look here", annotations=annotations)
    yield updated(item.id, types.AssistantMessageContentPartDone(content_index=0, content=content))
    yield done(item.model_copy(update={"content": [content]}))


def test_text_as_events_with_annotations_passes_as_it_is(stage: Stage) -> None:
    chat = stage.chat(cited)
    turn = chat.create()
    check_shape(turn)
    assert turn.text == "Look here"
    streamed = [event["update"] for event in turn.of("assistant_message.content_part.annotation_added")]
    assert [update["annotation_index"] for update in streamed] == [0, 1, 2]
    [item] = turn.done("assistant_message")
    assert [update["annotation"] for update in streamed] == item["content"][0]["annotations"]
    assert item["content"][0]["annotations"][0] == {
        "type": "annotation",
        "index": 5,
        "source": {"type": "url", "title": "A page", "url": "https://example.com/a", "attribution": "Example"},
    }
    assert chat.items(turn.thread_id)[1] == item


def test_reasoning_is_a_workflow_item_with_its_duration_before_the_text(stage: Stage) -> None:
    async def thinks(turn: Turn) -> Script:
        item = types.WorkflowItem(
            id=turn.new_id(),
            thread_id=turn.thread.id,
            created_at=turn.now(),
            workflow=types.Workflow(type="reasoning", tasks=[], expanded=False),
        )
        yield added(item)
        yield updated(item.id, types.WorkflowTaskAdded(task_index=0, task=types.ThoughtTask(content="Hm")))
        thought = types.ThoughtTask(content="Hm, yes", title="Thinking")
        yield updated(item.id, types.WorkflowTaskUpdated(task_index=0, task=thought))
        item.workflow.tasks = [thought]
        item.workflow.summary = types.DurationSummary(duration=3)
        yield done(item)
        yield "Yes."

    chat = stage.chat(thinks)
    turn = chat.create()
    check_shape(turn)
    kinds = [kind for kind in turn.types[3:] if kind != "thread.updated"]
    steps = ["thread.item.added", "workflow.task.added", "workflow.task.updated", "thread.item.done"]
    assert kinds == [*steps, *TEXT_MESSAGE]
    [item] = turn.done("workflow")
    assert item["workflow"] == {
        "type": "reasoning",
        "expanded": False,
        "summary": {"duration": 3},
        "tasks": [{"type": "thought", "title": "Thinking", "content": "Hm, yes", "status_indicator": "none"}],
    }
    assert [stored["type"] for stored in chat.items(turn.thread_id)] == [
        "user_message",
        "workflow",
        "assistant_message",
    ]


async def pending_call(turn: Turn) -> Script:
    yield done(call(turn))


async def pending_question(turn: Turn) -> Script:
    yield done(form(turn))


async def raises(turn: Turn) -> Script:
    yield "Well,"
    raise RuntimeError


async def endless(turn: Turn) -> Script:
    yield "Well,"
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("script", "outcome"),
    [(cited, "completed"), (raises, "failed"), (pending_call, "waiting"), (pending_question, "waiting")],
)
def test_the_last_frame_is_a_comment_that_names_the_outcome(stage: Stage, script: Any, outcome: str) -> None:
    turn = stage.chat(script).create()
    check_shape(turn)
    assert turn.frames[-1] == Frame(None, None, outcome)


def test_a_cancelled_turn_ends_in_its_comment_and_keeps_what_it_said(stage: Stage) -> None:
    chat = stage.chat(endless)
    with chat.open("threads.create", said()) as frames:
        seen: list[Frame] = []
        for frame in frames:
            seen.append(frame)
            if frame.event and frame.event["type"] == "thread.item.updated" and "delta" in frame.event["update"]:
                thread_id = Streamed(seen).thread_id
                assert chat.call("threads.cancel", thread_id=thread_id)["run"]["status"] == "cancelled"
    turn = Streamed(seen)
    check_shape(turn)
    assert turn.outcome == "cancelled"
    assert turn.done("assistant_message")[0]["content"][0]["text"] == "Well,"
    assert [item["type"] for item in chat.items(turn.thread_id)] == ["user_message", "assistant_message"]


def test_nulls_are_left_out_except_those_that_are_a_workflows_own_data(stage: Stage) -> None:
    async def sparse(turn: Turn) -> Script:
        yield types.ClientEffectEvent(name="note", data={"to": None})
        yield done(widget(turn))
        yield done(call(turn, near=None, radius=5))

    chat = stage.chat(sparse)
    turn = chat.create()
    assert turn.of("client_effect") == [{"type": "client_effect", "name": "note", "data": {"to": None}}]
    assert turn.done("client_tool_call")[0]["arguments"] == {"near": None, "radius": 5}
    assert not has_null(turn.done("widget"))
    raw = raw_body(chat, "items.list", turn.thread_id)
    assert raw.count("null") == 1


def raw_body(chat: Chat, operation: str, thread_id: str) -> str:
    """An answer's JSON, without white space."""
    return json.dumps(chat.call(operation, thread_id=thread_id), separators=(",", ":"))
