"""An agent goes on with a thread that came from hosted ChatKit, whatever is in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from agents import Agent, Model

from tests.harness.hosted import hosted, thread_of
from tests.harness.model_endpoint import Say, model_endpoint
from tests.moving.database import imported
from tests.workflows.agents import Api, agent_server


def guide(model: Model) -> Agent[None]:
    return Agent(name="Guide", instructions="You guide visitors.", model=model)


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_an_agent_goes_on_with_an_imported_thread(tmp_path: Path, api: Api) -> None:
    thread_id = thread_of(0)["id"]
    with hosted(1, 7) as app:
        imported(tmp_path, app)
    with (
        model_endpoint([Say("We spoke of Zürich.")]) as endpoint,
        agent_server(tmp_path, endpoint.url, guide, api=api) as server,
    ):
        chat = server.backend.chat("user_0")
        assert chat.send(thread_id, "What did we speak of?").text == "We spoke of Zürich."
    told = json.dumps(endpoint.requests[0], ensure_ascii=False)
    for said in ("Question 0", "photo.png", "Answer 1", "locate", "found", "What did we speak of?"):
        assert said in told
