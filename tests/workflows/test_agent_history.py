"""What an agent's model is given: what was said before, over either API, and whether it is the one that was chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from agents import Agent, Model, OpenAIResponsesModel

from tests.harness.client import message
from tests.harness.model_endpoint import Say, Step, model_endpoint
from tests.harness.openai_client import openai_client
from tests.workflows.agents import Api, agent_server, scripted


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


def test_the_model_that_the_user_chose_is_asked_if_it_is_offered(tmp_path: Path) -> None:
    answers: list[Step] = [[Say("One.")], [Say("Two.")]]
    with model_endpoint(*answers) as endpoint:
        offered = {"fast": OpenAIResponsesModel("small", openai_client(endpoint.url))}
        with agent_server(tmp_path, endpoint.url, guide, models=offered) as server:
            chat = server.backend.chat()
            for chosen in ("fast", "dear"):
                chat.stream("threads.create", input={**message("hi"), "inference_options": {"model": chosen}})
    assert [request["model"] for request in endpoint.requests] == ["small", "scripted"]
