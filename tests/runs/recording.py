"""A turn with something of everything, played so slowly that each line becomes frames of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from chatkit import types
from chatkit.widgets import Card, Text

from chatdock.workflows.workflow import Emitted
from tests.harness.client import Chat, Frame
from tests.runs.stage import Stage
from tests.runs.wire import Reader, creating


def lines() -> list[Emitted]:
    """Text, a reasoning workflow, a widget that changes, an item that goes again, annotations, progress."""
    thought = _workflow("cti_thought")
    draft = types.AssistantMessageItem(**_of("cti_cited"), content=[])
    cited = types.AssistantMessageContent(text="So it is.", annotations=[_annotation("second"), _annotation("first")])
    return [
        types.ProgressUpdateEvent(icon="search", text="Looking"),
        types.ThreadItemAddedEvent(item=thought),
        _updated("cti_thought", types.WorkflowTaskAdded(task_index=0, task=types.ThoughtTask(content="Hm"))),
        _updated("cti_thought", types.WorkflowTaskUpdated(task_index=0, task=types.ThoughtTask(content="Hm. Ah!"))),
        _updated("cti_thought", types.WorkflowTaskAdded(task_index=1, task=types.CustomTask(title="Second"))),
        types.ThreadItemDoneEvent(item=_workflow("cti_thought", types.ThoughtTask(content="Hm. Ah!"))),
        "Grüße \U0001f44b, ",
        "first\n\nparagraph",
        " and its end.",
        types.ThreadItemDoneEvent(item=_widget("cti_gone", "soon gone")),
        types.ThreadItemRemovedEvent(item_id="cti_gone"),
        types.ThreadItemAddedEvent(item=_widget("cti_card", "")),
        _updated("cti_card", types.WidgetStreamingTextValueDelta(component_id="note", delta="some", done=False)),
        _updated("cti_card", types.WidgetStreamingTextValueDelta(component_id="note", delta=" text", done=True)),
        _updated("cti_card", types.WidgetRootUpdated(widget=_card("another card"))),
        types.ThreadItemDoneEvent(item=_widget("cti_card", "another card")),
        types.ThreadItemReplacedEvent(item=_widget("cti_card", "a third card")),
        types.ThreadItemAddedEvent(item=draft),
        _part("cti_cited", types.AssistantMessageContentPartAdded, content=types.AssistantMessageContent(text="")),
        _part("cti_cited", types.AssistantMessageContentPartTextDelta, delta="So it"),
        _part("cti_cited", types.AssistantMessageContentPartTextDelta, delta=" is."),
        _part(
            "cti_cited",
            types.AssistantMessageContentPartAnnotationAdded,
            annotation_index=0,
            annotation=_annotation("first"),
        ),
        _part(
            "cti_cited",
            types.AssistantMessageContentPartAnnotationAdded,
            annotation_index=0,
            annotation=_annotation("second"),
        ),
        _part("cti_cited", types.AssistantMessageContentPartDone, content=cited),
        types.ThreadItemDoneEvent(item=draft.model_copy(update={"content": [cited]})),
        types.ProgressUpdateEvent(text="Nearly there"),
        "Last ",
        "words.",
    ]


def played(chat: Chat, stage: Stage, text: str) -> Iterator[tuple[Reader, Frame]]:
    """Create a thread with the turn and yield after each of its frames; the turn waits meanwhile."""
    reader = creating(chat, text)
    told = 0
    for line in [None, *lines(), None]:
        if line is not None:
            stage.say(text, line)
        elif told:
            stage.end(text)
        expected = told + 1

        def enough(turn: Any, expected: int = expected) -> bool:
            return len(turn.frames) >= expected

        reader.wait_for(enough)
        frames = reader.frames
        yield from ((reader, frame) for frame in frames[told:])
        told = len(frames)
    reader.wait()
    yield from ((reader, frame) for frame in reader.frames[told:])


def _of(item_id: str) -> dict[str, Any]:
    return {"id": item_id, "thread_id": "corrected by the server", "created_at": datetime.now(UTC)}


def _updated(item_id: str, update: types.ThreadItemUpdate) -> types.ThreadItemUpdatedEvent:
    return types.ThreadItemUpdatedEvent(item_id=item_id, update=update)


def _part(item_id: str, kind: Any, **members: Any) -> types.ThreadItemUpdatedEvent:
    return _updated(item_id, kind(content_index=0, **members))


def _annotation(title: str) -> types.Annotation:
    return types.Annotation(source=types.URLSource(title=title, url="https://example.com/here"), index=9)


def _workflow(item_id: str, *tasks: types.Task) -> types.WorkflowItem:
    return types.WorkflowItem(**_of(item_id), workflow=types.Workflow(type="reasoning", tasks=list(tasks)))


def _card(value: str) -> Card:
    return Card(children=[Text(id="note", value=value, streaming=True)])


def _widget(item_id: str, value: str) -> types.WidgetItem:
    return types.WidgetItem(**_of(item_id), widget=_card(value))
