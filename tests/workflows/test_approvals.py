"""A tool that needs an approval: the run waits for the user, however long, and nothing but their answer decides."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, HostedMCPTool, Model, ShellTool, function_tool

from chatdock import Turn as WorkflowTurn
from chatdock.workflows.agents_sdk import pause
from chatdock.workflows.turn import KEPT
from tests.chat.shapes import Script
from tests.harness.client import CANARY, ApiFailure, Backend, Chat, Json, Turn
from tests.harness.model_endpoint import Hosted, ModelEndpoint, Say, Step, Use, model_endpoint
from tests.workflows.agents import Api, act, agent_server, give, press, scripted

REFUNDED: list[int] = []


@pytest.fixture(autouse=True)
def _nothing_refunded() -> None:
    REFUNDED.clear()


@function_tool(needs_approval=True)
def refund_order(order: int) -> str:
    """Give money back."""
    REFUNDED.append(order)
    return f"refunded {order}"


def desk(model: Model) -> Agent[Any]:
    return Agent(name="Desk", model=model, instructions=CANARY, tools=[refund_order])


def refund(order: int) -> Use:
    return Use("refund_order", {"order": order}, f"call_{order}")


def outputs(endpoint: ModelEndpoint) -> dict[str, str]:
    """What the model was last told of its calls, by id."""
    given = endpoint.requests[-1]["input"]
    return {item["call_id"]: item["output"] for item in given if item.get("type") == "function_call_output"}


def badge(card: Json) -> str:
    """The outcome that a card shows."""
    return str(card["widget"]["children"][-1]["label"])


def cards(chat: Chat, turn: Turn) -> list[Json]:
    return [item for item in chat.items(turn.thread_id) if item["type"] == "widget"]


def kept(folder: Path) -> int:
    """How many paused runs the database holds."""
    with sqlite3.connect(folder / "chatdock.db") as database:
        count = database.execute("SELECT count(*) FROM item WHERE data LIKE ?", (f"%{KEPT}%",)).fetchone()[0]
    database.close()
    return int(count)


def test_the_card_names_the_tool_and_its_arguments_and_has_two_buttons(tmp_path: Path) -> None:
    with scripted(tmp_path, desk, [refund(4)]) as (chat, _):
        turn = chat.create()
        [card] = turn.done("widget")
    assert turn.outcome == "completed"
    assert card["copy_text"] == "Refund order: approve or reject"
    assert [card["widget"][button]["label"] for button in ("confirm", "cancel")] == ["Approve", "Reject"]
    assert "Refund order" in json.dumps(card["widget"]["children"])
    assert {"type": "Text", "value": "4"} in card["widget"]["children"][1]["children"]
    assert REFUNDED == []


@pytest.mark.parametrize("api", ["responses", "chat"])
@pytest.mark.parametrize("button", ["confirm", "cancel"])
def test_an_answer_after_a_restart_completes_the_turn_once(tmp_path: Path, api: Api, button: Any) -> None:
    with model_endpoint([refund(4)], [Say("Done.")]) as endpoint:
        with agent_server(tmp_path, endpoint.url, desk, api=api) as server:
            chat = server.backend.chat()
            [card] = chat.create().done("widget")
        with agent_server(tmp_path, endpoint.url, desk, api=api) as server:
            chat = server.backend.chat_with(chat.secret)
            turn = press(chat, card, button)
            assert (turn.outcome, turn.text) == ("completed", "Done.")
            [settled] = [event["item"] for event in turn.of("thread.item.replaced")]
            assert badge(settled) == ("Approved" if button == "confirm" else "Rejected")
            assert "confirm" not in settled["widget"]
            assert "cancel" not in settled["widget"]
            items = chat.items(card["thread_id"])
            again = press(chat, card, "confirm")
            assert (again.outcome, again.types) == ("completed", ["stream_options"])
            assert chat.items(card["thread_id"]) == items
    assert len(REFUNDED) == (1 if button == "confirm" else 0)
    assert kept(tmp_path) == 0


def test_the_model_is_told_what_was_rejected(tmp_path: Path) -> None:
    with scripted(tmp_path, desk, [refund(4)], [Say("Then not.")]) as (chat, endpoint):
        [card] = chat.create().done("widget")
        press(chat, card, "cancel")
        assert outputs(endpoint) == {"call_4": "Tool execution was not approved."}


def test_several_approvals_are_asked_at_once_and_the_run_goes_on_after_the_last(tmp_path: Path) -> None:
    with scripted(tmp_path, desk, [refund(4), refund(5)], [Say("One of them.")]) as (chat, endpoint):
        first, second = chat.create().done("widget")
        turn = press(chat, second, "confirm")
        assert turn.types == ["stream_options", "thread.item.replaced"]
        assert REFUNDED == []
        assert press(chat, second, "cancel").types == ["stream_options"]
        assert press(chat, first, "cancel").text == "One of them."
        assert outputs(endpoint) == {"call_4": "Tool execution was not approved.", "call_5": "refunded 5"}
    assert REFUNDED == [5]


def test_a_run_may_ask_again(tmp_path: Path) -> None:
    with scripted(tmp_path, desk, [refund(4)], [refund(5)], [Say("Both.")]) as (chat, _):
        [card] = chat.create().done("widget")
        [second] = press(chat, card, "confirm").done("widget")
        assert press(chat, second, "confirm").text == "Both."
    assert REFUNDED == [4, 5]


def test_a_new_message_gives_the_call_up_and_the_card_says_so(tmp_path: Path) -> None:
    with scripted(tmp_path, desk, [refund(4)], [Say("As you like.")]) as (chat, _):
        turn = chat.create()
        [card] = turn.done("widget")
        assert chat.send(turn.thread_id, "Never mind").text == "As you like."
        assert [badge(each) for each in cards(chat, turn)] == ["Not answered"]
        assert press(chat, card, "confirm").types == ["stream_options"]
    assert REFUNDED == []
    assert kept(tmp_path) == 0


@pytest.mark.parametrize(
    "payload", [None, {}, {"approved": "yes"}, {"approved": 1}, {"approve": True}, {"order": 9}, [True]]
)
def test_a_forged_answer_decides_nothing(tmp_path: Path, payload: Any) -> None:
    with scripted(tmp_path, desk, [refund(4)], [Say("Done.")]) as (chat, _):
        turn = chat.create()
        [card] = turn.done("widget")
        action = {"type": "chatdock.approval", "payload": payload}
        assert act(chat, card, action).types == ["stream_options"]
        assert cards(chat, turn) == [card]
        forged = {"type": "chatdock.approval", "payload": {"approved": True, "order": 9, "arguments": {"order": 9}}}
        act(chat, card, forged)
    assert REFUNDED == [4]


def test_an_answer_without_its_card_decides_nothing(tmp_path: Path) -> None:
    with scripted(tmp_path, desk, [refund(4)]) as (chat, _):
        turn = chat.create()
        action = {"type": "chatdock.approval", "payload": {"approved": True}}
        Turn(chat.stream("threads.custom_action", thread_id=turn.thread_id, action=action))
    assert REFUNDED == []


def test_nobody_else_can_answer(tmp_path: Path) -> None:
    with model_endpoint([refund(4)]) as endpoint, agent_server(tmp_path, endpoint.url, desk) as server:
        [card] = server.backend.chat("ann").create().done("widget")
        with pytest.raises(ApiFailure):
            press(server.backend.chat("bob"), card, "confirm")
    assert REFUNDED == []


@contextmanager
def with_handler(folder: Path, *steps: Step) -> Iterator[Backend]:
    """The desk, with an author's handler of widget actions."""

    async def handle(turn: WorkflowTurn) -> Script:
        assert turn.action is not None
        yield f"handled {turn.action.type}"

    with model_endpoint(*steps) as endpoint, agent_server(folder, endpoint.url, desk, on_action=handle) as server:
        yield server.backend


def test_the_authors_handler_gets_all_other_actions(tmp_path: Path) -> None:
    with with_handler(tmp_path, [refund(4)], [Say("Done.")]) as backend:
        chat = backend.chat()
        [card] = chat.create().done("widget")
        assert act(chat, card, {"type": "order.open", "payload": {"approved": True}}).text == "handled order.open"
        assert press(chat, card, "confirm").text == "Done."
    assert REFUNDED == [4]


def test_an_action_that_nothing_performs_is_an_error(tmp_path: Path) -> None:
    with scripted(tmp_path, desk, [refund(4)]) as (chat, _):
        [card] = chat.create().done("widget")
        turn = act(chat, card, {"type": "order.open", "payload": {}})
    assert turn.outcome == "failed"
    assert turn.events[-1]["message"] == "Workflow 'wf_test' performs no such widget actions."


def test_clients_and_the_model_see_nothing_of_the_stored_run(tmp_path: Path) -> None:
    with scripted(tmp_path, desk, [refund(4)], [Say("Hello.")]) as (chat, endpoint):
        turn = chat.create()  # the harness looks for the canary, which the agent's instructions hold
        assert kept(tmp_path) == 1
        chat.call("threads.get_by_id", thread_id=turn.thread_id)
        assert [item["type"] for item in chat.items(turn.thread_id)] == ["user_message", "widget"]
        chat.send(turn.thread_id, "Hi")
        assert KEPT not in json.dumps(endpoint.requests)


def test_a_stored_run_that_cannot_be_read_says_so_and_offers_a_retry(tmp_path: Path) -> None:
    with scripted(tmp_path, desk, [refund(4)], [refund(4)]) as (chat, _):
        turn = chat.create()
        [card] = turn.done("widget")
        with sqlite3.connect(tmp_path / "chatdock.db") as database:
            database.execute('UPDATE item SET data = replace(data, \'"$schemaVersion":"1.\', \'"$schemaVersion":"9.\')')
        database.close()
        failed = press(chat, card, "confirm")
        assert failed.outcome == "failed"
        assert failed.events[-1]["message"] == pause.CHANGED
        assert failed.events[-1]["allow_retry"] is True
        [question] = turn.done("user_message")
        params = {"thread_id": turn.thread_id, "item_id": question["id"]}
        assert len(Turn(chat.stream("threads.retry_after_item", **params)).done("widget")) == 1
    assert REFUNDED == []


def test_a_run_that_is_too_large_to_keep_asks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pause, "MAX_BYTES", 1000)
    with scripted(tmp_path, desk, [refund(4)]) as (chat, _):
        turn = chat.create()
    assert turn.events[-1]["message"] == pause.TOO_LARGE
    assert turn.done("widget") == []
    assert kept(tmp_path) == 0


def test_a_retry_of_the_question_removes_the_card_and_what_it_could_start(tmp_path: Path) -> None:
    with scripted(tmp_path, desk, [refund(4)], [Say("Done.")]) as (chat, _):
        turn = chat.create()
        [question] = turn.done("user_message")
        chat.stream("threads.retry_after_item", thread_id=turn.thread_id, item_id=question["id"])
        assert cards(chat, turn) == []
    assert kept(tmp_path) == 0


def test_a_hosted_mcp_tool_is_approved_the_same_way(tmp_path: Path) -> None:
    def shipping(model: Model) -> Agent[Any]:
        config: Any = {
            "type": "mcp", "server_label": "ships", "server_url": "https://mcp.example.com",
            "require_approval": "always",
        }  # fmt: skip
        return Agent(name="Harbour", model=model, tools=[HostedMCPTool(tool_config=config)])

    asks = {
        "type": "mcp_approval_request", "id": "mcpr_1", "name": "sink_ship", "server_label": "ships",
        "arguments": '{"ship": "Erna"}',
    }  # fmt: skip
    with scripted(tmp_path, shipping, [Hosted(asks)], [Say("It sinks.")]) as (chat, endpoint):
        [card] = chat.create().done("widget")
        assert card["copy_text"] == "Sink ship: approve or reject"
        turn = press(chat, card, "confirm")
        assert turn.text == "It sinks."
        assert turn.done("workflow") == []  # the provider shows its calls itself
        answer = endpoint.requests[-1]["input"][-1]
        assert (answer["type"], answer["approve"], answer["approval_request_id"]) == (
            "mcp_approval_response", True, "mcpr_1"
        )  # fmt: skip


def test_the_card_of_a_shell_shows_its_commands(tmp_path: Path) -> None:
    ran: list[Any] = []

    def with_shell(model: Model) -> Agent[Any]:
        def execute(request: Any) -> str:
            ran.append(request.data.action.commands)
            return "gone"

        return Agent(name="Root", model=model, tools=[ShellTool(executor=execute, needs_approval=True)])

    shell = Hosted(
        {
            "type": "shell_call", "id": "sh_1", "call_id": "call_1", "status": "completed",
            "action": {"commands": ["rm -r /tmp/x"]},
        }
    )  # fmt: skip
    with scripted(tmp_path, with_shell, [shell], [Say("Gone.")]) as (chat, _):
        [card] = chat.create().done("widget")
        assert "rm -r /tmp/x" in json.dumps(card["widget"]["children"])
        assert ran == []
        assert press(chat, card, "confirm").text == "Gone."
    assert ran == [["rm -r /tmp/x"]]


def test_a_tool_of_an_agent_that_is_a_tool_is_approved_after_a_restart(tmp_path: Path) -> None:
    def front(model: Model) -> Agent[Any]:
        return Agent(name="Front", model=model, tools=[desk(model).as_tool("ask_desk", "Ask the desk.")])

    steps: list[Step] = [
        [Use("ask_desk", {"input": "refund 4"}, "call_1")],
        [refund(4)],
        [Say("It is.")],
        [Say("Done.")],
    ]
    with model_endpoint(*steps) as endpoint:
        with agent_server(tmp_path, endpoint.url, front) as server:
            chat = server.backend.chat()
            [card] = chat.create().done("widget")
            assert card["copy_text"] == "Refund order: approve or reject"
        with agent_server(tmp_path, endpoint.url, front) as server:
            assert press(server.backend.chat_with(chat.secret), card, "confirm").text == "Done."
    assert REFUNDED == [4]


def test_no_output_is_pending_while_an_approval_is(tmp_path: Path) -> None:
    with scripted(tmp_path, desk, [refund(4)]) as (chat, _):
        turn = chat.create()
        with pytest.raises(ApiFailure) as failure:
            give(chat, turn.thread_id, "refunded")
    assert failure.value.error["code"] == "no_pending_call"
