"""What tools came to is stored before the model is asked again: a retry goes on from there, and calls none twice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, HostedMCPTool, Model, ShellTool, function_tool
from agents.exceptions import UserError
from agents.models.chatcmpl_converter import Converter

from chatdock import client_tool, current_turn
from chatdock.workflows.agents_sdk import checkpoint
from chatdock.workflows.input_items import with_id
from tests.harness.client import Chat, Json, Turn
from tests.harness.model_endpoint import Cut, Hosted, ModelEndpoint, Say, Status, Step, Think, Use, Wait, model_endpoint
from tests.harness.server import eventually
from tests.runs.forked import ForkedServer
from tests.runs.wire import Wire
from tests.workflows.agents import Api, agent_server, give, press, scripted
from tests.workflows.test_approvals import badge, cards, kept

APIS = pytest.mark.parametrize("api", ["responses", "chat"])
DOWN = Status(500)
CALLED: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    CALLED.clear()


@function_tool(needs_approval=True)
def refund(order: int) -> str:
    """Give money back."""
    CALLED.append(f"refund {order}")
    return f"paid {order} back"


@function_tool
async def show_order(order: int) -> str:
    """Show an order to the user."""
    CALLED.append(f"show {order}")
    turn = current_turn()
    await turn.emit(turn.widget({"type": "Card", "children": [{"type": "Text", "value": f"Order {order}"}]}))
    return f"order {order} is shown"


@function_tool(needs_approval=True, failure_error_function=None)
def breaks() -> str:
    """Raise."""
    CALLED.append("breaks")
    raise UserError("a tool of the author's is broken")


@client_tool
def current_city() -> None:
    """Where the user is."""


def desk(model: Model) -> Agent[Any]:
    tools = [refund, show_order, breaks, current_city]
    return Agent(name="Desk", model=model, tools=tools)  # type: ignore[arg-type]


def pay(order: int) -> Use:
    return Use("refund", {"order": order}, f"call_{order}")


def retry(chat: Chat, turn: Turn) -> Turn:
    """Answer the thread's last message again, as the element does."""
    question = [item for item in chat.items(turn.thread_id) if item["type"] == "user_message"][-1]
    return Turn(chat.stream("threads.retry_after_item", thread_id=turn.thread_id, item_id=question["id"]))


def failed(turn: Turn) -> bool:
    """Whether the user is offered a retry."""
    return turn.outcome == "failed" and turn.events[-1]["allow_retry"] is True


def confirming(card: Json) -> Json:
    """The parameters of the widget action that approves."""
    return {"thread_id": card["thread_id"], "item_id": card["id"], "action": card["widget"]["confirm"]["action"]}


def outputs(endpoint: ModelEndpoint) -> dict[str, str]:
    """What the model was last told of calls, by id, over either API."""
    given = endpoint.requests[-1]
    told = {each["tool_call_id"]: each["content"] for each in given.get("messages", ()) if each["role"] == "tool"}
    results = [each for each in given.get("input", ()) if each.get("type") == "function_call_output"]
    return told | {each["call_id"]: each["output"] for each in results}


@APIS
def test_an_approved_call_is_executed_once_when_the_model_fails_after_it_and_after_a_restart(
    tmp_path: Path, api: Api
) -> None:
    with model_endpoint([Say("Hello.")], [pay(4)], DOWN, DOWN, [Say("It is paid back.")]) as endpoint:
        with agent_server(tmp_path, endpoint.url, desk, api=api) as server:
            chat = server.backend.chat()
            asked = chat.send(chat.create().thread_id, "refund 4")
            [card] = asked.done("widget")
            assert failed(press(chat, card, "confirm"))
            assert failed(retry(chat, asked))
            assert kept(tmp_path) == 1
        with agent_server(tmp_path, endpoint.url, desk, api=api) as server:
            chat = server.backend.chat_with(chat.secret)
            before = chat.items(asked.thread_id)
            turn = retry(chat, asked)
            assert (turn.outcome, turn.text) == ("completed", "It is paid back.")
            after = chat.items(asked.thread_id)
            assert outputs(endpoint) == {"call_4": "paid 4 back"}
    assert CALLED == ["refund 4"]
    assert after[:-1] == before  # the card with its answer, and the work that the tool was
    assert badge(next(item for item in after if item["type"] == "widget")) == "Approved"
    assert [task["title"] for item in after if item["type"] == "workflow" for task in item["workflow"]["tasks"]] == [
        "Refund"
    ]
    assert kept(tmp_path) == 0


@APIS
def test_a_retry_tells_again_what_stays_and_removes_the_half_answer(tmp_path: Path, api: Api) -> None:
    half: Step = [Say("It is", whole=False), Wait()]
    with model_endpoint([pay(4)], half, [Say("It is paid.")]) as endpoint:
        with agent_server(tmp_path, endpoint.url, desk, api=api) as server:
            chat = server.backend.chat()
            asked = chat.create("refund 4")
            with closing(Wire(chat, "threads.custom_action", **confirming(asked.done("widget")[0]))) as wire:
                assert wire.begin() == 200
                eventually(lambda: endpoint.waiting)
                assert chat.call("threads.cancel", thread_id=asked.thread_id)["run"]["status"] == "cancelled"
            items = chat.items(asked.thread_id)
            assert items[-1]["content"][0]["text"] == "It is"
            turn = retry(chat, asked)
        assert [event["item_id"] for event in turn.of("thread.item.removed")] == [items[-1]["id"]]
        assert [item["id"] for item in turn.done("widget")] == [items[1]["id"]]
        assert turn.done("assistant_message")[0]["content"][0]["text"] == "It is paid."
    assert CALLED == ["refund 4"]


@APIS
def test_one_approved_and_one_rejected_call_keep_their_outcomes_through_a_retry(tmp_path: Path, api: Api) -> None:
    with scripted(tmp_path, desk, [pay(4), pay(5)], DOWN, [Say("One.")], api=api) as (chat, endpoint):
        asked = chat.create("both")
        first, second = asked.done("widget")
        press(chat, first, "confirm")
        assert failed(press(chat, second, "cancel"))
        assert retry(chat, asked).text == "One."
        assert outputs(endpoint) == {"call_4": "paid 4 back", "call_5": "Tool execution was not approved."}
        assert [badge(card) for card in cards(chat, asked)] == ["Approved", "Rejected"]
    assert CALLED == ["refund 4"]


@APIS
def test_several_approved_calls_are_each_executed_once(tmp_path: Path, api: Api) -> None:
    with scripted(tmp_path, desk, [pay(4), pay(5), pay(6)], DOWN, [Say("All.")], api=api) as (chat, endpoint):
        asked = chat.create("all three")
        turns = [press(chat, card, "confirm") for card in asked.done("widget")]
        assert failed(turns[-1])
        assert retry(chat, asked).text == "All."
        assert outputs(endpoint) == {f"call_{order}": f"paid {order} back" for order in (4, 5, 6)}
    assert sorted(CALLED) == ["refund 4", "refund 5", "refund 6"]


@APIS
def test_what_the_page_answered_is_asked_once(tmp_path: Path, api: Api) -> None:
    calls: Step = [Use("current_city", {}, "call_c"), pay(4)]
    with scripted(tmp_path, desk, calls, DOWN, [Say("In Rome.")], api=api) as (chat, endpoint):
        asked = chat.create("refund 4 where I am")
        press(chat, asked.done("widget")[0], "confirm")
        assert failed(give(chat, asked.thread_id, {"city": "Köln"}))
        turn = retry(chat, asked)
        assert (turn.outcome, turn.text) == ("completed", "In Rome.")
        assert outputs(endpoint) == {"call_c": '{"city": "Köln"}', "call_4": "paid 4 back"}
    assert CALLED == ["refund 4"]


@APIS
def test_tools_that_need_no_approval_are_called_once_and_what_they_showed_stays(tmp_path: Path, api: Api) -> None:
    shows = Use("show_order", {"order": 1}, "call_s")
    with scripted(tmp_path, desk, [shows], DOWN, [pay(1)], DOWN, [Say("Done.")], api=api) as (chat, endpoint):
        asked = chat.create("refund 1")
        assert failed(asked)
        again = retry(chat, asked)
        _, card = again.done("widget")
        assert failed(press(chat, card, "confirm"))
        assert retry(chat, asked).text == "Done."
        assert outputs(endpoint) == {"call_s": "order 1 is shown", "call_1": "paid 1 back"}
        assert len(cards(chat, asked)) == 2
    assert CALLED == ["show 1", "refund 1"]


@APIS
def test_a_call_beside_one_that_broke_off_is_not_repeated(tmp_path: Path, api: Api) -> None:
    steps: list[Step] = [[pay(4), Use("breaks", {}, "call_b")], [Say("One is done.")]]
    with scripted(tmp_path, desk, *steps, api=api) as (chat, endpoint):
        asked = chat.create("both")
        first, second = asked.done("widget")
        press(chat, first, "confirm")
        assert failed(press(chat, second, "confirm"))
        assert retry(chat, asked).text == "One is done."
        told = outputs(endpoint)
    assert CALLED.count("refund 4") == 1
    assert told["call_4"] == "paid 4 back"
    assert "not known whether it was carried out" in told["call_b"]


@APIS
def test_a_second_pause_of_a_later_turn_is_taken_up_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: Api
) -> None:
    steps: list[Step] = [[Say("Hello.")], [pay(4)], [pay(5)], DOWN, [Say("Both.")]]
    with model_endpoint(*steps) as endpoint:
        with agent_server(tmp_path, endpoint.url, desk, api=api) as server:
            chat = server.backend.chat()
            asked = chat.send(chat.create().thread_id, "refund 4 and 5")
            again = press(chat, asked.done("widget")[0], "confirm")
            assert failed(press(chat, again.done("widget")[0], "confirm"))
        # As in a process that has not gone on with a run before.
        monkeypatch.setattr(Converter, "maybe_response_output_message", with_id)
        with agent_server(tmp_path, endpoint.url, desk, api=api) as server:
            assert retry(server.backend.chat_with(chat.secret), asked).text == "Both."
        assert outputs(endpoint) == {"call_4": "paid 4 back", "call_5": "paid 5 back"}
    assert CALLED == ["refund 4", "refund 5"]


def test_the_state_that_a_tool_left_is_there_after_the_retry(tmp_path: Path) -> None:
    @function_tool(needs_approval=True)
    def count() -> str:
        """Count."""
        state = current_turn().state
        state["n"] = state.get("n", 0) + 1
        return f"n is {state['n']}"

    def counter(model: Model) -> Agent[Any]:
        return Agent(name="Counter", model=model, tools=[count])

    steps: list[Step] = [[Use("count")], DOWN, [Say("One.")], [Use("count")], [Say("Two.")]]
    with scripted(tmp_path, counter, *steps) as (chat, endpoint):
        asked = chat.create("count")
        assert failed(press(chat, asked.done("widget")[0], "confirm"))
        assert retry(chat, asked).text == "One."
        again = chat.send(asked.thread_id, "count")
        assert press(chat, again.done("widget")[0], "confirm").text == "Two."
        assert outputs(endpoint) == {"call_1": "n is 2"}


def test_what_is_too_large_to_keep_is_not_called_twice_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @function_tool(needs_approval=True)
    def fetch() -> str:
        """Fetch."""
        CALLED.append("fetch")
        return "x" * 20_000

    def fetching(model: Model) -> Agent[Any]:
        return Agent(name="Fetcher", model=model, tools=[fetch])

    monkeypatch.setattr(checkpoint, "MAX_BYTES", 10_000)
    with scripted(tmp_path, fetching, [Use("fetch")], DOWN, [Say("Ask again.")]) as (chat, endpoint):
        asked = chat.create("fetch")
        assert failed(press(chat, asked.done("widget")[0], "confirm"))
        assert retry(chat, asked).text == "Ask again."
        assert "not known whether it was carried out" in outputs(endpoint)["call_1"]
    assert CALLED == ["fetch"]


@APIS
def test_a_new_message_after_the_failure_lets_the_model_know_what_was_done(tmp_path: Path, api: Api) -> None:
    steps: list[Step] = [[pay(4)], DOWN, [Say("Yes.")], [Say("Still yes.")]]
    with scripted(tmp_path, desk, *steps, api=api) as (chat, endpoint):
        asked = chat.create("refund 4")
        assert failed(press(chat, asked.done("widget")[0], "confirm"))
        for _ in range(2):
            assert chat.send(asked.thread_id, "Did it work?").outcome == "completed"
            assert 'refund({"order": 4}): paid 4 back' in json.dumps(endpoint.requests[-1]).replace("\\", "")
        assert kept(tmp_path) == 0
    assert CALLED == ["refund 4"]


def test_a_message_instead_of_an_answer_lets_the_model_know_what_ran_beside_the_question(tmp_path: Path) -> None:
    steps: list[Step] = [[Use("show_order", {"order": 4}, "call_s")], [pay(4)], [Say("As you like.")]]
    with scripted(tmp_path, desk, *steps) as (chat, endpoint):
        asked = chat.create("refund 4")
        assert chat.send(asked.thread_id, "Never mind").text == "As you like."
        assert "order 4 is shown" in json.dumps(endpoint.requests[-1])
    assert CALLED == ["show 4"]


def test_a_retry_of_an_answer_that_was_complete_starts_over_and_asks_again(tmp_path: Path) -> None:
    with scripted(tmp_path, desk, [pay(4)], [Say("Done.")], [pay(4)]) as (chat, _):
        asked = chat.create("refund 4")
        press(chat, asked.done("widget")[0], "confirm")
        assert len(retry(chat, asked).done("widget")) == 1
        assert len(cards(chat, asked)) == 1
    assert CALLED == ["refund 4"]


def test_a_retry_of_an_earlier_message_removes_what_a_later_one_left(tmp_path: Path) -> None:
    steps: list[Step] = [[Say("Hello.")], [pay(4)], DOWN, [Say("Hello again.")]]
    with scripted(tmp_path, desk, *steps) as (chat, _):
        first = chat.create("hello")
        asked = chat.send(first.thread_id, "refund 4")
        press(chat, asked.done("widget")[0], "confirm")
        [question] = first.done("user_message")
        params = {"thread_id": first.thread_id, "item_id": question["id"]}
        assert Turn(chat.stream("threads.retry_after_item", **params)).text == "Hello again."
        assert len(chat.items(first.thread_id)) == 2
    assert kept(tmp_path) == 0


def test_the_agent_that_was_handed_over_to_goes_on(tmp_path: Path) -> None:
    def front(model: Model) -> Agent[Any]:
        return Agent(name="Front", instructions="Front.", model=model, handoffs=[desk(model)])

    steps: list[Step] = [[Use("transfer_to_desk")], [pay(4)], DOWN, [Say("Done.")]]
    with scripted(tmp_path, front, *steps) as (chat, endpoint):
        asked = chat.create("refund 4")
        assert failed(press(chat, asked.done("widget")[0], "confirm"))
        assert retry(chat, asked).text == "Done."
        assert "refund" in {tool["name"] for tool in endpoint.requests[-1]["tools"]}
    assert CALLED == ["refund 4"]


def test_commands_of_a_shell_are_executed_once(tmp_path: Path) -> None:
    def root(model: Model) -> Agent[Any]:
        def execute(request: Any) -> str:
            CALLED.extend(request.data.action.commands)
            return "gone"

        return Agent(name="Root", model=model, tools=[ShellTool(executor=execute, needs_approval=True)])

    item = {"type": "shell_call", "id": "sh_1", "call_id": "call_1", "status": "completed"}
    shell = Hosted(item | {"action": {"commands": ["rm -r /tmp/x"]}})
    with scripted(tmp_path, root, [shell], DOWN, [Say("Gone.")]) as (chat, endpoint):
        asked = chat.create("remove it")
        assert failed(press(chat, asked.done("widget")[0], "confirm"))
        assert retry(chat, asked).text == "Gone."
        [output] = [each for each in endpoint.requests[-1]["input"] if each.get("type") == "shell_call_output"]
        assert "gone" in json.dumps(output)
    assert CALLED == ["rm -r /tmp/x"]


def confirm_until(server: ForkedServer, chat: Chat, asked: Turn, state: Callable[[], Any]) -> None:
    """Approve, and kill the server when it is so; it is there again on return, and the run has ended."""
    *others, card = asked.done("widget")
    for each in others:
        press(chat, each, "confirm")
    with closing(Wire(chat, "threads.custom_action", **confirming(card))) as wire:
        assert wire.begin() == 200
        eventually(state)
        server.kill()
    server.start()
    again = server.backend.chat_with(chat.secret)
    eventually(lambda: "active_run" not in again.call("threads.get_by_id", thread_id=asked.thread_id))


def stored(folder: Path, text: str) -> bool:
    """Whether a hidden item of the database holds it."""
    with closing(sqlite3.connect(folder / "chatdock.db")) as database:
        query = "SELECT count(*) FROM item WHERE type = 'hidden_context_item' AND data LIKE ?"
        return bool(database.execute(query, (f"%{text}%",)).fetchone()[0])


def test_what_the_models_provider_has_executed_is_not_executed_again_when_its_answer_breaks_off(tmp_path: Path) -> None:
    mcp: Any = {
        "type": "mcp", "server_label": "ships", "server_url": "https://mcp.example.com", "require_approval": "always",
    }  # fmt: skip

    def harbour(model: Model) -> Agent[Any]:
        return Agent(name="Harbour", model=model, tools=[HostedMCPTool(tool_config=mcp)])

    call = {"name": "sink_ship", "server_label": "ships", "arguments": '{"ship": "Erna"}'}
    asks = Hosted({"type": "mcp_approval_request", "id": "mcpr_1", **call})
    sinks = Hosted({"type": "mcp_call", "id": "mcp_1", "output": "sunk", "approval_request_id": "mcpr_1", **call})
    broken: Step = [Think("Hm."), Say("At once."), sinks, Say("She", whole=False), Cut()]
    steps: list[Step] = [[asks], broken, [Say("She is gone.")], [Say("Yes.")]]
    with scripted(tmp_path, harbour, *steps) as (chat, endpoint):
        asked = chat.create("Sink Erna")
        assert failed(press(chat, asked.done("widget")[0], "confirm"))
        assert retry(chat, asked).done("assistant_message")[-1]["content"][0]["text"] == "She is gone."
        given = endpoint.requests[-1]["input"]
        kinds = [each["type"] for each in given if each["type"] != "message" or each["role"] == "assistant"]
        assert kinds == ["mcp_approval_request", "mcp_approval_response", "reasoning", "message", "mcp_call"]
        said = [
            item["content"][0]["text"] for item in chat.items(asked.thread_id) if item["type"] == "assistant_message"
        ]
        assert said == ["At once.", "She is gone."]
        chat.send(asked.thread_id, "Really?")
    assert kept(tmp_path) == 0


KILLED = """
import asyncio, pathlib
from agents import Agent, {kind}, function_tool
from chatdock import workflow
from openai import AsyncOpenAI

here = pathlib.Path(__file__).parent

@function_tool(needs_approval=True)
async def refund(order: int, seconds: int) -> str:
    with open(here / "called", "a") as called:
        called.write(f"{{order}}\\n")
    await asyncio.sleep(seconds)
    return f"paid {{order}} back"

model = {kind}("scripted", AsyncOpenAI(base_url="{url}", api_key="unused", max_retries=0))
workflow("wf_test")(Agent(name="Desk", model=model, tools=[refund])).titler(lambda turn: None)
"""


@pytest.mark.slow
@APIS
def test_a_server_that_is_killed_calls_nothing_twice_and_knows_what_was_done(tmp_path: Path, api: Api) -> None:
    target = tmp_path / "desk.py"
    quick = Use("refund", {"order": 4, "seconds": 0}, "call_4")
    long = Use("refund", {"order": 5, "seconds": 3600}, "call_5")
    called = tmp_path / "called"
    steps: list[Step] = [[Say("Hello.")], [quick], [Wait()], [Say("Paid.")], [quick, long], [Say("Ask your bank.")]]
    with model_endpoint(*steps) as endpoint:
        kind = "OpenAIResponsesModel" if api == "responses" else "OpenAIChatCompletionsModel"
        target.write_text(KILLED.format(kind=kind, url=endpoint.url))
        with ForkedServer(tmp_path, target) as server:
            chat = server.backend.chat()
            thread_id = chat.create().thread_id

            # While the model answers: the output is there.
            asked = chat.send(thread_id, "refund 4")
            confirm_until(server, chat, asked, lambda: endpoint.waiting)
            chat = server.backend.chat_with(chat.secret)
            assert retry(chat, asked).text == "Paid."
            assert outputs(endpoint) == {"call_4": "paid 4 back"}
            assert called.read_text() == "4\n"

            # While one of two tools works: of that one nobody knows.
            asked = chat.send(thread_id, "refund 4 and 5")
            both = lambda: called.read_text().count("\n") == 3 and stored(tmp_path, "paid 4 back")  # noqa: E731
            confirm_until(server, chat, asked, both)
            chat = server.backend.chat_with(chat.secret)
            assert retry(chat, asked).text == "Ask your bank."
            told = outputs(endpoint)
    assert told["call_4"] == "paid 4 back"
    assert "not known whether it was carried out" in told["call_5"]
    assert sorted(called.read_text().split()) == ["4", "4", "5"]
