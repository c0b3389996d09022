"""Exports go on from whatever they wait for, in any turn, over both APIs; what was approved is done once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from agents import Agent

from tests.exports import orders
from tests.exports.serving import export_server, journey, scripted_file
from tests.exports.test_journeys import card, retried
from tests.exports.test_tools import ASKS, ships
from tests.exports.test_turns import said
from tests.harness.client import Chat, Turn
from tests.harness.model_endpoint import Hosted, Say, Status, Step, Use, model_endpoint
from tests.workflows.agents import Api, agent_server, give, press
from tests.workflows.test_approvals import kept
from tests.workflows.test_executed_once import failed, outputs

TURNS = (1, 2, 5)
DOWN = Status(400)
"""No client asks again by itself after that."""
APIS = pytest.mark.parametrize("api", ["responses", "chat"])
BEFORE = """
from tests.exports import orders

@function_tool(needs_approval=True)
def refund(order: int) -> str:
  orders.paid_back.append(order)
  return f"paid {order} back"

payer = Agent(name="Payer", instructions="Pay.", model="gpt-4.1", tools=[refund])
"""
NODES = """
match workflow["input_as_text"]:
  case "approve":
    if approval_request("Go on?"):
      await ask(writer, conversation_history)
    else:
      await ask(reviewer, conversation_history)
  case "refund":
    await ask(payer, conversation_history)
    await ask(reviewer, conversation_history)
  case "city":
    await ask(clerk, conversation_history)
  case "sink":
    await ask(harbour, conversation_history)
  case _:
    await ask(writer, conversation_history)
"""
PAY = Use("refund", {"order": 4}, "call_4")


@pytest.fixture(autouse=True)
def _nothing_paid() -> None:
    orders.paid_back.clear()


def _approve(chat: Chat, asked: Turn) -> Turn:
    return press(chat, card(asked), "confirm")


@dataclass(frozen=True)
class Wait:
    """One kind of pause."""

    asks: list[Step]
    answer: Callable[[Chat, Turn], Turn]
    says: list[Step]
    told: str


WAITS = {
    "approve": Wait([], _approve, [[Say("Done.")]], ""),
    "refund": Wait([[Say("Let me see."), PAY]], _approve, [[Say("Paid.")], [Say("Done.")]], "paid 4 back"),
    "city": Wait(
        [[Use("current_city", {"precise": True})]],
        lambda chat, asked: give(chat, asked.thread_id, "Köln"),
        [[Say("Done.")]],
        "Köln",
    ),
    "sink": Wait([], _approve, [[Say("Done.")]], ""),
}


@contextmanager
def placed(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """The export, and what its MCP server was asked for."""
    seen: list[str] = []
    with ships(seen) as url:
        path = journey(folder, NODES, BEFORE)
        path.write_text(path.read_text().replace("http://127.0.0.1:9/mcp", url))
        yield path, seen


@APIS
@pytest.mark.parametrize("kind", WAITS)
def test_an_export_that_waits_goes_on_in_the_first_second_and_fifth_turn_after_a_restart(
    tmp_path: Path, kind: str, api: Api
) -> None:
    wait = WAITS[kind]
    asks = wait.asks
    if kind == "sink":
        asks = [[Hosted(ASKS)]] if api == "responses" else [[Use("sink_ship", {"ship": "Erna"})]]
    before: list[Step] = [[Say(f"你好 {n}.")] for n in range(1, 5)]
    steps: list[Step] = [step for turn in TURNS for step in [*before[: turn - 1], *asks]]
    steps += wait.says * len(TURNS)
    with placed(tmp_path) as (path, seen), model_endpoint(*steps) as endpoint:
        with export_server(tmp_path, endpoint.url, path, api=api) as server:
            chat, waiting = server.backend.chat(), []
            for number in TURNS:
                texts = [*["hello"] * (number - 1), kind]
                turn = chat.create(texts[0])
                for text in texts[1:]:
                    turn = chat.send(turn.thread_id, text)
                waiting.append(turn)
        with export_server(tmp_path, endpoint.url, path, api=api) as server:
            chat = server.backend.chat_with(chat.secret)
            for number, asked in zip(TURNS, waiting, strict=True):
                turn = wait.answer(chat, asked)
                assert (turn.outcome, said(turn)[-1]) == ("completed", "Done."), f"turn {number}"
                sent = json.dumps(endpoint.requests[-1], ensure_ascii=False)
                assert wait.told in sent
                assert [f"你好 {n}." in sent for n in range(1, 5)] == [n < number for n in range(1, 5)]
        assert endpoint.steps == []
    paid = [4] * len(TURNS) if kind == "refund" else []
    assert orders.paid_back == paid
    assert seen.count("Erna") == (len(TURNS) if (kind, api) == ("sink", "chat") else 0)
    assert kept(tmp_path) == sum(TURNS)  # what each turn left


@APIS
@pytest.mark.parametrize("fails", ["after the tool", "in a later agent"])
def test_an_approved_call_of_an_exports_agent_is_executed_once(tmp_path: Path, api: Api, fails: str) -> None:
    after: list[Step] = [[Say("Paid.")], [Say("Checked.")]]
    after.insert(0 if fails == "after the tool" else 1, DOWN)
    steps: list[Step] = [[Say("Hello.")], [PAY], *after, [Say("Welcome.")]]
    path = journey(tmp_path, NODES, BEFORE)
    with model_endpoint(*steps) as endpoint:
        with export_server(tmp_path, endpoint.url, path, api=api) as server:
            chat = server.backend.chat()
            asked = chat.send(chat.create().thread_id, "refund")
            assert failed(_approve(chat, asked))
        with export_server(tmp_path, endpoint.url, path, api=api) as server:
            chat = server.backend.chat_with(chat.secret)
            assert said(retried(chat, asked)) == ["Paid.", "Checked."]
            assert outputs(endpoint) == {"call_4": "paid 4 back"}
            chat.send(asked.thread_id, "thanks")
            assert outputs(endpoint) == {"call_4": "paid 4 back"}  # part of the conversation
    assert endpoint.steps == []
    assert orders.paid_back == [4]


def test_a_remote_tool_that_was_approved_is_called_once(tmp_path: Path) -> None:
    steps: list[Step] = [[Use("sink_ship", {"ship": "Erna"})], DOWN, DOWN, [Say("Sunk.")]]
    with placed(tmp_path) as (path, seen), scripted_file(tmp_path, path, *steps, api="chat") as (chat, _):
        asked = chat.create("sink")
        assert failed(_approve(chat, asked))
        assert failed(retried(chat, asked))
        assert said(retried(chat, asked)) == ["Sunk."]
    assert seen.count("Erna") == 1


def test_a_failure_that_the_file_catches_stays_caught_and_one_that_ends_the_turn_is_tried_again(tmp_path: Path) -> None:
    text = """
    if approval_request("Go on?"):
      try:
        await ask(writer, conversation_history)
      except Exception:
        await ask(payer, conversation_history)
      await asyncio.gather(ask(reviewer, conversation_history), ask(clerk, conversation_history))
    """
    path = journey(tmp_path, text, BEFORE)
    first: list[Step] = [DOWN, [PAY], [Say("Paid.")], DOWN, DOWN]
    with scripted_file(tmp_path, path, *first, [Say("A.")], [Say("A.")]) as (chat, _):
        asked = chat.create("go")
        paying = _approve(chat, asked)
        failing = _approve(chat, paying)
        assert failed(failing)
        assert sorted(said(retried(chat, asked))) == ["A.", "A.", "Paid."]
    assert orders.paid_back == [4]


def test_a_rejection_is_kept_through_a_retry(tmp_path: Path) -> None:
    path = journey(tmp_path, NODES, BEFORE)
    with scripted_file(tmp_path, path, DOWN, [Say("Reviewed.")]) as (chat, _):
        asked = chat.create("approve")
        assert failed(press(chat, card(asked), "cancel"))
        assert said(retried(chat, asked)) == ["Reviewed."]


@APIS
def test_a_new_message_after_the_failure_lets_an_exports_agents_know_what_was_done(tmp_path: Path, api: Api) -> None:
    path = journey(tmp_path, NODES, BEFORE)
    with scripted_file(tmp_path, path, [PAY], DOWN, [Say("Yes.")], [Say("Yes!")], api=api) as (chat, endpoint):
        asked = chat.create("refund")
        assert failed(_approve(chat, asked))
        for _ in range(2):
            chat.send(asked.thread_id, "Did it work?")
            sent = json.dumps(endpoint.requests[-1]).replace("\\", "")
            assert 'refund({"order": 4}): paid 4 back' in sent
    assert orders.paid_back == [4]


def test_a_file_that_was_changed_after_the_failure_starts_over_and_its_agents_know_what_was_done(
    tmp_path: Path,
) -> None:
    path = journey(tmp_path, NODES, BEFORE)
    steps: list[Step] = [[PAY], DOWN, [Say("That has been paid.")], [Say("Checked.")]]
    with model_endpoint(*steps) as endpoint:
        with export_server(tmp_path, endpoint.url, path) as server:
            chat = server.backend.chat()
            asked = chat.create("refund")
            assert failed(_approve(chat, asked))
        path.write_text(path.read_text() + "\n# changed\n")
        with export_server(tmp_path, endpoint.url, path) as server:
            again = retried(server.backend.chat_with(chat.secret), asked)
        assert said(again) == ["That has been paid.", "Checked."]
        first: Any = endpoint.requests[2]
    assert "paid 4 back" in json.dumps(first)
    assert orders.paid_back == [4]


def test_an_agent_that_takes_an_exports_place_knows_what_was_done(tmp_path: Path) -> None:
    path = journey(tmp_path, NODES, BEFORE)
    with model_endpoint([PAY], DOWN, [Say("That has been paid.")]) as endpoint:
        with export_server(tmp_path, endpoint.url, path) as server:
            chat = server.backend.chat()
            asked = chat.create("refund")
            assert failed(_approve(chat, asked))
        with agent_server(tmp_path, endpoint.url, lambda model: Agent(name="Desk", model=model)) as server:
            again = retried(server.backend.chat_with(chat.secret), asked)
        assert again.text == "That has been paid."
        request: Any = endpoint.requests[-1]
    assert "paid 4 back" in json.dumps(request)
    assert "refund" in json.dumps(request["input"][0])
    assert orders.paid_back == [4]
