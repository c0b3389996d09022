"""What Pydantic AI's agents have beyond others: outputs that are no text, dependencies, tools that are deferred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, DeferredToolRequests, NativeOutput, RunContext
from pydantic_ai.models.test import TestModel

from chatdock import Turn, workflow
from chatdock.workflows.workflow import WorkflowError
from tests.adapters.conftest import Talk
from tests.adapters.libraries import STATELESS, pydantic_ai
from tests.adapters.script import Call, Script
from tests.harness.client import Turn as Streamed
from tests.harness.client import message


class Berth(BaseModel):
    """Where a boat lies."""

    pier: str
    number: int


SHOWN = '```json\n{\n  "pier": "A",\n  "number": 4\n}\n```'


def script(*answers: Any) -> Script:
    return STATELESS["pydantic_ai"].script(*answers)


def test_a_structured_output_is_shown_as_json_after_what_the_model_said(talk: Talk) -> None:
    answers = script(["Let me see.", Call("look", {})], [Call("final_result", {"pier": "A", "number": 4})])

    def look() -> str:
        """Look."""
        return "seen"

    chat = talk(pydantic_ai(answers, [look], output_type=Berth))
    turn = chat.create()
    texts = [item["content"][0]["text"] for item in turn.done("assistant_message")]
    assert texts == ["Let me see.", SHOWN]


def test_an_output_that_the_model_writes_as_json_is_shown_once(talk: Talk) -> None:
    answers = script(['{"pier": "A", ', '"number": 4}'])
    turn = talk(pydantic_ai(answers, output_type=NativeOutput(Berth))).create()
    assert turn.text == SHOWN


def test_text_among_other_outputs_streams(talk: Talk) -> None:
    turn = talk(pydantic_ai(script(["Which ", "boat?"]), output_type=[str, Berth])).create()
    assert turn.text == "Which boat?"


def test_the_librarys_own_test_model_works_with_its_tools(talk: Talk) -> None:
    agent: Agent[object, str] = Agent(TestModel(custom_output_text="Moored at pier A."))

    @agent.tool_plain
    def find_berth() -> str:
        """Find one."""
        return "A4"

    turn = talk(agent).create()
    assert turn.text == "Moored at pier A."
    assert len(turn.of("assistant_message.content_part.text_delta")) >= 1
    assert turn.done("workflow")[0]["workflow"]["tasks"][0]["title"] == "Find berth"


def test_the_turn_is_the_agents_dependency(talk: Talk) -> None:
    agent: Agent[Turn, str] = Agent(TestModel(), deps_type=Turn)

    @agent.tool
    def who(context: RunContext[Turn]) -> str:
        """Who asks."""
        return context.deps.user

    assert "user_1" in talk(agent).create().text


def test_other_dependencies_are_refused() -> None:
    @dataclass
    class Harbour:
        name: str

    with pytest.raises(WorkflowError, match=r"deps_type=chatdock\.Turn, or none; Harbour needs an async generator"):
        workflow("wf_test")(Agent(TestModel(), deps_type=Harbour))


def test_tools_that_need_approval_fail_the_turn(talk: Talk) -> None:
    agent: Agent[object, Any] = Agent(TestModel(), output_type=[str, DeferredToolRequests])

    @agent.tool_plain(requires_approval=True)
    def sink() -> str:
        """Sink the boat."""
        raise AssertionError

    assert talk(agent).create().outcome == "failed"


def test_the_model_that_the_user_chose_answers_if_it_is_offered(talk: Talk) -> None:
    agent: Agent[object, str] = Agent(TestModel(custom_output_text="my own model"))
    chat = talk(agent, models={"other": TestModel(custom_output_text="another model")})
    for chosen, said in (("other", "another model"), ("test", "my own model")):
        turn = chat.stream("threads.create", input={**message("hi"), "inference_options": {"model": chosen}})
        assert Streamed(turn).text == said
