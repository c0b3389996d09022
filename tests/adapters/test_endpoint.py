"""Clients of OpenAI's API, as the libraries bring them: at an endpoint that misbehaves, and at a real one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from chatdock.model.embedded import EmbeddedModel
from chatdock.model.pull import pull
from chatdock.workflows.wording import CUT_SHORT, MODEL_FAILED, NO_ANSWER
from tests.adapters.conftest import Talk
from tests.harness.client import message
from tests.harness.model_endpoint import Cut, Full, Raw, Say, Status, Step, Wait, model_endpoint
from tests.harness.openai_client import http_client, openai_client
from tests.harness.server import eventually

Make = Callable[[str], Any]


def langgraph(url: str) -> Any:
    client = ChatOpenAI(
        model="scripted",
        base_url=url,
        api_key="none",  # type: ignore[arg-type]
        max_retries=0,
        http_async_client=http_client(),
    )

    async def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await client.ainvoke(state["messages"])]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    return builder.compile()


def pydantic_ai(url: str) -> Any:
    return Agent(OpenAIChatModel("scripted", provider=OpenAIProvider(openai_client=openai_client(url))))


@pytest.fixture(params=[langgraph, pydantic_ai])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


def test_an_answer_streams(make: Make, talk: Talk) -> None:
    with model_endpoint([Say("High water.")]) as endpoint:
        turn = talk(make(endpoint.url)).create()
    assert (turn.text, turn.outcome) == ("High water.", "completed")


@pytest.mark.parametrize(
    ("step", "kept"),
    [(Status(401), []), (Status(429), []), (Status(503), []), ([Say("High "), Cut()], ["High "])],
    ids=["401", "429", "503", "cut"],
)
def test_an_endpoint_that_fails_offers_a_retry(make: Make, talk: Talk, step: Step, kept: list[str]) -> None:
    with model_endpoint(step) as endpoint:
        turn = talk(make(endpoint.url)).create()
    assert turn.events[-1]["message"] == "The model could not answer. Please try again."
    assert turn.events[-1]["allow_retry"]
    assert [item["content"][0]["text"] for item in turn.done("assistant_message")] == kept


def test_an_endpoint_that_cannot_be_reached_offers_a_retry(make: Make, talk: Talk) -> None:
    turn = talk(make("http://127.0.0.1:1")).create()
    assert turn.events[-1]["message"] == "The model could not answer. Please try again."


def test_stopping_hangs_up_on_the_endpoint(make: Make, talk: Talk) -> None:
    with model_endpoint([Say("High "), Wait()]) as endpoint:
        chat = talk(make(endpoint.url))
        thread_id = ""
        with chat.open("threads.create", {"input": message("Tell me")}) as stream:
            for frame in stream:
                if frame.event is not None and frame.event["type"] == "thread.created":
                    thread_id = frame.event["thread"]["id"]
                if "text_delta" in str(frame.event):
                    chat.call("threads.cancel", thread_id=thread_id)
        eventually(endpoint.hung_up.is_set, seconds=2, what="the end of the connection")


def test_an_answer_that_stopped_at_its_length_limit_says_so_under_it(make: Make, talk: Talk) -> None:
    with model_endpoint([Say("Once upon"), Full()]) as endpoint:
        turn = talk(make(endpoint.url)).create()
    assert (turn.outcome, turn.text) == ("completed", "Once upon")
    assert [item["task"]["title"] for item in turn.done("task")] == [CUT_SHORT]


@pytest.mark.parametrize("body", [b"", b'{"error": {"message": "out of memory", "code": "oom"}}\n\n'])
def test_a_stream_that_holds_no_answer_is_said_with_a_retry_and_logged(make: Make, talk: Talk, body: bytes) -> None:
    with model_endpoint(*[Raw(body)] * 4) as endpoint, structlog.testing.capture_logs() as logs:
        turn = talk(make(endpoint.url)).create()
    assert turn.outcome == "failed"
    assert turn.events[-1]["message"] in {MODEL_FAILED, NO_ANSWER}
    assert turn.events[-1]["allow_retry"] is True
    assert [entry["event"] for entry in logs].count("model_failed") == 1


@contextmanager
def embedded(path: Path) -> Iterator[str]:
    """The address of the embedded model, whose process lives inside the block."""
    with asyncio.Runner() as runner:
        model = runner.run(EmbeddedModel.start(path))
        try:
            yield model.base_url
        finally:
            runner.run(model.stop())


@pytest.mark.slow
def test_the_embedded_model_answers(make: Make, talk: Talk) -> None:
    with embedded(pull(progress=False)) as url:
        turn = talk(make(url)).create("Say hello.")
    assert turn.outcome == "completed"
    assert turn.text
    assert len(turn.of("assistant_message.content_part.text_delta")) > 1
