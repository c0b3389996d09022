"""What libraries report to OpenTelemetry while a turn is answered is part of its trace."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace as otel
from pydantic_ai import Agent
from pydantic_ai.capabilities import Instrumentation
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from chatdock import Turn, workflow
from tests.harness.client import Turn as Streamed
from tests.harness.server import serving
from tests.tracing.records import Records
from tests.tracing.test_turns import ROOT, Answer, untraced

CANARY = "marmalade-7310"


def answer(tmp_path: Path, function: Answer, **settings: Any) -> Streamed:
    with serving(tmp_path, [workflow("wf_test")(function)], **settings) as server:
        return server.backend.chat().create(f"hello {CANARY}")


async def instrumented(turn: Turn) -> AsyncIterator[str]:
    """An agent of Pydantic AI whose tool has a span of its own."""

    def model(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        usage = RequestUsage(input_tokens=50 + len(messages), output_tokens=3)
        if len(messages) == 1:
            return ModelResponse([ToolCallPart("search", {"query": CANARY})], usage=usage)
        return ModelResponse([TextPart(f"found {CANARY}")], usage=usage)

    agent = Agent(FunctionModel(model, model_name="scripted-1"), name="desk", capabilities=[Instrumentation()])

    @agent.tool_plain
    def search(query: str) -> str:
        called = otel.get_tracer("test").start_as_current_span("GET", attributes={"url.full": query})
        with turn.span("look it up"), called:
            return f"result for {query}"

    with turn.span("ask"):
        yield str((await agent.run(turn.text)).output)


def test_an_instrumented_librarys_spans_nest_with_ours(tmp_path: Path, records: Records) -> None:
    turn = answer(tmp_path, instrumented)
    spans = records.spans(turn.run_id)
    assert [span["kind"] for span in spans if span["name"] in {"ask", "look it up", "GET"}] == ["span"] * 3
    tree = records.tree(turn.run_id)
    assert tree[0] == "ask"
    assert [line.lstrip(".") for line in tree if "look it up" in line or "GET" in line] == ["look it up", "GET"]
    depth = {line.lstrip("."): len(line) - len(line.lstrip(".")) for line in tree}
    (tool,) = [span for span in spans if span["kind"] == "tool"]
    (looking,) = [span for span in spans if span["name"] == "look it up"]
    assert looking["parent_id"] == tool["id"]
    assert depth["GET"] == depth["look it up"] + 1
    calls = [span for span in spans if span["kind"] == "model"]
    assert [(call["name"], call["input_tokens"], call["output_tokens"]) for call in calls] == [
        ("chat scripted-1", 51, 3),
        ("chat scripted-1", 53, 3),
    ]
    trace = records.trace(turn.run_id)
    assert (trace["input_tokens"], trace["output_tokens"]) == (104, 6)
    assert "agent" in [span["kind"] for span in spans]
    for span in spans:
        assert span["ended_at"] > span["started_at"]


def test_what_a_library_reports_of_what_was_said_is_not_kept(tmp_path: Path, records: Records) -> None:
    turn = answer(tmp_path, instrumented)
    assert CANARY in turn.text
    assert CANARY not in str(records.rows("trace") + records.rows("span"))


def test_it_is_kept_when_that_is_wanted(tmp_path: Path, records: Records) -> None:
    turn = answer(tmp_path, instrumented, trace_content=True)
    spans = records.spans(turn.run_id)
    (tool,) = [span for span in spans if span["kind"] == "tool"]
    assert CANARY in str(tool["attributes"])
    assert CANARY in str([span["attributes"] for span in spans if span["kind"] == "model"])
    assert f"'url.full': '{CANARY}'" in str([span["attributes"] for span in spans])


def test_an_error_is_named_by_its_type(tmp_path: Path, records: Records) -> None:
    async def failing(turn: Turn) -> AsyncIterator[str]:
        try:
            with otel.get_tracer("test").start_as_current_span("work"):
                raise LookupError(CANARY)
        except LookupError:
            yield "never mind"

    turn = answer(tmp_path, failing)
    (span,) = records.spans(turn.run_id)
    assert span["error"] == "LookupError"


def test_a_turn_that_is_not_traced_is_not_recorded_by_opentelemetry_either(tmp_path: Path, records: Records) -> None:
    recording: list[bool] = []

    async def looks(turn: Turn) -> AsyncIterator[str]:
        with otel.get_tracer("test").start_as_current_span("work") as span:
            recording.append(span.is_recording())
            yield "done"

    with serving(tmp_path, [workflow("wf_test")(looks)]) as server:
        untraced(server).create()
        server.backend.chat().create()
    assert recording == [False, True]
    assert len(records.rows("span")) == 1


def test_spans_outside_of_turns_are_nobodys(tmp_path: Path, records: Records) -> None:
    async def echo(turn: Turn) -> AsyncIterator[str]:
        yield turn.text

    with serving(tmp_path, [workflow("wf_test")(echo)]) as server, otel.get_tracer("test").start_as_current_span("x"):
        server.backend.chat().create()
    assert records.rows("span") == []


APPLICATION = """
import json, sys
from pathlib import Path
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

provider, kept = TracerProvider(), InMemorySpanExporter()
provider.add_span_processor(SimpleSpanProcessor(kept))
otel.set_tracer_provider(provider)

from tests.tracing.records import Records
from tests.tracing.test_turns import answer

async def work(turn):
    with otel.get_tracer("test").start_as_current_span("work"):
        yield "done"

folder = Path(sys.argv[1])
turn = answer(folder, work)
(theirs,) = [span for span in kept.get_finished_spans() if span.name == "work"]
(ours,) = Records(folder).spans(turn.run_id)
print(json.dumps([otel.get_tracer_provider() is provider, f"{theirs.context.trace_id:032x}", ours["trace_id"]]))
"""


@pytest.mark.slow
def test_an_applications_own_provider_goes_on_beside_ours(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", APPLICATION, str(tmp_path)], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    own, theirs, ours = json.loads(done.stdout.splitlines()[-1])
    assert own
    assert theirs == ours


WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
from pathlib import Path
from tests.tracing.records import Records
from tests.tracing.test_turns import answer

async def work(turn):
    with turn.span("work"):
        yield "done"

folder = Path(sys.argv[1])
assert [span["name"] for span in Records(folder).spans(answer(folder, work).run_id)] == ["work"]
"""


@pytest.mark.slow
def test_everything_else_works_without_opentelemetry(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path)], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
