"""An agent's second turn gets what was said in the first, over either API."""

from __future__ import annotations

from pathlib import Path

import pytest
from agents import Agent, Model

from tests.harness.model_endpoint import Say
from tests.workflows.agents import Api, scripted


def guide(model: Model) -> Agent[None]:
    return Agent(name="Guide", instructions="You guide visitors.", model=model)


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_the_second_turn_knows_the_first(tmp_path: Path, api: Api) -> None:
    with scripted(tmp_path, guide, [Say("Good morning.")], [Say("You said hello.")], api=api) as (chat, endpoint):
        first = chat.create("hello")
        assert chat.send(first.thread_id, "What did I say?").text == "You said hello."
    told = endpoint.requests[1]["input" if api == "responses" else "messages"]
    said = [(each["role"], each["content"]) for each in told if each["role"] != "system"]
    assert [role for role, _ in said] == ["user", "assistant", "user"]
    assert said[1] == ("assistant", "Good morning.")
