"""The showcase shows everything: whatever chatkit can express, some command reaches, the same way each time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import types
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Union, get_args, get_origin

import anyio
import pytest
from chatkit import types as ck
from chatkit import widgets as ckw
from chatkit.actions import Action, ActionConfig
from chatkit.errors import CustomStreamError, StreamError
from chatkit.types import ThreadItem, ThreadStreamEvent
from pydantic import BaseModel, TypeAdapter

from chatdock.protocol.snapshot import Snapshot
from chatdock.workflows.showcase import COMMANDS, gallery, showcase
from chatdock.workflows.showcase.picture import picture
from chatdock.workflows.turn import Turn, TurnSession
from chatdock.workflows.workflow import Emitted

pytestmark = pytest.mark.anyio

EVENT: TypeAdapter[ThreadStreamEvent] = TypeAdapter(ThreadStreamEvent)
THREAD = "cthr_test"
TIME = datetime(2026, 1, 1, tzinfo=UTC)
ARGUMENTS = {"slow": "0", "hang": "", "echo": "an echo", "long": "3"}
"""What some commands need to be quick; the others take a pace."""
VARIANTS = ["error stream", "error event retry", "error partial", "crash partial", "empty message", "form card"]

SERVER_ONLY: set[type[BaseModel]] = {
    ck.ThreadCreatedEvent,  # the server creates threads; a workflow may not say that it did
    ck.UserMessageItem,  # users write these
}


def user_message(text: str, **fields: Any) -> ck.UserMessageItem:
    return ck.UserMessageItem.model_validate(
        {
            "id": "cti_user",
            "thread_id": THREAD,
            "created_at": TIME,
            "content": [{"type": "input_text", "text": text}],
            "inference_options": {},
            **fields,
        }
    )


def make_turn(text: str | None = None, **fields: Any) -> Turn:
    """A turn as the engine makes one, without an engine."""
    message = None if text is None else user_message(text)
    given = {"message": message, "user": "user_1", "workflow_id": "wf_showcase", **fields}
    session = TurnSession(id="cksess_test")
    return Turn(thread=ck.ThreadMetadata(id=THREAD, created_at=TIME), session=session, **given)


async def collect(turn: Turn) -> tuple[list[Emitted], Exception | None]:
    """All that the workflow yields and what it raises; a workflow that hangs is cancelled."""
    answer = showcase.respond if turn.action is None else showcase.on_action
    assert answer is not None
    got: list[Emitted] = []
    try:
        with anyio.move_on_after(0.2 if turn.text == "hang" else 30) as scope:
            async for event in answer(turn):
                got.append(event)  # noqa: PERF401 - what came before an exception counts
    except Exception as error:
        return got, error
    assert scope.cancelled_caught == (turn.text == "hang")
    return got, None


async def say(text: str, **fields: Any) -> list[Emitted]:
    got, error = await collect(make_turn(text, **fields))
    assert error is None
    return got


def text_of(events: Iterable[Emitted]) -> str:
    return "".join(event for event in events if isinstance(event, str))


def items_of(events: Iterable[Emitted]) -> list[ThreadItem]:
    return [event.item for event in events if isinstance(event, ck.ThreadItemDoneEvent)]


def wire(event: BaseModel) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(event.model_dump_json(by_alias=True, exclude_none=True))
    return loaded


def lines() -> list[str]:
    """Every command, and the variants that reach what the plain command does not."""
    return [f"{word} {ARGUMENTS.get(word, '0ms')}".strip() for word in COMMANDS] + VARIANTS


async def everything() -> list[Emitted]:
    return [event for line in lines() for event in (await collect(make_turn(line)))[0]]


def members(union: Any) -> set[type]:
    """The classes of a union, however it is annotated and nested."""
    if get_origin(union) is Annotated:
        return members(get_args(union)[0])
    if get_origin(union) in (Union, types.UnionType):
        return set[type]().union(*(members(member) for member in get_args(union)))
    return {union}


def within(value: Any) -> Iterator[BaseModel]:
    """A model and all models inside it."""
    if isinstance(value, BaseModel):
        yield value
        children: Iterable[Any] = [*dict(value).values(), *(value.model_extra or {}).values()]
    elif isinstance(value, dict):
        children = value.values()
    elif isinstance(value, list):
        children = value
    else:
        return
    for inner in children:
        yield from within(inner)


def subclasses(base: type) -> set[type]:
    direct: list[type] = base.__subclasses__()
    return {base}.union(*(subclasses(each) for each in direct))


@pytest.mark.parametrize("line", lines())
async def test_every_command_yields_text_and_valid_events(line: str) -> None:
    got, _ = await collect(make_turn(line))
    for event in got:
        if not isinstance(event, str):
            again = EVENT.validate_json(event.model_dump_json(by_alias=True, exclude_none=True))
            assert wire(again) == wire(event)


@pytest.mark.parametrize("line", lines())
async def test_every_command_answers_the_same_each_time(line: str) -> None:
    def without_ids(events: list[Emitted], error: Exception | None) -> str:
        ids: dict[str, str] = {}
        plain = json.dumps([event if isinstance(event, str) else wire(event) for event in events])
        plain = re.sub(r"cti_[0-9a-f]+", lambda found: ids.setdefault(found[0], f"id {len(ids)}"), plain)
        return re.sub(r'"created_at": "[^"]+"', "", plain) + repr(error)

    first, second = await collect(make_turn(line)), await collect(make_turn(line))
    assert without_ids(*first) == without_ids(*second)


@pytest.mark.parametrize(
    "union",
    [
        pytest.param(ThreadStreamEvent, id="events"),
        pytest.param(ck.ThreadItem, id="items"),
        pytest.param(ck.ThreadItemUpdate, id="updates"),
        pytest.param(ck.Task, id="tasks"),
        pytest.param(ck.Source, id="sources"),
        pytest.param(ck.WorkflowSummary, id="summaries"),
        pytest.param(ck.StructuredInput, id="inputs"),
        pytest.param(ckw.Series, id="chart series"),
        pytest.param(ckw.StrictWidgetComponent, id="components"),
        pytest.param(ckw.StrictWidgetRoot, id="roots"),
    ],
)
async def test_some_command_reaches_every_member(union: Any) -> None:
    reached = {type(model) for event in await everything() for model in within(event)}
    assert members(union) - SERVER_ONLY - reached == set()


async def test_some_command_reaches_every_widget_class() -> None:
    """Not only what the unions name: also what templates make."""
    reached = {type(model) for event in await everything() for model in within(event)}
    assert subclasses(ckw.WidgetComponentBase) - {ckw.WidgetComponentBase} - reached == set()


async def test_some_command_leaves_the_thread_in_every_status() -> None:
    turns = [make_turn(line) for line in ("text 1", "lock", "close")]
    for turn in turns:
        await collect(turn)
    assert {type(turn.thread.status) for turn in turns} == members(ck.ThreadStatus)


async def test_notices_have_every_level() -> None:
    levels = {event.level for event in await say("notice") if isinstance(event, ck.NoticeEvent)}
    assert levels == set(get_args(ck.NoticeEvent.model_fields["level"].annotation))
    only = [event.level for event in await say("notice danger") if isinstance(event, ck.NoticeEvent)]
    assert only == ["danger"]


def test_widgets_have_no_misspelt_property() -> None:
    """chatkit drops properties that it does not know, and takes a broken component for an unknown one."""
    shown = [
        gallery.SHIP_CARD,
        gallery.FORM,
        gallery.CARD_FORM,
        gallery.HOSTILE_WIDGET,
        gallery.actions_card(1),
        gallery.stream_card(),
        *gallery.GALLERY.values(),
    ]
    strict = members(ckw.StrictWidgetComponent) | members(ckw.StrictWidgetRoot)
    classes = {kind.model_fields["type"].default: kind for kind in strict if issubclass(kind, BaseModel)}
    unknown: set[str] = set()
    for node in nodes(shown):
        if node["type"] in classes:
            parsed = classes[node["type"]].model_validate(node)
            assert without_none(parsed.model_dump(mode="json", exclude_unset=True)) == without_none(node)
        else:
            unknown.add(node["type"])
    assert unknown == {"Table", "Table.Row", "Table.Cell", "Hologram"}


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """The components of a widget, the outer ones first."""
    if isinstance(value, list):
        for child in value:
            yield from nodes(child)
    elif isinstance(value, dict):
        yield value
        yield from nodes(value.get("children"))


def without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_none(each) for name, each in value.items() if each is not None}
    return [without_none(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("word", ["annotations", "parts", "stream-widget", "workflow", "reasoning", "image"])
async def test_updates_add_up_to_the_item_that_is_done(word: str) -> None:
    events = [event for event in await say(f"{word} 0ms") if not isinstance(event, str)]
    snapshot = Snapshot()
    for event in events[:-1]:
        snapshot.apply(b"data: %b\n\n" % json.dumps(wire(event)).encode())
    (streamed,) = snapshot.items.values()
    done = events[-1]
    assert isinstance(done, ck.ThreadItemDoneEvent)
    final = wire(done.item)
    if word in ("workflow", "reasoning"):
        del final["workflow"]["summary"]  # there is no update for it: it comes with the end
        streamed["workflow"].pop("summary", None)
    assert streamed == final


async def test_help_lists_every_command() -> None:
    told = text_of(await say("help"))
    assert [found for found in COMMANDS if f"- `{found}" not in told] == []
    for unknown in ("", "hello there", "   "):
        assert text_of(await say(unknown)) == told


async def test_a_command_word_may_be_written_in_any_case_and_end_with_a_line() -> None:
    assert text_of(await say("ECHO\nTwo  words")) == "Two  words"


async def test_text_and_count_take_a_number_and_a_pace() -> None:
    assert len(await say("text 200 0ms")) == 200
    assert text_of(await say("count 5 0.001s")) == "1 2 3 4 5"
    assert await say("count 0") == []
    _, error = await collect(make_turn("text 999999999"))
    assert isinstance(error, CustomStreamError)
    assert error.message == "At most 20000 words, not 1e+09."
    _, error = await collect(make_turn("text 5 1000s"))
    assert isinstance(error, CustomStreamError)


async def test_long_text_has_so_many_kilobytes() -> None:
    assert len(text_of(await say("long 5"))) == 5 * 1024


async def test_markdown_arrives_whole() -> None:
    told = text_of(await say("markdown 0ms"))
    for part in ("- [x]", "|:---", "```python", "$$", "chatkit-link://order?id=42", "> >", "data:image/png;base64,"):
        assert part in told
    assert "{{" not in told


async def test_annotations_point_into_the_text() -> None:
    (item,) = items_of(await say("annotations 0ms"))
    assert isinstance(item, ck.AssistantMessageItem)
    (content,) = item.content
    places = [note.index for note in content.annotations if note.index is not None]
    assert [content.text[place] for place in places] == ["."] * 5
    assert len(set(places)) == 3


async def test_reasoning_ends_with_a_duration_and_a_workflow_with_a_title() -> None:
    (thoughts,) = items_of(await say("reasoning 0ms"))
    assert isinstance(thoughts, ck.WorkflowItem)
    assert isinstance(thoughts.workflow.summary, ck.DurationSummary)
    (work,) = items_of(await say("workflow 0ms expanded"))
    assert isinstance(work, ck.WorkflowItem)
    assert isinstance(work.workflow.summary, ck.CustomSummary)
    assert work.workflow.expanded


def test_pictures_are_png() -> None:
    assert picture().startswith("data:image/png;base64,iVBORw0KGgo")
    assert len({picture(step / 4) for step in range(5)}) == 5


async def test_a_tool_is_called_as_often_as_asked_and_its_output_told() -> None:
    (call,) = items_of(await say('tool get_weather 2 {"city": "Bergen"}'))
    assert isinstance(call, ck.ClientToolCallItem)
    assert (call.status, call.name) == ("pending", "get_weather")
    assert call.arguments == {"city": "Bergen", "calls_left": 1}
    answered = call.model_copy(update={"status": "completed", "output": {"wind": 3, "sky": "grey"}})
    got, _ = await collect(make_turn(tool_output=answered))
    assert text_of(got) == 'The tool get_weather returned `{"sky":"grey","wind":3}`.'
    (again,) = items_of(got)
    assert isinstance(again, ck.ClientToolCallItem)
    assert again.arguments == {"city": "Bergen"}
    assert again.call_id != call.call_id
    got, _ = await collect(make_turn(tool_output=again.model_copy(update={"output": None})))
    assert items_of(got) == []


async def test_a_tool_takes_only_a_json_object() -> None:
    _, error = await collect(make_turn("tool get_weather {broken"))
    assert isinstance(error, CustomStreamError)


async def test_questions_are_pending_and_their_answers_told() -> None:
    (asked,) = items_of(await say("input"))
    assert isinstance(asked, ck.StructuredInputItem)
    assert asked.status == "pending"
    answers = [
        ck.StructuredInputAnswer(values=["North"]),
        ck.StructuredInputAnswer(values=["Water", "Fuel"]),
        ck.StructuredInputAnswer(skipped=True),
    ]
    inputs = [each.model_copy(update={"answer": answer}) for each, answer in zip(asked.inputs, answers, strict=True)]
    answered = asked.model_copy(update={"status": "answered", "inputs": inputs})
    got, _ = await collect(make_turn(answers=answered))
    assert text_of(got) == (
        "The questions were answered.\n\n- berth: North\n- services: Water, Fuel\n- wishes: skipped\n"
    )
    got, _ = await collect(make_turn(answers=asked.model_copy(update={"status": "skipped"})))
    assert "The questions were skipped." in text_of(got)


async def test_errors_are_raised_or_yielded_as_asked() -> None:
    for line, kind, retry in (
        ("error", CustomStreamError, False),
        ("error custom retry", CustomStreamError, True),
        ("error stream", StreamError, True),
        ("error stream no-retry", StreamError, False),
    ):
        got, error = await collect(make_turn(line))
        assert isinstance(error, kind)
        assert error.allow_retry is retry
        assert got == []
    (event,) = await say("error event retry")
    assert isinstance(event, ck.ErrorEvent)
    assert event.allow_retry
    got, error = await collect(make_turn("crash partial"))
    assert isinstance(error, RuntimeError)
    assert text_of(got)


async def test_hang_ends_when_it_is_cancelled() -> None:
    got, error = await collect(make_turn("hang"))
    assert error is None
    assert len(got) == 1


async def test_the_thread_is_changed_through_the_turn() -> None:
    turn = make_turn("title Ships and tides")
    await collect(turn)
    assert turn.thread.title == "Ships and tides"
    turn = make_turn("lock Closed for repairs")
    await collect(turn)
    assert turn.thread.status == ck.LockedStatus(reason="Closed for repairs")
    turn = make_turn("close")
    await collect(turn)
    assert turn.thread.status == ck.ClosedStatus()


async def test_state_is_counted_and_only_names_are_told() -> None:
    turn = make_turn("state", state={"api_token": "do-not-tell", "plan": "gold"})
    got, _ = await collect(turn)
    assert text_of(got) == "Count: 1. State variables: api_token, plan."
    got, _ = await collect(turn)
    assert text_of(got) == "Count: 2. State variables: api_token, plan."


async def test_a_turn_tells_about_itself() -> None:
    async def load(limit: int | None, before: str | None) -> list[ThreadItem]:
        return [user_message("history"), user_message("again")]

    assert text_of(await say("whoami", locale="de-DE")) == "User: user_1. Locale: de-DE."
    assert text_of(await say("history", load_items=load)) == "Items: 2 (2 user_message)."
    assert text_of(await say("history")) == "Items: 0."
    chosen = user_message("options", inference_options={"model": "large", "tool_choice": {"id": "search"}})
    got, _ = await collect(make_turn(message=chosen))
    assert text_of(got) == "Model: large. Tool: search."
    full = user_message(
        "message",
        content=[
            {"type": "input_text", "text": "message "},
            {"type": "input_tag", "id": "p1", "text": "Ada", "data": {}},
        ],
        attachments=[{"type": "file", "id": "cfile_1", "name": "a.pdf", "mime_type": "application/pdf"}],
        quoted_text="as I said",
    )
    got, _ = await collect(make_turn(message=full, metadata={"page": "/orders"}))
    assert text_of(got) == (
        "- Tags: Ada (p1)\n- Attachments: a.pdf (file, application/pdf)\n"
        "- Quoted text: as I said\n- Request metadata: page\n"
    )


async def test_actions_stream_replace_and_run_commands() -> None:
    (shown,) = items_of(await say("actions"))
    assert isinstance(shown, ck.WidgetItem)

    async def act(kind: str, payload: Any) -> list[Emitted]:
        got, error = await collect(make_turn(action=Action(type=kind, payload=payload), sender=shown))
        assert error is None
        return got

    assert text_of(await act("showcase.report", {"b": 1, "a": 2})) == 'Action showcase.report: `{"a":2,"b":1}`'
    assert text_of(await act("anything.else", None)) == "Action anything.else: `null`"
    assert text_of(await act("showcase.run", {"text": "count 3 0ms"})) == "1 2 3"
    (event,) = await act("showcase.replace", {"presses": 4})
    assert isinstance(event, ck.ThreadItemReplacedEvent)
    assert event.item.id == shown.id
    assert "Pressed: 5" in event.model_dump_json()


async def test_sync_actions_return_the_widget_changed() -> None:
    assert showcase.on_sync_action is not None
    (shown,) = items_of(await say("actions"))
    (controls,) = items_of(await say("widgets controls"))

    press: Action[str, Any] = Action(type="showcase.press", payload={"presses": 0})
    changed = await showcase.on_sync_action(make_turn(action=press, sender=shown))
    assert changed is not None
    assert changed.id == shown.id
    assert "Pressed: 1" in changed.model_dump_json()

    change: Action[str, Any] = Action(type="showcase.changed", payload={"basin": "north"})
    changed = await showcase.on_sync_action(make_turn(action=change, sender=controls))
    assert changed is not None
    assert "Changed: basin = north" in changed.model_dump_json()
    EVENT.validate_json(ck.ThreadItemDoneEvent(item=changed).model_dump_json())

    assert await showcase.on_sync_action(make_turn(action=press)) is None
    with pytest.raises(RuntimeError):
        await showcase.on_sync_action(make_turn(action=Action(type="showcase.crash", payload=None), sender=shown))


async def test_every_action_of_a_widget_is_one_the_showcase_knows() -> None:
    known = {"report", "run", "replace", "press", "changed", "submit", "client", "crash"}
    found = {
        model.type
        for event in await everything()
        if not isinstance(event, str)
        for model in within(event)
        if isinstance(model, ActionConfig)
    }
    assert {f"showcase.{name}" for name in known} | {"__proto__"} == found


async def test_dictation_is_heard() -> None:
    assert showcase.on_transcribe is not None
    heard = await showcase.on_transcribe(make_turn(), ck.AudioInput(data=b"12345", mime_type="audio/webm;codecs=opus"))
    assert heard == "heard 5 bytes of audio/webm;codecs=opus"


def test_the_showcase_does_without_the_agents_sdk() -> None:
    """It costs two seconds to import."""
    code = "import chatdock.workflows.showcase, sys; assert not {'agents', 'openai'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
