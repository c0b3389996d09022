"""Tools that the page executes: the run waits for the output, and goes on with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, Model, RunContextWrapper, StopAtTools, function_tool
from chatkit.agents import AgentContext, ClientToolCall

from chatdock import client_tool
from tests.harness.client import ApiFailure
from tests.harness.model_endpoint import ModelEndpoint, Say, Use, model_endpoint
from tests.workflows.agents import Api, agent_server, give, press, scripted

CALLED: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    CALLED.clear()


@client_tool
def get_position(precise: bool) -> None:
    """Where the user is."""
    raise AssertionError("the page executes it")


@client_tool(name_override="choose_file", description_override="Let the user choose a file.")
def choose() -> None: ...


@function_tool
def get_weather(city: str) -> str:
    """The weather."""
    CALLED.append(city)
    return "sunny"


@function_tool(needs_approval=True)
def refund_order(order: int) -> str:
    """Give money back."""
    CALLED.append(f"refund {order}")
    return "refunded"


@function_tool
def open_map(ctx: RunContextWrapper[AgentContext[Any]], place: str) -> str:
    """As tools written for chatkit-python do it."""
    ctx.context.client_tool_call = ClientToolCall(name="show_map", arguments={"at": place})
    return "opening"


def guide(model: Model) -> Agent[Any]:
    return Agent(name="Guide", model=model, tools=[get_position, choose, get_weather, refund_order])


def mapping(model: Model) -> Agent[Any]:
    stops = StopAtTools(stop_at_tool_names=["open_map"])
    return Agent(name="Guide", model=model, tools=[open_map], tool_use_behavior=stops)


def outputs(endpoint: ModelEndpoint) -> dict[str, str]:
    """What the model was last told of its calls, by id."""
    given = endpoint.requests[-1]["input"]
    return {item["call_id"]: item["output"] for item in given if item.get("type") == "function_call_output"}


POSITION = Use("get_position", {"precise": True}, "call_1")


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_an_output_after_a_restart_completes_the_turn_once(tmp_path: Path, api: Api) -> None:
    with model_endpoint([POSITION], [Say("In Berlin.")]) as endpoint:
        with agent_server(tmp_path, endpoint.url, guide, api=api) as server:
            chat = server.backend.chat()
            turn = chat.create()
            assert turn.outcome == "waiting"
        with agent_server(tmp_path, endpoint.url, guide, api=api) as server:
            chat = server.backend.chat_with(chat.secret)
            assert give(chat, turn.thread_id, {"lat": 52.5}).text == "In Berlin."
            items = chat.items(turn.thread_id)
            with pytest.raises(ApiFailure) as failure:
                give(chat, turn.thread_id, {"lat": 0})
            assert (failure.value.status, failure.value.error["code"]) == (409, "no_pending_call")
            assert chat.items(turn.thread_id) == items
    assert '\\"lat\\": 52.5' in json.dumps(endpoint.requests[-1])


@pytest.mark.parametrize(
    ("result", "told"), [("here", "here"), (None, "null"), ([1, "é"], '[1, "é"]'), (False, "false")]
)
def test_any_json_is_an_output(tmp_path: Path, result: Any, told: str) -> None:
    with scripted(tmp_path, guide, [POSITION], [Say("Thanks.")]) as (chat, endpoint):
        give(chat, chat.create().thread_id, result)
        assert outputs(endpoint) == {"call_1": told}


def test_tools_of_the_same_answer_run_once_and_keep_their_outputs(tmp_path: Path) -> None:
    weather = Use("get_weather", {"city": "Rome"}, "call_2")
    with scripted(tmp_path, guide, [POSITION, weather], [Say("Thanks.")]) as (chat, endpoint):
        give(chat, chat.create().thread_id, "here")
        assert outputs(endpoint) == {"call_1": "here", "call_2": "sunny"}
    assert CALLED == ["Rome"]


def test_client_tools_of_the_same_answer_are_called_one_after_the_other(tmp_path: Path) -> None:
    with scripted(tmp_path, guide, [POSITION, Use("choose_file", {}, "call_2")], [Say("Thanks.")]) as (chat, endpoint):
        first = chat.create()
        second = give(chat, first.thread_id, "here")
        assert [turn.done("client_tool_call")[0]["name"] for turn in (first, second)] == ["get_position", "choose_file"]
        assert (second.outcome, second.text) == ("waiting", "")
        assert give(chat, first.thread_id, "a.txt").text == "Thanks."
        assert outputs(endpoint) == {"call_1": "here", "call_2": "a.txt"}


def test_an_approval_of_the_same_answer_is_asked_first(tmp_path: Path) -> None:
    refund = Use("refund_order", {"order": 4}, "call_2")
    with scripted(tmp_path, guide, [POSITION, refund], [Say("Thanks.")]) as (chat, endpoint):
        asked = chat.create()
        assert asked.done("client_tool_call") == []
        approved = press(chat, asked.done("widget")[0], "confirm")
        assert [call["name"] for call in approved.done("client_tool_call")] == ["get_position"]
        assert give(chat, asked.thread_id, "here").text == "Thanks."
        assert outputs(endpoint) == {"call_1": "here", "call_2": "refunded"}
    assert CALLED == ["refund 4"]


def test_a_message_instead_of_the_output_is_answered(tmp_path: Path) -> None:
    with scripted(tmp_path, guide, [POSITION], [Say("As you like.")], [Say("Late.")]) as (chat, endpoint):
        turn = chat.create()
        assert chat.send(turn.thread_id, "Never mind").text == "As you like."
        assert give(chat, turn.thread_id, {"lat": 52.5}).text == "Late."
        assert outputs(endpoint) == {"call_1": '{"lat": 52.5}'}


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_a_call_through_chatkits_context_goes_on_with_call_and_output(tmp_path: Path, api: Api) -> None:
    opens = Use("open_map", {"place": "Rome"}, "call_7")
    with model_endpoint([opens], [Say("There.")]) as endpoint:
        with agent_server(tmp_path, endpoint.url, mapping, api=api) as server:
            chat = server.backend.chat()
            turn = chat.create()
            [call] = turn.done("client_tool_call")
            assert (call["name"], call["arguments"], call["call_id"]) == ("show_map", {"at": "Rome"}, "call_7")
            assert turn.outcome == "waiting"
        with agent_server(tmp_path, endpoint.url, mapping, api=api) as server:
            assert give(server.backend.chat_with(chat.secret), turn.thread_id, "shown").text == "There."
    sent = json.dumps(endpoint.requests[-1])
    assert "call_7" in sent
    assert "shown" in sent


def test_the_model_reads_signature_and_docstring(tmp_path: Path) -> None:
    with scripted(tmp_path, guide, [Say("Hello.")]) as (chat, endpoint):
        chat.create()
    declared = {tool["name"]: tool for tool in endpoint.requests[0]["tools"]}
    assert declared["get_position"]["description"] == "Where the user is."
    assert declared["get_position"]["parameters"]["required"] == ["precise"]
    assert declared["choose_file"]["description"] == "Let the user choose a file."
