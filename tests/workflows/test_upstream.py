"""A run that ends early hangs up on its model, whether the model is speaking or has not said a word yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from agents import Agent, OpenAIChatCompletionsModel

from chatdock import workflow
from chatdock.workflows.workflow import Workflow
from tests.harness.client import Chat
from tests.harness.model_endpoint import ModelEndpoint, Say, Step, Wait, model_endpoint
from tests.harness.openai_client import openai_client
from tests.harness.server import DEADLINE, ThreadServer, eventually, serving
from tests.runs.wire import Reader, creating

SAID = pytest.mark.parametrize("said", ["Half of it", ""], ids=["speaking", "silent"])


def slow(said: str) -> Step:
    """What the model does: it says this, if anything, and then no more."""
    return [Say(said), Wait()] if said else [Wait()]


def agent_at(endpoint: ModelEndpoint) -> Workflow:
    """An agent that asks this endpoint."""
    model = OpenAIChatCompletionsModel("slow", openai_client(endpoint.url))
    answering = workflow("wf_test")(Agent(name="Slow", model=model))
    answering.titler(lambda turn: "A title")
    return answering


def asked(server: ThreadServer, endpoint: ModelEndpoint, said: str) -> tuple[Chat, Reader]:
    """A turn whose model has been asked, and has said all that it will."""
    chat = server.backend.chat()
    reader = creating(chat, "hello")
    eventually(lambda: endpoint.waiting, what="the call to the model")
    reader.wait_for(lambda turn: turn.of("stream_options") and turn.text == said)
    assert not endpoint.hung_up.is_set()
    return chat, reader


def closed(endpoint: ModelEndpoint) -> bool:
    """Whether the endpoint was hung up on, while somebody waits for it."""
    return endpoint.hung_up.wait(DEADLINE)


@SAID
def test_pressing_stop_hangs_up_on_the_model(tmp_path: Path, said: str) -> None:
    with model_endpoint(slow(said)) as endpoint, serving(tmp_path, [agent_at(endpoint)]) as server:
        chat, reader = asked(server, endpoint, said)
        thread_id = reader.turn.thread_id
        chat.call("threads.cancel", thread_id=thread_id)
        assert closed(endpoint)
        assert reader.wait().outcome == "cancelled"
        kept = [item["content"][0]["text"] for item in chat.items(thread_id) if item["type"] == "assistant_message"]
        assert kept == ([said] if said else [])


@SAID
def test_the_time_limit_hangs_up_on_the_model(tmp_path: Path, said: str) -> None:
    with model_endpoint(slow(said)) as endpoint, serving(tmp_path, [agent_at(endpoint)], run_time_limit=1) as server:
        _, reader = asked(server, endpoint, said)
        turn = reader.wait()
        assert turn.events[-1]["message"] == "The answer took longer than 1 seconds."
        assert closed(endpoint)


@SAID
def test_deleting_the_thread_hangs_up_on_the_model(tmp_path: Path, said: str) -> None:
    with model_endpoint(slow(said)) as endpoint, serving(tmp_path, [agent_at(endpoint)]) as server:
        chat, reader = asked(server, endpoint, said)
        chat.call("threads.delete", thread_id=reader.turn.thread_id)
        assert closed(endpoint)
        assert reader.wait().outcome is None


@SAID
def test_stopping_the_server_hangs_up_on_the_model(tmp_path: Path, said: str) -> None:
    with model_endpoint(slow(said)) as endpoint:
        with serving(tmp_path, [agent_at(endpoint)]) as server:
            _, reader = asked(server, endpoint, said)
        assert closed(endpoint)
        reader.drop()
