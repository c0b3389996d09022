"""An agent that calls too many tools, or its model too often, ends with a sentence, and keeps what it said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from agents import Agent, function_tool
from agents.testing import ScriptedModel, assistant_message, function_call

from chatdock import workflow
from tests.harness.client import Turn
from tests.harness.server import ThreadServer, serving

CALLED: list[int] = []


@function_tool
def look_up(number: int) -> str:
    """Look something up."""
    CALLED.append(number)
    return f"{number} is a number"


@pytest.fixture(autouse=True)
def _nothing_called() -> None:
    CALLED.clear()


def call(number: int) -> object:
    return function_call("look_up", {"number": number}, call_id=f"call_{number}")


def answered(tmp_path: Path, *steps: object, **settings: Any) -> tuple[Turn, ThreadServer]:
    """A turn of an agent whose model goes through these steps."""
    agent = Agent(name="Librarian", model=ScriptedModel(steps), tools=[look_up])  # type: ignore[arg-type]
    answering = workflow("wf_test")(agent)
    answering.titler(lambda turn: "A title")
    with serving(tmp_path, [answering], **settings) as server:
        return server.backend.chat().create(), server


def reached(server: ThreadServer, limit: str) -> float | None:
    return server.world.metrics.registry.get_sample_value("chatdock_limits_reached_total", {"limit": limit})


def test_tool_calls_over_the_limit_are_not_made_and_end_the_turn_with_a_sentence(tmp_path: Path) -> None:
    said = assistant_message("Let me look.")
    turn, server = answered(tmp_path, [said, call(1)], [call(2)], [call(3)], run_tool_call_limit=2)
    assert turn.outcome == "failed"
    error = turn.events[-1]
    assert error["message"] == "The answer needed more than 2 tool calls, which is the limit."
    assert error["allow_retry"] is True
    assert [item["content"][0]["text"] for item in turn.done("assistant_message")] == ["Let me look."]
    assert CALLED == [1, 2]
    assert reached(server, "tool_calls") == 1


def test_calls_that_a_model_makes_at_once_count_each(tmp_path: Path) -> None:
    turn, _ = answered(tmp_path, [call(1), call(2), call(3)], run_tool_call_limit=2)
    assert turn.events[-1]["message"] == "The answer needed more than 2 tool calls, which is the limit."
    assert CALLED == []


def test_as_many_tool_calls_as_the_limit_allows_are_answered(tmp_path: Path) -> None:
    turn, _ = answered(tmp_path, [call(1), call(2)], [assistant_message("Both are numbers.")], run_tool_call_limit=2)
    assert turn.outcome == "completed"
    assert turn.text == "Both are numbers."
    assert sorted(CALLED) == [1, 2]


def test_an_agent_that_calls_its_model_too_often_ends_with_a_sentence(tmp_path: Path) -> None:
    turn, server = answered(tmp_path, *([call(n)] for n in range(20)))
    assert turn.outcome == "failed"
    assert turn.events[-1]["message"] == "The answer took more steps than this assistant may take."
    assert reached(server, "model_calls") == 1
