"""Every turn of a session that is traced has its record and its spans, whatever answers it; others leave nothing."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from chatdock import Turn, workflow
from chatdock.tracing import trace as tracing
from tests.harness.client import CANARY, Chat, message
from tests.harness.client import Turn as Streamed
from tests.harness.server import ProcessServer, ThreadServer, eventually, serving
from tests.tracing.records import Records

ROOT = Path(__file__).parents[2]
Answer = Callable[[Turn], AsyncIterator[str]]


async def echo(turn: Turn) -> AsyncIterator[str]:
    yield turn.text


def answer(tmp_path: Path, function: Answer, **settings: Any) -> Streamed:
    """One turn on a server of its own, which has stored everything once this returns."""
    with serving(tmp_path, [workflow("wf_test")(function)], **settings) as server:
        return server.backend.chat().create("hello")


def untraced(server: ThreadServer) -> Chat:
    return server.backend.chat(workflow_members={"tracing": {"enabled": False}})


def test_a_plain_turn_has_a_record_and_no_spans(tmp_path: Path, records: Records) -> None:
    turn = answer(tmp_path, echo)
    trace = records.trace(turn.run_id)
    assert (trace["thread_id"], trace["user_id"], trace["outcome"]) == (turn.thread_id, "user_1", "completed")
    assert (trace["input_tokens"], trace["output_tokens"], trace["error"]) == (0, 0, None)
    assert trace["started_at"] < trace["first_text_at"] <= trace["ended_at"]
    assert records.spans(turn.run_id) == []


def test_spans_of_a_function_nest_and_end_in_order(tmp_path: Path, records: Records) -> None:
    async def nested(turn: Turn) -> AsyncIterator[str]:
        async with turn.span("outer", shop="north", count=3, tags=["a", "b"]) as outer:
            with turn.span("first"):
                yield "one "
            with turn.span("second"):
                yield "two"
            outer.set(found=True)
        with turn.span("after"):
            pass

    turn = answer(tmp_path, nested)
    assert records.tree(turn.run_id) == ["outer", ".first", ".second", "after"]
    outer, first, second, after = records.spans(turn.run_id)
    assert outer["attributes"] == {"shop": "north", "count": 3, "tags": ["a", "b"], "found": True}
    assert outer["started_at"] <= first["started_at"] < first["ended_at"] <= second["ended_at"] <= outer["ended_at"]
    assert after["parent_id"] is None


def test_spans_of_tasks_and_threads_stand_under_what_started_them(tmp_path: Path, records: Records) -> None:
    async def parallel(turn: Turn) -> AsyncIterator[str]:
        async def fetch(name: str) -> None:
            async with turn.span(name):
                await asyncio.to_thread(part, f"{name} part")

        def part(name: str) -> None:
            with turn.span(name):
                pass

        with turn.span("both"):
            await asyncio.gather(fetch("left"), fetch("right"))
        with concurrent.futures.ThreadPoolExecutor() as pool:  # which passes no context on
            await asyncio.get_running_loop().run_in_executor(pool, part, "elsewhere")
        yield "done"

    turn = answer(tmp_path, parallel)
    assert sorted(records.tree(turn.run_id)) == sorted(
        ["both", ".left", "..left part", ".right", "..right part", "elsewhere"]
    )
    assert records.tree(turn.run_id)[-1] == "elsewhere"


def test_a_span_that_tells_of_a_model_call_counts(tmp_path: Path, records: Records) -> None:
    async def calls(turn: Turn) -> AsyncIterator[str]:
        named = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 40, "gen_ai.usage.output_tokens": 2}
        with turn.span("chat own-model", **named), turn.span("the same call, seen by a library", **named):
            yield "hello"

    turn = answer(tmp_path, calls)
    trace = records.trace(turn.run_id)
    assert [span["kind"] for span in records.spans(turn.run_id)] == ["model", "model"]
    assert (trace["input_tokens"], trace["output_tokens"]) == (40, 2)


@pytest.mark.parametrize(("content", "kept"), [(False, "RuntimeError"), (True, f"RuntimeError: {CANARY}")])
def test_an_exception_is_named_and_quoted_only_when_content_is_wanted(
    tmp_path: Path, records: Records, content: bool, kept: str
) -> None:
    async def broken(turn: Turn) -> AsyncIterator[str]:
        yield "partial"
        with turn.span("work"):
            raise RuntimeError(CANARY)

    turn = answer(tmp_path, broken, trace_content=content)
    (span,) = records.spans(turn.run_id)
    assert records.trace(turn.run_id)["outcome"] == turn.outcome == "failed"
    assert (span["error"], records.trace(turn.run_id)["error"]) == (kept, kept)


def test_a_turn_that_is_cancelled_says_so(tmp_path: Path, records: Records) -> None:
    async def endless(turn: Turn) -> AsyncIterator[str]:
        with turn.span("wait"):
            yield "on and on"
            await asyncio.sleep(3600)

    with serving(tmp_path, [workflow("wf_test")(endless)]) as server:
        chat = server.backend.chat()
        with chat.open("threads.create", {"input": message("x")}) as frames:
            first = next(frames)
            assert first.event is not None
            eventually(lambda: records.rows("span"), what="the span of a turn that goes on")
            assert records.rows("span")[0]["ended_at"] is None
            chat.call("threads.cancel", thread_id=first.event["thread"]["id"])
            run_id = first.run_id
    trace = records.trace(run_id)
    assert (trace["outcome"], trace["error"]) == ("cancelled", "the user stopped it")
    assert [span["error"] for span in records.spans(run_id)] == ["CancelledError"]


def test_a_session_without_tracing_leaves_nothing_and_its_spans_do_nothing(tmp_path: Path, records: Records) -> None:
    seen: list[object] = []

    async def spans(turn: Turn) -> AsyncIterator[str]:
        async with turn.span("work", detail="x") as span:
            span.set(more="y")
            seen.append((turn.trace, tracing.current()))
            yield turn.text

    with serving(tmp_path, [workflow("wf_test")(spans)]) as server:
        assert untraced(server).create("hello").text == "hello"
    assert seen == [(None, None)]
    assert records.rows("trace") == records.rows("span") == []


def test_a_turn_that_waited_behind_one_that_is_traced_is_not_traced_by_it(tmp_path: Path, records: Records) -> None:
    """The next turn of a thread is started by the end of the one before it."""
    gate = asyncio.Event()
    seen: list[tuple[str, bool]] = []

    async def gated(turn: Turn) -> AsyncIterator[str]:
        if turn.text == "first":
            yield "…"
            await gate.wait()
        with turn.span(turn.text):
            seen.append((turn.text, tracing.current() is not None))
            yield "done"

    with (
        serving(tmp_path, [workflow("wf_test")(gated)], multitask_strategy="enqueue") as server,
        server.backend.chat().open("threads.create", {"input": message("first")}) as frames,
    ):
        event = next(frames).event
        assert event is not None
        asked = {"thread_id": event["thread"]["id"], "input": message("second")}
        with untraced(server).open("threads.add_user_message", asked) as waiting:
            next(waiting)

            async def open_gate() -> None:
                gate.set()

            server.call(open_gate)
            list(waiting)
    assert seen == [("first", True), ("second", False)]
    assert [row["name"] for row in records.rows("span")] == ["first"]
    assert len(records.rows("trace")) == 1


def test_traces_go_with_their_thread(tmp_path: Path, records: Records) -> None:
    async def work(turn: Turn) -> AsyncIterator[str]:
        with turn.span("work"):
            yield "done"

    with serving(tmp_path, [workflow("wf_test")(work)]) as server:
        chat = server.backend.chat()
        turn, other = chat.create(), chat.create()
        records.spans(turn.run_id)
        server.backend.delete(f"threads/{turn.thread_id}")
        assert records.trace(other.run_id)
    assert [row["run_id"] for row in records.rows("trace")] == [other.run_id]
    assert {row["trace_id"] for row in records.rows("span")} == {records.trace(other.run_id)["id"]}


def test_a_turn_whose_thread_is_deleted_meanwhile_leaves_nothing(tmp_path: Path, records: Records) -> None:
    async def endless(turn: Turn) -> AsyncIterator[str]:
        with turn.span("wait"):
            yield "on and on"
            await asyncio.sleep(3600)

    with (
        serving(tmp_path, [workflow("wf_test")(endless)]) as server,
        server.backend.chat().open("threads.create", {"input": message("x")}) as frames,
    ):
        event = next(frames).event
        assert event is not None
        eventually(lambda: records.rows("span"), what="the span")
        server.backend.delete(f"threads/{event['thread']['id']}")
    assert records.rows("trace") == records.rows("span") == []


def test_traces_are_dropped_after_their_retention(tmp_path: Path, records: Records) -> None:
    async def work(turn: Turn) -> AsyncIterator[str]:
        with turn.span("work"):
            yield "done"

    with serving(tmp_path, [workflow("wf_test")(work)], trace_retention=0.5, sweep_interval=0.1) as server:
        records.trace(server.backend.chat().create().run_id)
        eventually(lambda: not records.rows("trace"), what="the trace's end of days")
        assert records.rows("span") == []


def test_a_live_turn_is_kept_whatever_its_age(tmp_path: Path, records: Records) -> None:
    async def slow(turn: Turn) -> AsyncIterator[str]:
        yield "on"
        await asyncio.sleep(0.6)

    with serving(tmp_path, [workflow("wf_test")(slow)], trace_retention=0.3, sweep_interval=0.02) as server:
        assert records.trace(server.backend.chat().create().run_id)["outcome"] == "completed"


def test_a_retention_of_zero_keeps_none(tmp_path: Path, records: Records) -> None:
    assert answer(tmp_path, echo).outcome == "completed"
    assert len(records.rows("trace")) == 1
    with serving(tmp_path, [workflow("wf_test")(echo)], trace_retention=0, sweep_interval=0.05) as server:
        session = server.backend.session(workflow_members={"tracing": {"enabled": True}})
        assert session["workflow"]["tracing"] == {"enabled": False}
        assert server.backend.chat().create().outcome == "completed"
        eventually(lambda: not records.rows("trace"), what="the end of earlier traces")


def test_traces_that_cannot_be_stored_fail_no_turn_and_are_logged_once(tmp_path: Path, records: Records) -> None:
    async def work(turn: Turn) -> AsyncIterator[str]:
        with turn.span("work"):
            yield "done"

    with structlog.testing.capture_logs() as logged, serving(tmp_path, [workflow("wf_test")(work)]) as server:
        connection = sqlite3.connect(tmp_path / "chatdock.db")
        for table in ("span", "trace"):
            connection.execute(f"DROP TABLE {table}")
        connection.commit()
        connection.close()
        chat = server.backend.chat()
        for _ in range(3):
            assert chat.create().outcome == "completed"
            eventually(lambda: not server.world.tracer._waiting, what="the attempt to store")
    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["traces_lost"]


def test_a_turn_with_too_many_spans_says_how_many_more_there_were(tmp_path: Path, records: Records) -> None:
    async def many(turn: Turn) -> AsyncIterator[str]:
        for number in range(tracing.MAX_SPANS + 5):
            with turn.span(f"span {number}", note="x" * 10_000, thing=object(), huge=10**5000):
                pass
        yield "done"

    turn = answer(tmp_path, many)
    assert turn.text == "done"
    assert records.trace(turn.run_id)["dropped_spans"] == 5
    spans = records.spans(turn.run_id)
    assert len(spans) == tracing.MAX_SPANS
    assert len(spans[0]["attributes"]["note"]) == 1_000
    assert (spans[0]["attributes"]["thing"], spans[0]["attributes"]["huge"]) == ("object", "int")


CRASHING = """
import asyncio
from chatdock import workflow

@workflow("wf_test")
async def answer(turn):
    with turn.span("done before"):
        pass
    with turn.span("was open"):
        yield "on"
        await asyncio.sleep(3600)
"""


@pytest.mark.slow
def test_a_trace_that_a_crash_cut_off_says_so(tmp_path: Path, records: Records) -> None:
    target = tmp_path / "crashing.py"
    target.write_text(CRASHING)
    database = f"sqlite:///{tmp_path}/chatdock.db"
    with ProcessServer(tmp_path, str(target)) as server:
        with server.backend.chat().open("threads.create", {"input": message("x")}) as frames:
            run_id = next(frames).run_id
            eventually(lambda: len(records.rows("span")) == 2, what="the spans")
            assert "running" in shown(database, run_id)[0]
            server.kill()
        assert "running" in shown(database, run_id)[0]  # nobody has looked yet
        server.start()
        lines = shown(database, run_id)
    assert "unfinished" in lines[0]
    assert [line.split("  ")[0] for line in lines[2:]] == ["├─ done before", "└─ was open"]
    assert lines[3].split("  ")[1] == "-"


def shown(database: str, name: str) -> list[str]:
    """What `chatdock traces` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "chatdock", "traces", name, "--database-url", database],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


PLAIN = """
import json, sys
from pathlib import Path

import chatdock
first = [name for name in sys.modules if name.split(".")[0] in {"agents", "opentelemetry"}]

from tests.tracing.test_turns import answer, echo
assert answer(Path(sys.argv[1]), echo).text == "hello"
print(json.dumps({"import": first, "served": "agents" in sys.modules}))
"""


@pytest.mark.slow
def test_neither_chatdock_nor_a_plain_server_imports_what_it_does_not_need(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"import": [], "served": False}
