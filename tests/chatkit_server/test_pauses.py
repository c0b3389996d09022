"""Hosted servers go on from what their agents wait for, in any turn, after a restart, over both APIs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from agents import (
    Agent,
    Model,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunContextWrapper,
    Runner,
    RunState,
    StopAtTools,
    function_tool,
)
from bench.reference import MemoryStore
from chatkit.actions import Action, ActionConfig
from chatkit.agents import AgentContext, ClientToolCall, simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.types import (
    StructuredInputFreeform,
    StructuredInputItem,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)
from chatkit.widgets import Button, Card

from tests.chatkit_server.peers import Context, hosted
from tests.chatkit_server.shapes import Answer, base
from tests.harness.client import Chat, Turn
from tests.harness.model_endpoint import Say, Status, Step, Use, model_endpoint
from tests.harness.openai_client import openai_client
from tests.workflows.agents import Api, act, asked_in, give

TURNS = (1, 2, 5)
REFUNDED: list[int] = []


@function_tool(needs_approval=True)
def refund(order: int) -> str:
    """Give money back."""
    REFUNDED.append(order)
    return f"paid {order} back"


@function_tool
def open_map(ctx: RunContextWrapper[AgentContext[Context]]) -> str:
    """Show a map on the page."""
    ctx.context.client_tool_call = ClientToolCall(name="show_map", arguments={})
    return "opening"


@function_tool
async def ask_why(ctx: RunContextWrapper[AgentContext[Context]]) -> str:
    """Ask the user with a form."""
    chatkit = ctx.context
    item = StructuredInputItem(
        id=chatkit.generate_id("message"),
        thread_id=chatkit.thread.id,
        created_at=chatkit.thread.created_at,
        inputs=[StructuredInputFreeform(id="why", question="Why?")],
    )
    await chatkit.stream(ThreadItemDoneEvent(item=item))
    return "The form is shown."


@function_tool
async def pay(ctx: RunContextWrapper[AgentContext[Context]], order: int) -> str:
    """Give money back, once."""
    chatkit = ctx.context
    paid = chatkit.thread.metadata.setdefault("paid", [])
    if order not in paid:
        REFUNDED.append(order)
        paid.append(order)
        await chatkit.store.save_thread(chatkit.thread, chatkit.request_context)
    return f"paid {order} back"


class Desk(ChatKitServer[Context]):
    """A server that stores the state of a run which waits, as the Agents SDK's guide does it."""

    def __init__(self, model: Model) -> None:
        super().__init__(MemoryStore())
        stops = StopAtTools(stop_at_tool_names=["open_map"])
        tools: list[Any] = [refund, open_map, ask_why, pay]
        self.agent: Agent[Answer] = Agent(name="Desk", model=model, tools=tools, tool_use_behavior=stops)

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, after=None, limit=50, order="asc", context=context)
        async for event in self._run(thread, context, await simple_to_agent_input(page.data)):
            yield event

    async def action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        state: Any = await RunState.from_json(self.agent, thread.metadata.pop("waits"))
        for item in state.get_interruptions():
            state.approve(item)
        async for event in self._run(thread, context, state):
            yield event

    async def _run(self, thread: ThreadMetadata, context: Context, given: Any) -> AsyncIterator[ThreadStreamEvent]:
        chatkit: Answer = AgentContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(self.agent, given, context=chatkit)
        async for event in stream_agent_response(chatkit, result):
            yield event
        if result.interruptions:
            thread.metadata["waits"] = result.to_state().to_json(context_serializer=lambda _: {})
            button = Button(label="Approve", onClickAction=ActionConfig(type="approve", payload={}))
            card = WidgetItem(**base(self, thread, context), widget=Card(children=[button]))
            yield ThreadItemDoneEvent(item=card)


def _approve(chat: Chat, asked: Turn) -> Turn:
    return act(chat, asked.done("widget")[0], {"type": "approve", "payload": {}})


def _fill_in(chat: Chat, asked: Turn) -> Turn:
    [form] = asked.done("structured_input")
    given = {"answers": {"why": {"values": ["broken"]}}}
    params = {"thread_id": asked.thread_id, "item_id": form["id"], "input": given}
    return Turn(chat.stream("threads.add_structured_input", **params))


WAITS: dict[str, tuple[list[Step], Callable[[Chat, Turn], Turn], str]] = {
    "approval": ([[Use("refund", {"order": 4})]], _approve, "paid 4 back"),
    "client tool": ([[Use("open_map")]], lambda chat, asked: give(chat, asked.thread_id, "Rome"), "Rome"),
    "structured input": ([[Use("ask_why")], [Say("Please say why.")]], _fill_in, "broken"),
}


@pytest.mark.parametrize("api", ["responses", "chat"])
@pytest.mark.parametrize("kind", WAITS)
def test_a_hosted_server_goes_on_in_the_first_second_and_fifth_turn_after_a_restart(
    tmp_path: Path, kind: str, api: Api
) -> None:
    REFUNDED.clear()
    asks, answer, told = WAITS[kind]
    before: list[Step] = [[Say(f"你好 {n}.")] for n in range(1, 5)]
    steps: list[Step] = [step for turn in TURNS for step in [*before[: turn - 1], *asks]]
    steps += [[Say("Done.")] for _ in TURNS]
    make = OpenAIResponsesModel if api == "responses" else OpenAIChatCompletionsModel
    with model_endpoint(*steps) as endpoint:
        with hosted(tmp_path, Desk(make("scripted", openai_client(endpoint.url, api_key="unused")))) as server:
            chat = server.backend.chat()
            waiting = asked_in(chat, TURNS)
        with hosted(tmp_path, Desk(make("scripted", openai_client(endpoint.url, api_key="unused")))) as server:
            chat = server.backend.chat_with(chat.secret)
            for number, asked in zip(TURNS, waiting, strict=True):
                turn = answer(chat, asked)
                assert (turn.outcome, turn.text) == ("completed", "Done."), f"turn {number}"
                sent = json.dumps(endpoint.requests[-1], ensure_ascii=False)
                assert told in sent
                assert [f"你好 {n}." in sent for n in range(1, 5)] == [n < number for n in range(1, 5)]
        assert endpoint.steps == []
    assert len(REFUNDED) == (len(TURNS) if kind == "approval" else 0)


def test_what_a_hosted_servers_tool_notes_in_the_thread_is_there_for_a_retry(tmp_path: Path) -> None:
    REFUNDED.clear()
    steps: list[Step] = [[Use("pay", {"order": 4})], Status(400), [Use("pay", {"order": 4})], [Say("Done.")]]
    with model_endpoint(*steps) as endpoint:
        model = OpenAIResponsesModel("scripted", openai_client(endpoint.url, api_key="unused"))
        with hosted(tmp_path, Desk(model)) as server:
            chat = server.backend.chat()
            asked = chat.create("pay 4 back")
            assert asked.outcome == "failed"
            [question] = asked.done("user_message")
            params = {"thread_id": asked.thread_id, "item_id": question["id"]}
            assert Turn(chat.stream("threads.retry_after_item", **params)).text == "Done."
    assert REFUNDED == [4]
