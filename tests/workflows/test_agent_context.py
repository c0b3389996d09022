"""Tools of an agent: written for chatkit-python, or for a turn; what they say keeps its place."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, Model, RunContextWrapper, function_tool
from chatkit.agents import AgentContext, ResponseStreamConverter, ThreadItemConverter
from chatkit.store import NotFoundError
from chatkit.types import (
    Annotation,
    CustomSummary,
    CustomTask,
    ProgressUpdateEvent,
    URLSource,
    UserMessageItem,
    Workflow,
)
from chatkit.widgets import Card, Text

from chatdock import Turn
from chatdock.workflows.agents_sdk.context import TurnStore
from tests.chat.shapes import GATE_SECONDS, card
from tests.harness.model_endpoint import Say, Step, Think, Use
from tests.workflows.agents import scripted

Context = RunContextWrapper[AgentContext[Any]]


class Desk(AgentContext[Any]):
    """An author's own."""

    number: int


WORK = Use("work", {}, "call_1")


def agent_with(function: Any) -> Any:
    """An agent whose one tool is this function, by the name `work`."""
    tool = function_tool(name_override="work", description_override="Work.", failure_error_function=None)(function)
    return lambda model: Agent(name="Guide", model=model, tools=[tool])


def kinds(items: list[dict[str, Any]]) -> list[str]:
    return [item["type"] for item in items]


def test_a_widget_of_a_tool_stands_between_the_tool_and_the_answer(tmp_path: Path) -> None:
    async def work(ctx: Context) -> str:
        await ctx.context.stream_widget(Card(children=[Text(value="A card")]))
        return "shown"

    steps: list[Step] = [[Think("Hm."), WORK], [Say("There.")]]
    with scripted(tmp_path, agent_with(work), *steps) as (chat, _):
        turn = chat.create()
        assert turn.outcome == "completed"
        assert kinds(turn_items := chat.items(turn.thread_id)) == [
            "user_message", "workflow", "widget", "assistant_message"
        ]  # fmt: skip
    assert [task["status_indicator"] for task in turn_items[1]["workflow"]["tasks"]] == ["complete", "complete"]


def test_a_workflow_of_a_tool_is_an_item_of_its_own(tmp_path: Path) -> None:
    async def work(ctx: Context) -> str:
        await ctx.context.start_workflow(Workflow(type="custom", tasks=[]))
        await ctx.context.add_workflow_task(CustomTask(title="Prices", status_indicator="loading"))
        await ctx.context.update_workflow_task(CustomTask(title="Prices", status_indicator="complete"), task_index=0)
        await ctx.context.end_workflow(summary=CustomSummary(title="Compared"))
        return "compared"

    with scripted(tmp_path, agent_with(work), [WORK], [Say("Done.")]) as (chat, _):
        turn = chat.create()
        assert turn.outcome == "completed"
        ours, theirs = [item["workflow"] for item in chat.items(turn.thread_id) if item["type"] == "workflow"]
    assert [task["title"] for task in ours["tasks"]] == ["Work"]
    assert ([task["title"] for task in theirs["tasks"]], theirs["summary"]) == (["Prices"], {"title": "Compared"})


def test_a_task_of_a_tool_joins_what_is_under_way(tmp_path: Path) -> None:
    async def work(ctx: Context) -> str:
        await ctx.context.add_workflow_task(CustomTask(title="Prices"))
        await ctx.context.end_workflow()
        return "compared"

    with scripted(tmp_path, agent_with(work), [Think("Hm."), WORK], [Say("Done.")]) as (chat, _):
        turn = chat.create()
        assert turn.outcome == "completed"
        [workflow] = turn.done("workflow")
    tasks = workflow["workflow"]["tasks"]
    assert [task.get("title", task.get("content")) for task in tasks] == ["Hm.", "Work", "Prices"]


def test_events_and_the_turn_are_within_a_tools_reach(tmp_path: Path) -> None:
    async def work(ctx: Context) -> str:
        turn: Turn = ctx.context.request_context
        await ctx.context.stream(ProgressUpdateEvent(text="Working"))
        await turn.emit(turn.effect("blink"))
        await turn.emit(turn.widget(card("from the turn")))
        await turn.emit("Spoken by a tool.")
        await turn.emit(turn.cite(URLSource(url="https://example.com", title="Source")))
        turn.state["worked"] = True
        return turn.user

    with scripted(tmp_path, agent_with(work), [WORK], [Say("Done.")]) as (chat, endpoint):
        turn = chat.create()
        items = chat.items(turn.thread_id)
    assert turn.of("progress_update")
    assert turn.of("client_effect")
    assert kinds(items) == ["user_message", "workflow", "widget", "assistant_message", "assistant_message"]
    assert endpoint.requests[1]["input"][-1]["output"] == "user_1"


def test_the_store_of_a_context_reads_and_writes_the_turns_thread(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def work(ctx: Context) -> str:
        context, turn = ctx.context, ctx.context.request_context
        store, thread = context.store, context.thread
        page = await store.load_thread_items(thread.id, None, 10, "desc", turn)
        first = await store.load_item(thread.id, page.data[-1].id, turn)
        assert isinstance(first, UserMessageItem)
        seen.extend([page.has_more, (await store.load_thread(thread.id, turn)).id == thread.id])
        ahead = await store.load_thread_items(thread.id, first.id, 10, "asc", turn)
        assert first.id not in {item.id for item in ahead.data}
        for name in ("gone", "kept"):
            item = turn.say(name).item.model_copy(update={"id": context.generate_id("message")})
            await store.add_thread_item(thread.id, item, turn)
            if name == "gone":
                await store.delete_thread_item(thread.id, item.id, turn)
            else:
                await store.save_item(thread.id, turn.say("changed").item.model_copy(update={"id": item.id}), turn)
        thread.title = "By the tool"
        await store.save_thread(thread, turn)
        with pytest.raises(NotFoundError):
            await store.load_item(thread.id, "cti_none", turn)
        with pytest.raises(NotFoundError):
            await store.load_thread("cthr_none", turn)
        with pytest.raises(NotImplementedError):
            await store.load_threads(1, None, "asc", turn)
        return "done"

    with scripted(tmp_path, agent_with(work), [WORK], [Say("Done.")]) as (chat, _):
        turn = chat.create()
        assert turn.outcome == "completed"
        thread = chat.call("threads.get_by_id", thread_id=turn.thread_id)
    assert seen == [False, True]
    assert thread["title"] == "By the tool"
    texts = [item["content"][0]["text"] for item in thread["items"]["data"] if item["type"] == "assistant_message"]
    assert texts == ["changed", "Done."]


def test_contexts_of_turns_that_run_at_once_do_not_mix(tmp_path: Path) -> None:
    at_work: list[str] = []

    async def work(ctx: Context) -> str:
        at_work.append(ctx.context.request_context.text)
        async with asyncio.timeout(GATE_SECONDS):
            while len(at_work) < 2:
                await asyncio.sleep(0.005)
        await ctx.context.stream_widget(Card(children=[Text(value=ctx.context.request_context.text)]))
        return "shown"

    steps: list[Step] = [[WORK], [WORK], [Say("a")], [Say("b")]]
    with scripted(tmp_path, agent_with(work), *steps) as (chat, _):
        params = {"input": {"content": [{"type": "input_text", "text": "first"}], "attachments": []}}
        with chat.open("threads.create", params) as frames:
            second = chat.create("second")
            first = [frame.event for frame in frames if frame.event]
    widgets = [event["item"] for event in first if event.get("item", {}).get("type") == "widget"]
    assert [item["widget"]["children"][0]["value"] for item in widgets] == ["first"]
    assert [item["widget"]["children"][0]["value"] for item in second.done("widget")] == ["second"]


def test_an_author_may_make_the_context(tmp_path: Path) -> None:
    async def work(ctx: RunContextWrapper[Desk]) -> str:
        await ctx.context.stream_widget(Card(children=[Text(value=f"Desk {ctx.context.number}")]))
        return "shown"

    def context(turn: Turn) -> Desk:
        return Desk(thread=turn.thread, store=TurnStore(turn), request_context=turn, number=7)

    with scripted(tmp_path, agent_with(work), [WORK], [Say("Done.")], context=context) as (chat, _):
        [shown] = chat.create().done("widget")
    assert shown["widget"]["children"][0]["value"] == "Desk 7"


def test_the_context_may_be_anything(tmp_path: Path) -> None:
    async def work(ctx: RunContextWrapper[dict[str, Any]]) -> str:
        return str(ctx.context["user"])

    options: dict[str, Any] = {"context": lambda turn: {"user": turn.user}}
    with scripted(tmp_path, agent_with(work), [WORK], [Say("Done.")], **options) as (chat, endpoint):
        assert chat.create().text == "Done."
    assert endpoint.requests[1]["input"][-1]["output"] == "user_1"


def test_an_author_may_convert_items_and_citations(tmp_path: Path) -> None:
    class Shouting(ThreadItemConverter):
        async def user_message_to_input(self, item: UserMessageItem, is_last_message: bool = True) -> Any:
            converted: Any = await super().user_message_to_input(item, is_last_message)
            converted[0]["content"][0]["text"] = converted[0]["content"][0]["text"].upper()
            return converted

    class Sourceless(ResponseStreamConverter):
        async def url_citation_to_annotation(self, url_citation: Any) -> Annotation | None:
            return None

    url = {"type": "url_citation", "url": "https://example.com", "title": "T", "start_index": 0, "end_index": 1}

    def guide(model: Model) -> Agent[Any]:
        return Agent(name="Guide", model=model)

    options: dict[str, Any] = {"item_converter": Shouting(), "response_converter": Sourceless()}
    with scripted(tmp_path, guide, [Say("Done.", (url,))], **options) as (chat, endpoint):
        [said] = chat.create("quietly").done("assistant_message")
    assert said["content"][0]["annotations"] == []
    assert endpoint.requests[0]["input"][0]["content"][0]["text"] == "QUIETLY"


def test_a_long_thought_becomes_several_and_not_every_token_an_update(tmp_path: Path) -> None:
    thought = "\n\n".join(f"Paragraph {n} " + "and goes on " * 30 + "." for n in range(6))

    def guide(model: Model) -> Agent[Any]:
        return Agent(name="Guide", model=model)

    with scripted(tmp_path, guide, [Think(thought), Say("Done.")]) as (chat, _):
        turn = chat.create()
    [workflow] = turn.done("workflow")
    contents = [task["content"] for task in workflow["workflow"]["tasks"]]
    assert "\n\n".join(contents) == thought
    assert max(map(len, contents)) < 1500
    assert len(turn.of("workflow.task.updated")) < len(thought) / 25
