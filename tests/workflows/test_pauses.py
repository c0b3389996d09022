"""Whatever a run waits for, it goes on: in any turn of a thread, after a restart, over both APIs of models."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, HostedMCPTool, Model, function_tool
from agents.mcp import MCPServerStreamableHttp
from chatkit.types import StructuredInputFreeform

from chatdock import client_tool, current_turn
from tests.exports.test_tools import ships
from tests.harness.client import Chat, Turn
from tests.harness.model_endpoint import Hosted, Part, Say, Status, Step, Use, model_endpoint
from tests.workflows.agents import Api, agent_server, asked_in, give, press, scripted

TURNS = (1, 2, 5)
REFUNDED: list[int] = []
ASKED: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    REFUNDED.clear()
    ASKED.clear()


@function_tool(needs_approval=True)
def refund(order: int) -> str:
    """Give money back."""
    REFUNDED.append(order)
    return f"paid {order} back"


@client_tool
def current_city() -> None:
    """Where the user is."""


@function_tool
async def ask_why() -> str:
    """Ask the user with a form."""
    turn = current_turn()
    ASKED.append(turn.thread.id)
    await turn.emit(turn.ask(StructuredInputFreeform(id="why", question="Why?")))
    return "The form is shown."


MCP: Any = {
    "type": "mcp",
    "server_label": "ships",
    "server_url": "https://mcp.example.com",
    "require_approval": "always",
}


def desk(model: Model) -> Agent[Any]:
    return Agent(name="Desk", model=model, tools=[refund, current_city, ask_why])


def harbour(model: Model) -> Agent[Any]:
    return Agent(name="Harbour", model=model, tools=[HostedMCPTool(tool_config=MCP)])


def _approve(chat: Chat, asked: Turn) -> Turn:
    return press(chat, asked.done("widget")[0], "confirm")


def _fill_in(chat: Chat, asked: Turn) -> Turn:
    [form] = asked.done("structured_input")
    answers = {"why": {"values": ["broken"]}}
    params = {"thread_id": asked.thread_id, "item_id": form["id"], "input": {"answers": answers}}
    return Turn(chat.stream("threads.add_structured_input", **params))


@dataclass(frozen=True)
class Wait:
    """One kind of pause."""

    asks: list[Step]
    """What the model says until the run waits."""
    answer: Callable[[Chat, Turn], Turn]
    told: str
    """What the model is told then."""
    make: Callable[[Model], Agent[Any]] = desk


SINKS: Part = Hosted(
    {
        "type": "mcp_approval_request", "id": "mcpr_1", "name": "sink_ship", "server_label": "ships",
        "arguments": '{"ship": "Erna"}',
    }
)  # fmt: skip
WAITS: dict[str, Wait] = {
    "approval": Wait([[Say("Let me see."), Use("refund", {"order": 4})]], _approve, "paid 4 back"),
    "client tool": Wait([[Use("current_city")]], lambda chat, asked: give(chat, asked.thread_id, "Köln"), "Köln"),
    "structured input": Wait([[Use("ask_why")], [Say("Please say why.")]], _fill_in, "broken"),
    "MCP approval": Wait([[SINKS]], _approve, "mcp_approval_response", harbour),
}


@pytest.mark.parametrize(
    ("kind", "api"),
    [(kind, api) for kind in WAITS for api in ("responses", "chat") if (kind, api) != ("MCP approval", "chat")],
)
def test_a_run_that_waits_goes_on_in_the_first_second_and_fifth_turn_after_a_restart(
    tmp_path: Path, kind: str, api: Api
) -> None:
    wait = WAITS[kind]
    before: list[Step] = [[Say(f"你好 {n}.")] for n in range(1, 5)]
    steps: list[Step] = [step for turn in TURNS for step in [*before[: turn - 1], *wait.asks]]
    steps += [[Say("Done.")] for _ in TURNS]
    with model_endpoint(*steps) as endpoint:
        with agent_server(tmp_path, endpoint.url, wait.make, api=api) as server:
            chat = server.backend.chat()
            waiting = asked_in(chat, TURNS)
        with agent_server(tmp_path, endpoint.url, wait.make, api=api) as server:
            chat = server.backend.chat_with(chat.secret)
            for number, asked in zip(TURNS, waiting, strict=True):
                turn = wait.answer(chat, asked)
                assert (turn.outcome, turn.text) == ("completed", "Done."), f"turn {number}"
                sent = json.dumps(endpoint.requests[-1], ensure_ascii=False)
                assert wait.told in sent
                assert [f"你好 {n}." in sent for n in range(1, 5)] == [n < number for n in range(1, 5)]
        assert endpoint.steps == []
    assert ([4] * len(TURNS) if kind == "approval" else []) == REFUNDED
    assert len(ASKED) == (len(TURNS) if kind == "structured input" else 0)


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_calls_of_one_answer_that_wait_for_different_things_go_on_in_a_later_turn(tmp_path: Path, api: Api) -> None:
    refunds = [Use("refund", {"order": order}, f"call_{order}") for order in (4, 5)]
    calls: Step = [refunds[0], Use("current_city", {}, "call_c"), refunds[1]]
    with scripted(tmp_path, desk, [Say("Hello.")], calls, [Say("One of them.")], api=api) as (chat, endpoint):
        asked = chat.send(chat.create("hello").thread_id, "refund 4 and 5")
        first, second = asked.done("widget")
        press(chat, first, "cancel")
        assert press(chat, second, "confirm").outcome == "waiting"
        assert give(chat, asked.thread_id, "Rome").text == "One of them."
    sent = json.dumps(endpoint.requests[-1])
    assert REFUNDED == [5]
    assert all(output in sent for output in ("Tool execution was not approved.", "Rome", "paid 5 back"))


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_a_tool_of_an_mcp_server_is_approved_in_any_turn_after_a_restart_and_called_once(
    tmp_path: Path, api: Api
) -> None:
    seen: list[str] = []
    sinks: Step = [Use("sink_ship", {"ship": "Erna"})]
    before: list[Step] = [[Say(f"Hello {n}.")] for n in range(1, 5)]
    steps: list[Step] = [step for turn in TURNS for step in [*before[: turn - 1], sinks]]
    steps += [[Say("Sunk.")] for _ in TURNS[1:]]
    with ships(seen) as url, model_endpoint(*steps, Status(400), [Say("Sunk.")]) as endpoint:

        def fleet(model: Model) -> Agent[Any]:
            server = MCPServerStreamableHttp({"url": url}, name="ships", require_approval="always")
            return Agent(name="Fleet", model=model, mcp_servers=[server])

        with agent_server(tmp_path, endpoint.url, fleet, api=api) as server:
            chat = server.backend.chat()
            waiting = asked_in(chat, TURNS)
        assert "Erna" not in seen
        with agent_server(tmp_path, endpoint.url, fleet, api=api) as server:
            chat = server.backend.chat_with(chat.secret)
            texts = [press(chat, asked.done("widget")[0], "confirm").text for asked in waiting]
            assert texts == ["Sunk.", "Sunk.", ""]
            question = [item for item in chat.items(waiting[-1].thread_id) if item["type"] == "user_message"][-1]
            params = {"thread_id": waiting[-1].thread_id, "item_id": question["id"]}
            assert Turn(chat.stream("threads.retry_after_item", **params)).text == "Sunk."
        assert "Erna is sunk" in json.dumps(endpoint.requests[-1])
    assert seen.count("Erna") == len(TURNS)
