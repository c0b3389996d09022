"""What a model may call: tools of its agent alone, with arguments that fit; what it calls otherwise is not executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from agents import Agent, Model, function_tool

from chatdock import client_tool
from chatdock.workflows.workflow import WorkflowError
from tests.harness.model_endpoint import Say, Use, model_endpoint
from tests.workflows.agents import Api, agent_server

APIS = pytest.mark.parametrize("api", ["responses", "chat"])
CALLED: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    CALLED.clear()


@function_tool
def delete_order(order: int) -> str:
    """Delete an order."""
    CALLED.append(order)
    return "deleted"


@client_tool
def show_map(place: str) -> None:
    """Show a place."""


@client_tool
def choose_colour(kind: str = "any", near: str | None = None) -> None:
    """Let the user choose a colour."""


def painter(model: Model) -> Agent[Any]:
    return Agent(name="Painter", model=model, tools=[choose_colour])


def desk(model: Model) -> Agent[Any]:
    return Agent(name="Desk", model=model, tools=[delete_order, show_map])


def innocent(model: Model) -> Agent[Any]:
    return Agent(name="Desk", model=model, tools=[show_map])


@APIS
def test_a_tool_of_another_agent_is_not_executed(tmp_path: Path, api: Api) -> None:
    with (
        model_endpoint([Use("delete_order", {"order": 1}, "call_1")], [Say("Done.")]) as endpoint,
        agent_server(tmp_path, endpoint.url, innocent, api=api) as server,
    ):
        turn = server.backend.chat().create()
    assert CALLED == []
    assert turn.outcome in {"failed", "completed"}


@APIS
@pytest.mark.parametrize("arguments", [{"order": "all of them"}, {}, {"orders": [1, 2]}])
def test_arguments_that_do_not_fit_reach_no_tool(tmp_path: Path, api: Api, arguments: dict[str, Any]) -> None:
    with (
        model_endpoint([Use("delete_order", arguments, "call_1")], [Say("I could not.")]) as endpoint,
        agent_server(tmp_path, endpoint.url, desk, api=api) as server,
    ):
        turn = server.backend.chat().create()
    assert CALLED == []
    assert turn.text == "I could not."


@APIS
@pytest.mark.parametrize("arguments", [{"place": 7}, {}, {"place": "Bonn", "zoom": 1}])
def test_arguments_that_do_not_fit_reach_no_page(tmp_path: Path, api: Api, arguments: dict[str, Any]) -> None:
    with (
        model_endpoint([Use("show_map", arguments, "call_1")], [Say("I could not.")]) as endpoint,
        agent_server(tmp_path, endpoint.url, desk, api=api) as server,
    ):
        turn = server.backend.chat().create()
    assert turn.done("client_tool_call") == []
    assert turn.text == "I could not."


@APIS
def test_what_has_a_default_may_be_left_out_for_a_page_as_for_a_tool(tmp_path: Path, api: Api) -> None:
    with (
        model_endpoint([Use("choose_colour", {}, "call_1")]) as endpoint,
        agent_server(tmp_path, endpoint.url, painter, api=api) as server,
    ):
        turn = server.backend.chat().create()
    assert [call["name"] for call in turn.done("client_tool_call")] == ["choose_colour"]


@APIS
@pytest.mark.parametrize("given", ["Bonn", ["Bonn"], None])
def test_arguments_that_are_no_object_reach_no_page_and_may_be_tried_again(
    tmp_path: Path, api: Api, given: Any
) -> None:
    with (
        model_endpoint([Use("show_map", given, "call_1")]) as endpoint,
        agent_server(tmp_path, endpoint.url, desk, api=api) as server,
    ):
        turn = server.backend.chat().create()
    assert turn.done("client_tool_call") == []
    assert turn.events[-1]["allow_retry"] is True
    assert "cannot be read" in turn.events[-1]["message"]


def test_two_tools_of_one_name_are_refused_at_the_start(tmp_path: Path) -> None:
    same = client_tool(name_override="delete_order")(lambda place: None)

    def confused(model: Model) -> Agent[Any]:
        return Agent(name="Desk", model=model, tools=[delete_order, same])

    with (
        model_endpoint() as endpoint,
        pytest.raises(WorkflowError, match="delete_order"),
        agent_server(tmp_path, endpoint.url, confused),
    ):
        pass
