"""A run that ends early hangs up on its model, whether the model is speaking or has not said a word yet."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from agents import Agent, OpenAIChatCompletionsModel

from chatdock import workflow
from chatdock.workflows.workflow import Workflow
from tests.harness.client import Chat
from tests.harness.openai_client import openai_client
from tests.harness.server import ThreadServer, eventually, serving
from tests.harness.upstream import Upstream, upstream
from tests.runs.wire import Reader, creating

CLOSED_WITHIN = 2.0


def agent_at(endpoint: Upstream) -> Workflow:
    """An agent that asks this endpoint."""
    model = OpenAIChatCompletionsModel("slow", openai_client(endpoint.url))
    answering = workflow("wf_test")(Agent(name="Slow", model=model))
    answering.titler(lambda turn: "A title")
    return answering


def asked(server: ThreadServer, endpoint: Upstream) -> tuple[Chat, Reader]:
    """A turn whose model has been asked, and has said all that it will, if anything."""
    chat = server.backend.chat()
    reader = creating(chat, "hello")
    call = endpoint.first_call(words=0 if endpoint.silent else endpoint.words)
    reader.wait_for(lambda turn: turn.of("stream_options") if endpoint.silent else "word2" in turn.text)
    assert call.closed_at is None
    return chat, reader


def closed_after(endpoint: Upstream, began: float) -> float:
    """Seconds until the endpoint noticed that it was hung up on."""
    (call,) = endpoint.calls
    closed: float = eventually(lambda: call.closed_at, what="the end of the connection to the model") or 0
    return closed - began


@pytest.mark.parametrize("silent", [False, True], ids=["speaking", "silent"])
def test_pressing_stop_hangs_up_on_the_model(tmp_path: Path, silent: bool) -> None:
    with upstream(silent=silent) as endpoint, serving(tmp_path, [agent_at(endpoint)]) as server:
        chat, reader = asked(server, endpoint)
        thread_id = reader.turn.thread_id
        began = time.monotonic()
        chat.call("threads.cancel", thread_id=thread_id)
        assert closed_after(endpoint, began) < CLOSED_WITHIN
        assert reader.wait().outcome == "cancelled"
        kept = [item["content"][0]["text"] for item in chat.items(thread_id) if item["type"] == "assistant_message"]
        assert kept == ([] if silent else ["word0 word1 word2 "])


@pytest.mark.parametrize("silent", [False, True], ids=["speaking", "silent"])
def test_the_time_limit_hangs_up_on_the_model(tmp_path: Path, silent: bool) -> None:
    with upstream(silent=silent) as endpoint, serving(tmp_path, [agent_at(endpoint)], run_time_limit=1) as server:
        _, reader = asked(server, endpoint)
        turn = reader.wait()
        began = time.monotonic()
        assert turn.events[-1]["message"] == "The answer took longer than 1 seconds."
        assert closed_after(endpoint, began) < CLOSED_WITHIN


@pytest.mark.parametrize("silent", [False, True], ids=["speaking", "silent"])
def test_deleting_the_thread_hangs_up_on_the_model(tmp_path: Path, silent: bool) -> None:
    with upstream(silent=silent) as endpoint, serving(tmp_path, [agent_at(endpoint)]) as server:
        chat, reader = asked(server, endpoint)
        began = time.monotonic()
        chat.call("threads.delete", thread_id=reader.turn.thread_id)
        assert closed_after(endpoint, began) < CLOSED_WITHIN
        assert reader.wait().outcome is None


@pytest.mark.parametrize("silent", [False, True], ids=["speaking", "silent"])
def test_stopping_the_server_hangs_up_on_the_model(tmp_path: Path, silent: bool) -> None:
    with upstream(silent=silent) as endpoint:
        with serving(tmp_path, [agent_at(endpoint)]) as server:
            _, reader = asked(server, endpoint)
            began = time.monotonic()
        assert closed_after(endpoint, began) < CLOSED_WITHIN + 2  # connections of clients have two seconds to end
        reader.drop()
