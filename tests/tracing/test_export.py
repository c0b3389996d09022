"""Traces leave the machine only when the environment names where to, and then all of them do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from agents import Agent
from opentelemetry import trace as otel
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from chatdock import Turn, workflow
from chatdock.app import create_app
from chatdock.settings import Settings
from chatdock.tracing.export import ExportError
from tests.harness.model_endpoint import Say, Use, Used, model_endpoint
from tests.harness.server import serving
from tests.tracing.collector import Collector, collecting, said
from tests.tracing.records import Records
from tests.tracing.test_agents import UNTITLED, answer, chat_model, weather
from tests.tracing.test_turns import ROOT, echo, untraced

CANARY = "marmalade-7310"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture
def exporting(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Collector:
    """The environment names the collector."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    return collector


def by_name(collector: Collector) -> dict[str, Span]:
    return {span.name: span for span in collector.spans}


def test_spans_of_all_sides_are_exported_as_one_trace(tmp_path: Path, exporting: Collector, records: Records) -> None:
    with model_endpoint(
        [Use("weather", {"city": CANARY}), Used(100, 10)], [Say("It rains."), Used(300, 30)]
    ) as endpoint:
        agent = Agent(name="Support", model=chat_model(endpoint), tools=[weather])
        turn = answer(tmp_path, agent)
    trace = records.trace(turn.run_id)
    spans = by_name(exporting)
    assert set(spans) == {
        "invoke_workflow wf_test",
        "invoke_agent Support",
        "chat scripted-1",
        "execute_tool weather",
    }
    assert len(exporting.spans) == 5
    assert {span.trace_id.hex() for span in exporting.spans} == {trace["id"]}
    root, agent_span = spans["invoke_workflow wf_test"], spans["invoke_agent Support"]
    tool = spans["execute_tool weather"]
    assert root.parent_span_id == b""
    assert agent_span.parent_span_id == root.span_id
    assert tool.parent_span_id == agent_span.span_id
    about = said(root)
    assert about.pop("chatdock.time_to_first_text") == pytest.approx(
        (trace["first_text_at"] - trace["started_at"]) / 1_000_000
    )
    assert about == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "wf_test",
        "gen_ai.conversation.id": turn.thread_id,
        "chatdock.workflow.version": "2",
        "chatdock.run.id": turn.run_id,
        "chatdock.outcome": "completed",
    }
    calls = [said(span) for span in exporting.spans if span.name == "chat scripted-1"]
    assert [(call["gen_ai.usage.input_tokens"], call["gen_ai.usage.output_tokens"]) for call in calls] == [
        (100, 10),
        (300, 30),
    ]
    assert said(tool)["gen_ai.tool.name"] == "weather"
    stored = {span["id"]: span for span in records.spans(turn.run_id)}
    for span in exporting.spans:
        if span is not root:
            own = stored[span.span_id.hex()]
            times = (span.start_time_unix_nano // 1_000, span.end_time_unix_nano // 1_000)
            assert times == (own["started_at"], own["ended_at"])
    assert exporting.services == {"chatdock"}
    assert CANARY not in str(exporting.spans)


def test_opentelemetrys_and_our_own_spans_are_exported_with_their_errors(tmp_path: Path, exporting: Collector) -> None:
    async def failing(turn: Turn) -> AsyncIterator[str]:
        yield "so far"
        with turn.span("own", detail="x"), otel.get_tracer("test").start_as_current_span("library"):
            raise LookupError(CANARY)

    turn = answer(tmp_path, failing)
    assert turn.outcome == "failed"
    spans = by_name(exporting)
    assert spans["library"].parent_span_id == spans["own"].span_id
    for name in ("library", "own", "invoke_workflow wf_test"):
        assert spans[name].status.code == Status.STATUS_CODE_ERROR
        assert spans[name].status.message == "LookupError"


def test_a_session_without_tracing_is_not_exported(tmp_path: Path, exporting: Collector) -> None:
    with serving(tmp_path, [workflow("wf_test")(echo)]) as server:
        untraced(server).create()
        traced = server.backend.chat(chatkit_configuration=UNTITLED).create()
    assert [said(span)["chatdock.run.id"] for span in exporting.spans] == [traced.run_id]


def test_what_is_exported_need_not_be_kept(tmp_path: Path, exporting: Collector, records: Records) -> None:
    answer(tmp_path, echo, trace_retention=0)
    assert [span.name for span in exporting.spans] == ["invoke_workflow wf_test"]
    assert records.rows("trace") == []


@pytest.mark.slow
def test_a_collector_that_fails_or_is_gone_holds_up_nobody(
    tmp_path: Path, exporting: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporting.status = 503
    with serving(tmp_path, [workflow("wf_test")(echo)]) as server:
        assert server.backend.chat().create().outcome == "completed"
    assert exporting.requests


@pytest.mark.parametrize("names", [{}, {"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_SDK_DISABLED": "true"}])
def test_nothing_is_sent_unless_that_is_asked_for(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch, names: dict[str, str]
) -> None:
    """The control is the same with the variable, above."""
    if names:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    assert answer(tmp_path, echo).outcome == "completed"
    assert collector.requests == 0


def test_a_protocol_that_is_not_spoken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(ExportError, match="OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'"):
        create_app(Settings(), [workflow("wf_test")(echo)])


WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
folder = sys.argv[1]
sys.argv = ["chatdock", "serve", f"{folder}/flow.py", "--port", "0", "--database-url", f"sqlite:///{folder}/chat.db"]
from chatdock.cli import main
main()
"""


def test_an_endpoint_without_the_extra_stops_the_start_with_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(
        "from chatdock import workflow\n@workflow('wf_test')\nasync def a(turn):\n    yield 'x'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
    )
    assert done.returncode == 1
    assert done.stderr.startswith("chatdock: OTEL_EXPORTER_OTLP_ENDPOINT is set")
    assert "pip install 'chatdock[otlp]'" in done.stderr
    assert "Traceback" not in done.stderr
