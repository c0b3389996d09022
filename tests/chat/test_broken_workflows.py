"""Workflows that fail or do what no workflow may: the turn ends in its error, what was there is kept, life goes on."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from chatkit import types
from chatkit.errors import CustomStreamError, ErrorCode, StreamError

from chatdock import Turn
from tests.chat.conftest import Respond, Stage
from tests.chat.shapes import Script, added, answer, base, delta, done, widget
from tests.harness.client import CANARY, Chat, Json
from tests.harness.client import Turn as Streamed

GENERIC: Json = {"type": "error", "code": "stream.error", "allow_retry": True}


def failed(stage: Stage, script: Respond) -> tuple[Chat, Streamed]:
    """A turn of this script, which failed, on a thread whose next turn works."""
    user = stage.user(script)
    chat = stage.backend.chat(user)
    turn = chat.create()
    assert turn.outcome == "failed"
    assert turn.events[-1]["type"] == "error", turn.types
    assert len(turn.of("error")) == 1
    streamed = [item for event in turn.of("thread.item.done") for item in [event["item"]]]
    assert chat.items(turn.thread_id) == streamed

    async def recovers(again: Turn) -> Script:
        history = await again.history()
        yield f"after {len([item for item in history if item.type == 'user_message'])} messages"

    stage.recast(user, recovers)
    later = chat.send(turn.thread_id)
    assert later.outcome == "completed"
    assert later.text == "after 2 messages"
    return chat, turn


async def raises_at_once(turn: Turn) -> Script:
    if turn.thread.id:
        raise RuntimeError(CANARY)
    yield ""


async def raises(turn: Turn) -> Script:
    yield "half an answer"
    raise RuntimeError(CANARY)


async def cancels_itself(turn: Turn) -> Script:
    yield "half an answer"
    raise asyncio.CancelledError


async def ends_its_loop(turn: Turn) -> Script:
    yield "half an answer"
    raise StopAsyncIteration


async def exits(turn: Turn) -> Script:
    yield "half an answer"
    sys.exit(1)


class Panic(BaseException):
    """As what native libraries raise."""


def raises_no_exception(kind: type[BaseException]) -> Respond:
    """A script that raises what is no `Exception`."""

    async def script(turn: Turn) -> Script:
        yield "half an answer"
        raise kind

    return script


async def yields_int(turn: Turn) -> Any:
    yield "half an answer"
    yield 42


async def yields_dict(turn: Turn) -> Any:
    yield "half an answer"
    yield {"type": "thread.item.done", "item": {"type": "assistant_message"}}


async def yields_none(turn: Turn) -> Any:
    yield "half an answer"
    yield None


async def yields_item(turn: Turn) -> Any:
    yield "half an answer"
    yield answer(turn, "not an event")


async def yields_a_thread(turn: Turn) -> Any:
    yield "half an answer"
    yield types.ThreadCreatedEvent(thread=types.Thread(**turn.thread.model_dump(), items=types.Page()))


async def yields_an_event_without_an_item(turn: Turn) -> Any:
    yield "half an answer"
    yield types.ThreadItemDoneEvent.model_construct(item=None)


async def yields_an_item_without_content(turn: Turn) -> Any:
    yield "half an answer"
    yield done(types.AssistantMessageItem.model_construct(**base(turn)))


async def yields_an_item_of_wrong_content(turn: Turn) -> Any:
    yield "half an answer"
    yield done(types.AssistantMessageItem.model_construct(**base(turn, content="text")))


async def changes_its_id(turn: Turn) -> Script:
    yield "half an answer"
    turn.thread.id = "cthr_stolen"
    yield "."


async def changes_its_birthday(turn: Turn) -> Script:
    yield "half an answer"
    turn.thread.created_at = turn.now()


async def spoils_its_status(turn: Turn) -> Script:
    yield "half an answer"
    turn.thread.status = "locked"  # type: ignore[assignment]


async def spoils_its_title(turn: Turn) -> Script:
    yield "half an answer"
    turn.thread.title = 5  # type: ignore[assignment]


async def spoils_its_metadata(turn: Turn) -> Script:
    yield "half an answer"
    turn.thread.metadata["thing"] = object()


async def spoils_its_domains(turn: Turn) -> Script:
    yield "half an answer"
    turn.thread.allowed_image_domains = 5  # type: ignore[assignment]


async def loses_its_thread(turn: Turn) -> Script:
    yield "half an answer"
    turn.thread = None  # type: ignore[assignment]


async def spoils_its_state(turn: Turn) -> Script:
    yield "half an answer"
    turn.state["thing"] = {1, 2}


async def spoils_its_thread_and_raises(turn: Turn) -> Script:
    yield "half an answer"
    turn.thread.id = "cthr_stolen"
    raise RuntimeError(CANARY)


async def spoils_its_thread_and_apologises(turn: Turn) -> Script:
    yield "half an answer"
    turn.thread.id = "cthr_stolen"
    raise CustomStreamError("Sorry.")


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize(
    "script",
    [
        raises_at_once,
        raises,
        cancels_itself,
        ends_its_loop,
        exits,
        *map(raises_no_exception, (Panic, GeneratorExit, KeyboardInterrupt, SystemExit)),
        yields_int,
        yields_dict,
        yields_none,
        yields_item,
        yields_a_thread,
        yields_an_event_without_an_item,
        yields_an_item_without_content,
        yields_an_item_of_wrong_content,
        changes_its_id,
        changes_its_birthday,
        spoils_its_status,
        spoils_its_title,
        spoils_its_metadata,
        spoils_its_domains,
        loses_its_thread,
        spoils_its_state,
        spoils_its_thread_and_raises,
    ],
)
def test_a_workflow_that_breaks_ends_in_an_error_that_offers_a_retry(stage: Stage, script: Respond) -> None:
    chat, turn = failed(stage, script)
    assert turn.events[-1] == GENERIC
    texts = [item["content"][0]["text"] for item in turn.done("assistant_message")]
    assert [text.rstrip(".") for text in texts] == ([] if script is raises_at_once else ["half an answer"])
    thread = chat.call("threads.get_by_id", thread_id=turn.thread_id)
    assert thread["title"] == "hello"
    assert thread["status"] == {"type": "active"}


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_a_workflow_that_spoils_its_thread_and_raises_its_own_error_still_ends(stage: Stage) -> None:
    _, turn = failed(stage, spoils_its_thread_and_apologises)
    assert turn.done("assistant_message")[0]["content"][0]["text"] == "half an answer"


def tasks(turn: Turn, count: int) -> types.WorkflowItem:
    each: list[types.Task] = [types.CustomTask(title=str(number)) for number in range(count)]
    return types.WorkflowItem(**base(turn), workflow=types.Workflow(type="custom", tasks=each))


def part(kind: Any, **members: Any) -> Any:
    """An update of a message, whether its members are what they should be or not."""
    return kind.model_construct(type=kind.model_fields["type"].default, **members)


TASK = types.CustomTask(title="x")
SOURCE = types.Annotation(source=types.URLSource(title="x", url="https://example.com"))
MISFITS: dict[str, tuple[Any, list[Any]]] = {
    "a task for a message": (answer, [types.WorkflowTaskAdded(task_index=0, task=TASK)]),
    "text for a widget": (widget, [types.AssistantMessageContentPartTextDelta(content_index=0, delta="x")]),
    "an image for a message": (answer, [types.GeneratedImageUpdated(image=types.GeneratedImage(id="i", url="x"))]),
    "text for a part that is far away": (
        answer,
        [types.AssistantMessageContentPartTextDelta(content_index=1 << 40, delta="x")],
    ),
    "text before the first part": (answer, [types.AssistantMessageContentPartTextDelta(content_index=-1, delta="x")]),
    "text that is none": (answer, [part(types.AssistantMessageContentPartTextDelta, content_index=0, delta=["x"])]),
    "an index that is none": (answer, [part(types.AssistantMessageContentPartTextDelta, content_index="0", delta="x")]),
    "a source of no part": (
        answer,
        [types.AssistantMessageContentPartAnnotationAdded(content_index=0, annotation_index=0, annotation=SOURCE)],
    ),
    "a source that is far away": (
        lambda turn: answer(turn, "x"),
        [
            types.AssistantMessageContentPartAnnotationAdded(
                content_index=0, annotation_index=1 << 40, annotation=SOURCE
            )
        ],
    ),
    "a task that is far away": (lambda turn: tasks(turn, 1), [types.WorkflowTaskAdded(task_index=9, task=TASK)]),
    "a task that is not there": (lambda turn: tasks(turn, 1), [types.WorkflowTaskUpdated(task_index=1, task=TASK)]),
    "a task that is none": (lambda turn: tasks(turn, 1), [part(types.WorkflowTaskUpdated, task_index=0, task="x")]),
    "a component that is not there": (
        widget,
        [types.WidgetStreamingTextValueDelta(component_id="nobody", delta="x", done=False)],
    ),
    "a widget that is none": (widget, [part(types.WidgetRootUpdated, widget=float("nan"))]),
    "nothing at all": (answer, [None]),
}


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("misfit", MISFITS)
@pytest.mark.parametrize("yielded", [True, False], ids=["yielded", "emitted"])
def test_an_update_that_does_not_fit_its_item_is_its_turns_error(stage: Stage, misfit: str, yielded: bool) -> None:
    make, updates = MISFITS[misfit]

    async def misfits(turn: Turn) -> Script:
        item = make(turn)
        yield "half an answer"
        yield added(item)
        for update in updates:
            event = types.ThreadItemUpdatedEvent.model_construct(
                type="thread.item.updated", item_id=item.id, update=update
            )
            if yielded:
                yield event
            else:
                await turn.emit(event)

    _, turn = failed(stage, misfits)
    assert turn.events[-1] == GENERIC
    assert not turn.of("thread.item.updated")[3:]


@pytest.mark.parametrize("end", ["done", "removed", "never begun", "another turn's"])
def test_an_update_of_an_item_that_is_not_streamed_is_its_turns_error(stage: Stage, end: str) -> None:
    async def late(turn: Turn) -> Script:
        item = answer(turn, "x")
        yield "half an answer"
        if end in ("done", "removed"):
            yield added(item)
            yield done(item) if end == "done" else types.ThreadItemRemovedEvent(item_id=item.id)
        elif end == "another turn's":
            item = (await turn.history())[0]  # type: ignore[assignment]
        yield delta(item.id, "y")

    _, turn = failed(stage, late)
    assert turn.events[-1] == GENERIC


async def custom(turn: Turn) -> Script:
    yield "half an answer"
    raise CustomStreamError("Too busy, sorry.", allow_retry=True)


async def custom_final(turn: Turn) -> Script:
    yield "half an answer"
    raise CustomStreamError("Never.")


async def coded(turn: Turn) -> Script:
    yield "half an answer"
    raise StreamError(ErrorCode.STREAM_ERROR)


async def coded_final(turn: Turn) -> Script:
    yield "half an answer"
    raise StreamError(ErrorCode.STREAM_ERROR, allow_retry=False)


async def event(turn: Turn) -> Script:
    yield "half an answer"
    yield types.ErrorEvent(code="custom", message="As an event.", allow_retry=True)
    yield "never shown"


async def bare_event(turn: Turn) -> Script:
    yield "half an answer"
    yield types.ErrorEvent(code=ErrorCode.STREAM_ERROR)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (custom, {"type": "error", "code": "custom", "message": "Too busy, sorry.", "allow_retry": True}),
        (custom_final, {"type": "error", "code": "custom", "message": "Never.", "allow_retry": False}),
        (coded, GENERIC),
        (coded_final, {**GENERIC, "allow_retry": False}),
        (event, {"type": "error", "code": "custom", "message": "As an event.", "allow_retry": True}),
        (bare_event, {**GENERIC, "allow_retry": False}),
    ],
)
def test_a_workflow_may_name_its_error_itself(stage: Stage, script: Respond, error: Json) -> None:
    _, turn = failed(stage, script)
    assert turn.events[-1] == error
    assert [item["content"][0]["text"] for item in turn.done("assistant_message")] == ["half an answer"]


def leaves_open(how: str) -> Respond:
    """A script that leaves a message, an empty message and a widget open, and then ends in one way or another."""

    async def script(turn: Turn) -> Script:
        message, empty = answer(turn), answer(turn)
        yield added(message)
        yield delta(message.id, "half a message")
        yield added(empty)
        yield added(widget(turn))
        if how == "raise":
            raise RuntimeError(CANARY)
        if how == "custom":
            raise CustomStreamError("Sorry.")
        if how == "coded":
            raise StreamError(ErrorCode.STREAM_ERROR)
        if how == "event":
            yield types.ErrorEvent(message="Sorry.")

    return script


@pytest.mark.parametrize("how", ["raise", "custom", "coded", "event"])
def test_items_that_a_failed_turn_left_open_are_finished_or_removed_before_the_error(stage: Stage, how: str) -> None:
    chat, turn = failed(stage, leaves_open(how))
    begun = [event["item"] for event in turn.of("thread.item.added")]
    assert [event["item_id"] for event in turn.of("thread.item.removed")] == [item["id"] for item in begun[1:]]
    assert [item["id"] for item in turn.done("assistant_message")] == [begun[0]["id"]]
    assert chat.items(turn.thread_id)[1]["content"][0]["text"] == "half a message"


def test_items_that_a_turn_left_open_are_finished_or_removed_when_it_ends_well_too(stage: Stage) -> None:
    chat = stage.chat(leaves_open("well"))
    turn = chat.create()
    assert turn.outcome == "completed"
    assert len(turn.of("thread.item.removed")) == 2
    assert [item["type"] for item in chat.items(turn.thread_id)] == ["user_message", "assistant_message"]


def test_what_a_failed_turn_changed_about_its_thread_is_shown_before_the_error(stage: Stage) -> None:
    async def locks(turn: Turn) -> Script:
        yield "No more."
        turn.thread.allowed_image_domains = ["img.example.com"]
        raise CustomStreamError("The limit is reached.")

    chat, turn = failed(stage, locks)
    assert turn.of("thread.updated")[-1]["thread"]["allowed_image_domains"] == ["img.example.com"]
    assert chat.call("threads.get_by_id", thread_id=turn.thread_id)["allowed_image_domains"] == ["img.example.com"]


def test_metadata_that_a_failed_turn_left_is_kept(stage: Stage) -> None:
    seen: list[Any] = []

    async def notes(turn: Turn) -> Script:
        seen.append(turn.thread.metadata.get("tried"))
        turn.thread.metadata["tried"] = True
        yield "noted"
        raise RuntimeError(CANARY)

    chat = stage.chat(notes)
    thread_id = chat.create().thread_id
    chat.send(thread_id)
    assert seen == [None, True]
