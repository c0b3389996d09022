"""What an agent did is seen in its turn's trace, as the model endpoint said it, and nobody else is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agents import (
    Agent,
    GuardrailFunctionOutput,
    Model,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
    input_guardrail,
)
from agents.tracing import get_trace_provider

from chatdock import Turn, workflow
from tests.harness.client import Chat, Json
from tests.harness.client import Turn as Streamed
from tests.harness.model_endpoint import ModelEndpoint, Say, Status, Use, Used, model_endpoint
from tests.harness.openai_client import openai_client
from tests.harness.server import serving
from tests.tracing.records import Records

CANARY = "marmalade-7310"
"""What a user said and a tool was asked, and no trace may hold."""
UNTITLED: Json = {"automatic_thread_titling": {"enabled": False}}


@pytest.fixture
def endpoint() -> Iterator[ModelEndpoint]:
    with model_endpoint() as running:
        yield running


def chat_model(endpoint: ModelEndpoint) -> Model:
    return OpenAIChatCompletionsModel("scripted-1", openai_client=openai_client(endpoint.url))


@function_tool
def weather(city: str) -> str:
    """The weather in a city."""
    if city == "nowhere":
        raise LookupError(city)
    return f"{city}: rain"


@input_guardrail
async def no_poems(_context: Any, _agent: Any, given: Any) -> GuardrailFunctionOutput:
    """No poems here."""
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered="poem" in str(given))


def answer(tmp_path: Path, target: Any, text: str = f"hello {CANARY}", **settings: Any) -> Streamed:
    """One turn on a server of its own, which has stored everything once this returns."""
    with serving(tmp_path, [workflow("wf_test", version="2")(target)], **settings) as server:
        return server.backend.chat(chatkit_configuration=UNTITLED).create(text)


def test_a_turn_with_a_tool_and_a_handoff_is_a_tree_with_the_tokens_that_the_model_named(
    tmp_path: Path, endpoint: ModelEndpoint, records: Records
) -> None:
    model = chat_model(endpoint)
    billing = Agent(name="Billing", model=model)
    support = Agent(name="Support", model=model, tools=[weather], handoffs=[billing])
    endpoint.steps += [
        [Use("weather", {"city": CANARY}, "call_1"), Used(100, 10)],
        [Use("transfer_to_billing", {}, "call_2"), Used(200, 20)],
        [Say("It rains."), Used(300, 30, cached=128, reasoning=7)],
    ]
    turn = answer(tmp_path, support)
    assert (turn.text, turn.outcome) == ("It rains.", "completed")
    assert records.tree(turn.run_id) == [
        "invoke_agent Support",
        ".chat scripted-1",
        ".execute_tool weather",
        ".chat scripted-1",
        ".handoff from Support to Billing",
        "invoke_agent Billing",
        ".chat scripted-1",
    ]
    spans = records.spans(turn.run_id)
    kinds = ["agent", "model", "tool", "model", "handoff", "agent", "model"]
    assert [span["kind"] for span in spans] == kinds
    calls = [span for span in spans if span["kind"] == "model"]
    assert [(call["input_tokens"], call["output_tokens"]) for call in calls] == [(100, 10), (200, 20), (300, 30)]
    assert calls[2]["attributes"] == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "scripted-1",
        "gen_ai.usage.input_tokens": 300,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cache_read.input_tokens": 128,
        "gen_ai.usage.reasoning.output_tokens": 7,
    }
    trace = records.trace(turn.run_id)
    assert (trace["input_tokens"], trace["output_tokens"]) == (600, 60)
    assert (trace["workflow_id"], trace["workflow_version"], trace["outcome"]) == ("wf_test", "2", "completed")
    assert (trace["thread_id"], trace["user_id"], trace["project_id"]) == (turn.thread_id, "user_1", "default")
    assert trace["started_at"] < trace["first_text_at"] <= trace["ended_at"]
    by_id = {span["id"]: span for span in spans}
    for span in spans:
        assert span["started_at"] < span["ended_at"]
        outer = by_id[span["parent_id"]] if span["parent_id"] else trace
        assert outer["started_at"] <= span["started_at"]


def test_a_guardrail_that_trips_is_seen(tmp_path: Path, endpoint: ModelEndpoint, records: Records) -> None:
    endpoint.steps += [[Say("Roses are red")]]
    turn = answer(tmp_path, Agent(name="Prose", model=chat_model(endpoint), input_guardrails=[no_poems]), "a poem")
    (guardrail,) = [span for span in records.spans(turn.run_id) if span["kind"] == "guardrail"]
    assert guardrail["name"] == "guardrail no_poems"
    assert guardrail["attributes"] == {"chatdock.guardrail.triggered": True}
    assert records.trace(turn.run_id)["outcome"] == turn.outcome == "completed"


def test_a_model_that_fails_leaves_its_error_in_the_trace(
    tmp_path: Path, endpoint: ModelEndpoint, records: Records
) -> None:
    endpoint.steps += [Status(500)]
    turn = answer(tmp_path, Agent(name="Support", model=chat_model(endpoint)))
    (call,) = [span for span in records.spans(turn.run_id) if span["kind"] == "model"]
    trace = records.trace(turn.run_id)
    assert call["error"] == "Error streaming response"
    assert (trace["outcome"], trace["error"], trace["first_text_at"]) == ("failed", "InternalServerError", None)


def test_a_tool_that_fails_leaves_its_error_in_the_trace(
    tmp_path: Path, endpoint: ModelEndpoint, records: Records
) -> None:
    endpoint.steps += [[Use("weather", {"city": "nowhere"})], [Say("I do not know.")]]
    turn = answer(tmp_path, Agent(name="Support", model=chat_model(endpoint), tools=[weather]))
    (tool,) = [span for span in records.spans(turn.run_id) if span["kind"] == "tool"]
    assert tool["error"]
    assert "nowhere" not in tool["error"]
    assert records.trace(turn.run_id)["outcome"] == "completed"


def test_the_responses_api_is_seen_too(tmp_path: Path, endpoint: ModelEndpoint, records: Records) -> None:
    model = OpenAIResponsesModel("scripted-1", openai_client=openai_client(endpoint.url))
    endpoint.steps += [[Say("Hello."), Used(11, 5, cached=3)]]
    turn = answer(tmp_path, Agent(name="Support", model=model))
    (call,) = [span for span in records.spans(turn.run_id) if span["kind"] == "model"]
    assert (call["input_tokens"], call["output_tokens"]) == (11, 5)
    assert call["attributes"]["gen_ai.usage.cache_read.input_tokens"] == 3


def test_an_agent_inside_a_function_is_traced_below_the_functions_span_and_its_tools_spans_below_it(
    tmp_path: Path, endpoint: ModelEndpoint, records: Records
) -> None:
    turns: list[Turn] = []

    @function_tool
    async def search() -> str:
        """Search."""
        async with turns[0].span("look it up"):
            return "found"

    agent = Agent(name="Support", model=chat_model(endpoint), tools=[search])

    async def answered(turn: Turn) -> Any:
        turns.append(turn)
        with turn.span("ask"):
            yield str((await Runner.run(agent, turn.text, run_config=RunConfig())).final_output)

    # Runner.run() does not stream; the scripted endpoint only does.
    agent.model = Streaming(agent.model)
    endpoint.steps += [[Use("search")], [Say("Found.")]]
    turn = answer(tmp_path, answered)
    assert turn.text == "Found."
    assert records.tree(turn.run_id) == [
        "ask",
        ".invoke_agent Support",
        "..chat scripted-1",
        "..execute_tool search",
        "...look it up",
        "..chat scripted-1",
    ]


class Streaming(Model):
    """A model that streams, asked for one answer."""

    def __init__(self, model: Any) -> None:
        self._model = model

    async def get_response(self, *arguments: Any, **options: Any) -> Any:
        """The last event holds the answer."""
        from agents.items import ModelResponse
        from agents.usage import Usage

        response = None
        async for event in self._model.stream_response(*arguments, **options):
            response = getattr(event, "response", response)
        assert response is not None
        return ModelResponse(output=response.output, usage=Usage(), response_id=None)

    def stream_response(self, *arguments: Any, **options: Any) -> Any:
        """As it is."""
        return self._model.stream_response(*arguments, **options)


def stored(records: Records) -> str:
    """Everything that traces hold, as text."""
    return str(records.rows("trace") + records.rows("span"))


def script_with_canaries(endpoint: ModelEndpoint) -> Agent[Any]:
    endpoint.steps += [[Use("weather", {"city": CANARY})], [Say(f"{CANARY} is fine")]]
    return Agent(name="Support", instructions=CANARY, model=chat_model(endpoint), tools=[weather])


def test_what_was_said_is_in_no_trace(tmp_path: Path, endpoint: ModelEndpoint, records: Records) -> None:
    turn = answer(tmp_path, script_with_canaries(endpoint))
    assert CANARY in turn.text
    assert len(records.spans(turn.run_id)) == 4
    assert CANARY not in stored(records)


def test_what_was_said_is_in_the_trace_when_that_is_wanted(
    tmp_path: Path, endpoint: ModelEndpoint, records: Records
) -> None:
    turn = answer(tmp_path, script_with_canaries(endpoint), trace_content=True)
    spans = records.spans(turn.run_id)
    (tool,) = [span for span in spans if span["kind"] == "tool"]
    assert tool["attributes"]["gen_ai.tool.call.arguments"] == f'{{"city": "{CANARY}"}}'
    assert tool["attributes"]["gen_ai.tool.call.result"] == f"{CANARY}: rain"
    first, second = [span["attributes"] for span in spans if span["kind"] == "model"]
    assert CANARY in first["chatdock.input"]
    assert f"{CANARY} is fine" in second["chatdock.output"]


def test_content_is_bounded(tmp_path: Path, endpoint: ModelEndpoint, records: Records) -> None:
    endpoint.steps += [[Say("long" * 100_000)]]
    turn = answer(tmp_path, Agent(name="Support", model=chat_model(endpoint)), trace_content=True)
    (call,) = [span for span in records.spans(turn.run_id) if span["kind"] == "model"]
    assert 10_000 < len(call["attributes"]["chatdock.output"]) <= 16_384


def test_a_session_without_tracing_leaves_no_trace(tmp_path: Path, endpoint: ModelEndpoint, records: Records) -> None:
    endpoint.steps += [[Say("one")], [Say("two")]]
    agent = Agent(name="Support", model=chat_model(endpoint))
    with serving(tmp_path, [workflow("wf_test")(agent)]) as server:

        def chat(enabled: bool) -> Chat:
            members = {"tracing": {"enabled": enabled}}
            return server.backend.chat(workflow_members=members, chatkit_configuration=UNTITLED)

        assert chat(False).create().text == "one"
        traced = chat(True).create()
    assert [row["run_id"] for row in records.rows("trace")] == [traced.run_id]
    assert len(records.rows("span")) == len(records.spans(traced.run_id)) == 2


def test_the_sdk_reports_to_us_alone(tmp_path: Path, endpoint: ModelEndpoint) -> None:
    endpoint.steps += [[Say("hello")]]
    answer(tmp_path, Agent(name="Support", model=chat_model(endpoint)))
    processors = get_trace_provider()._multi_processor._processors  # type: ignore[attr-defined]
    assert [type(processor).__module__ for processor in processors] == ["chatdock.tracing.agents_sdk"]


WATCHED = """
import asyncio, json, socket, sys, threading

reached = set()
connect = socket.socket.connect
def watched(self, address):
    reached.add(address[0])
    return connect(self, address)
socket.socket.connect = watched
resolve = socket.getaddrinfo
def resolved(host, *arguments, **options):
    reached.add(host)
    return resolve(host, *arguments, **options)
socket.getaddrinfo = resolved

from pathlib import Path
from tests.harness.server import serving
from tests.tracing.records import Records
folder = Path(sys.argv[1])
"""

AGENT = """
from tests.harness.model_endpoint import Say, model_endpoint
from tests.tracing.test_agents import answer, chat_model
from agents import Agent

with model_endpoint([Say("one")], [Say("two")]) as endpoint:
    for text in ("one", "two"):
        turn = answer(folder, Agent(name="Support", model=chat_model(endpoint)))
        assert turn.text == text
        assert len(Records(folder).spans(turn.run_id)) == 2
from agents.tracing import processors
assert processors._global_exporter is None
"""

IMPORTED_WITHIN_A_TURN = """
from chatdock import workflow

async def lazy(turn):
    from agents import Agent, Runner
    from agents.testing import ScriptedModel, assistant_message
    model = ScriptedModel([[assistant_message("hello")]], emit_traces=True)
    yield (await Runner.run(Agent(name="Support", model=model), turn.text)).final_output

with serving(folder, [workflow("wf_test")(lazy)]) as server:
    assert "agents" not in sys.modules
    turns = [server.backend.chat().create() for _ in range(2)]
assert [turn.text for turn in turns] == ["hello", "hello"]
assert len(Records(folder).spans(turns[1].run_id)) == 2
"""

AFTERWARDS = """
from agents.tracing import flush_traces
flush_traces()
print(json.dumps([sorted(map(str, reached)), sorted(thread.name for thread in threading.enumerate())]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("script", [AGENT, IMPORTED_WITHIN_A_TURN], ids=["agent", "imported within a turn"])
def test_nobody_else_is_reached(tmp_path: Path, script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED + script + AFTERWARDS, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "OPENAI_API_KEY": "sk-would-be-enough"},
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [["127.0.0.1"], ["MainThread"]]
