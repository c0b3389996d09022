"""What an agent with an `output_type` answers is data: shown as its author says, and known to later turns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, Model, function_tool
from chatkit.widgets import WidgetTemplate
from pydantic import BaseModel

from chatdock import workflow
from chatdock.workflows.workflow import WorkflowError
from tests.harness.model_endpoint import Say, Step, Use
from tests.workflows.agents import Api, scripted

DATA = json.dumps({"harbour": "Brest", "high": ["09:00", "21:30"]})
APIS = pytest.mark.parametrize("api", ["responses", "chat"])
TEMPLATE = Path(__file__).parent.parent / "chatkit_server" / "order.widget"


class Tides(BaseModel):
    harbour: str
    high: list[str]


@function_tool
def look_up() -> str:
    """Look it up."""
    return "at nine"


def almanac(model: Model) -> Agent[Any]:
    return Agent(name="Almanac", model=model, output_type=Tides, tools=[look_up])


def with_almanac(model: Model) -> Agent[Any]:
    return Agent(name="Desk", model=model, handoffs=[almanac(model)])


@APIS
def test_data_is_not_shown_unless_asked_for_and_later_turns_know_it(tmp_path: Path, api: Api) -> None:
    steps: list[Step] = [[Use("look_up")], [Say(DATA)], [Say(DATA)]]
    with scripted(tmp_path, almanac, *steps, api=api) as (chat, endpoint):
        turn = chat.create("When?")
        assert turn.outcome == "completed"
        assert [item["type"] for item in chat.items(turn.thread_id)] == ["user_message", "workflow"]
        assert [event["text"] for event in turn.of("progress_update")] == ["Almanac"]
        assert "09:00" not in str(turn.events)
        chat.send(turn.thread_id, "And now?")
        assert "09:00" in str(endpoint.requests[2])


@APIS
def test_data_is_shown_as_a_list_where_that_is_asked_for(tmp_path: Path, api: Api) -> None:
    with scripted(tmp_path, almanac, [Say(DATA)], api=api, show_output=True) as (chat, _):
        turn = chat.create()
        [_, shown] = chat.items(turn.thread_id)
    assert shown["content"][0]["text"] == "- **Harbour**: Brest\n- **High**\n  - 09:00\n  - 21:30"
    assert "{" not in turn.text


@APIS
def test_data_of_an_agent_that_took_over_is_no_text(tmp_path: Path, api: Api) -> None:
    steps: list[Step] = [[Say("One moment."), Use("transfer_to_almanac")], [Say(DATA)]]
    with scripted(tmp_path, with_almanac, *steps, api=api) as (chat, _):
        turn = chat.create()
    assert (turn.outcome, turn.text) == ("completed", "One moment.")


def test_data_is_shown_in_a_widget_of_a_template_or_its_file(tmp_path: Path) -> None:
    class Order(BaseModel):
        title: str
        order: str

    def orders(model: Model) -> Agent[Any]:
        return Agent(name="Orders", model=model, output_type=Order)

    says: Step = [Say('{"title": "Your lamp", "order": "1002"}')]
    for number, template in enumerate((TEMPLATE, str(TEMPLATE), WidgetTemplate.from_file(str(TEMPLATE)))):
        folder = tmp_path / str(number)
        folder.mkdir()
        with scripted(folder, orders, says, show_output=template) as (chat, _):
            turn = chat.create()
        [shown] = turn.done("widget")
        assert "1002" in json.dumps(shown["widget"])
        assert turn.done("assistant_message") == []


def test_a_template_that_is_none_is_refused_when_the_workflow_is_registered(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match=r"nowhere\.widget is no widget template"):
        workflow("wf_test", show_output=tmp_path / "nowhere.widget")(Agent(name="Almanac", output_type=Tides))
