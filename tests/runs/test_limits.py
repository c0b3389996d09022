"""Over a limit the user reads a sentence, what was said is kept, and the operator can see which limit it was."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from chatkit.types import SDKHiddenContextItem, ThreadItemDoneEvent, WidgetItem
from chatkit.widgets import Card, Text
from sqlalchemy.dialects import sqlite

from chatdock import Turn, workflow
from chatdock.storage import runs
from chatdock.storage.sqlite_files import prepare
from chatdock.workflows.workflow import Emitted, WorkflowError
from tests.harness.client import ApiFailure, Chat, Json, message
from tests.harness.client import Turn as Streamed
from tests.harness.server import ThreadServer, serving
from tests.runs.stage import Stage
from tests.runs.wire import creating, sending

OUTPUT = 4096


def counted(server: ThreadServer, limit: str) -> float:
    """How often a limit was reached, as the operator's metrics tell it."""
    value = server.world.metrics.registry.get_sample_value("chatdock_limits_reached_total", {"limit": limit})
    return value or 0.0


def over(turn: Streamed) -> str:
    """The sentence with which a turn ended."""
    assert turn.outcome == "failed"
    assert turn.types[-1] == "error"
    error = turn.events[-1]
    assert error["code"] == "custom"
    assert error["allow_retry"] is True
    return str(error["message"])


def refused(chat: Chat) -> str:
    """The code with which another turn is refused."""
    with pytest.raises(ApiFailure) as caught:
        chat.create()
    assert caught.value.status == 429
    error: Json = caught.value.error
    return str(error["code"])


@workflow("wf_endless")
async def endless(turn: Turn) -> AsyncIterator[str]:
    while True:
        yield "on and on "


@workflow("wf_emitting")
async def emitting(turn: Turn) -> AsyncIterator[str]:
    while turn.text:
        await turn.emit("on and on ")
    yield "never"


@workflow("wf_one_piece")
async def one_piece(turn: Turn) -> AsyncIterator[str]:
    yield "x" * OUTPUT * 10


def padded(turn: Turn, **members: Any) -> dict[str, Any]:
    return {"id": turn.new_id(), "thread_id": turn.thread.id, "created_at": turn.now(), **members}


@workflow("wf_widgets")
async def widgets(turn: Turn) -> AsyncIterator[Emitted]:
    yield "Look: "
    while True:
        card = Card(children=[Text(value="a card")])
        yield ThreadItemDoneEvent(item=WidgetItem(**padded(turn, widget=card)))


@workflow("wf_hidden")
async def hoarding(turn: Turn) -> AsyncIterator[Emitted]:
    while True:
        yield ThreadItemDoneEvent(item=SDKHiddenContextItem(**padded(turn, content="note to self " * 10)))


@workflow("wf_modest")
async def modest(turn: Turn) -> AsyncIterator[str]:
    for _ in range(10):
        yield "x" * (OUTPUT // 20)


@workflow("wf_tools")
async def tools(turn: Turn) -> AsyncIterator[str]:
    while True:
        turn.count_tool_call()
        yield f"tool {turn.tool_calls}; "


@workflow("wf_hasty", time_limit=0.2)
async def hasty(turn: Turn) -> AsyncIterator[str]:
    yield "begun"
    await asyncio.Event().wait()


@workflow("wf_patient", time_limit=60)
async def patient(turn: Turn) -> AsyncIterator[str]:
    began = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() < began + 0.6:  # longer than the server's own limit, which is the point
        await asyncio.sleep(0.05)
    yield "there it is"


@pytest.mark.parametrize("name", ["wf_endless", "wf_emitting", "wf_one_piece"])
def test_text_is_cut_off_at_the_output_limit_and_kept_up_to_there(tmp_path: Path, name: str) -> None:
    with serving(tmp_path, [endless, emitting, one_piece], run_output_limit=OUTPUT) as server:
        chat = server.backend.chat(workflow=name)
        turn = chat.create()
        assert over(turn) == "The answer reached the limit of 4,096 bytes."
        kept = chat.items(turn.thread_id)[-1]["content"][0]["text"]
        assert kept == turn.text
        assert OUTPUT / 2 < len(kept) <= OUTPUT
        assert counted(server, "output") == 1


def test_items_count_as_output_and_those_before_the_limit_are_kept(tmp_path: Path) -> None:
    with serving(tmp_path, [widgets], run_output_limit=OUTPUT) as server:
        chat = server.backend.chat(workflow="wf_widgets")
        turn = chat.create()
        assert "limit" in over(turn)
        kept = [item["type"] for item in chat.items(turn.thread_id)]
        assert kept == ["user_message", "assistant_message", *["widget"] * len(turn.done("widget"))]
        assert len(kept) > 5


def test_what_clients_do_not_see_counts_as_output_too(tmp_path: Path) -> None:
    with serving(tmp_path, [hoarding], run_output_limit=OUTPUT) as server:
        assert "limit" in over(server.backend.chat(workflow="wf_hidden").create())


def test_a_message_whose_end_repeats_its_text_is_not_broken_off_at_its_end(tmp_path: Path) -> None:
    with serving(tmp_path, [modest], run_output_limit=OUTPUT) as server:
        turn = server.backend.chat(workflow="wf_modest").create()
        assert turn.outcome == "completed"
        assert len(turn.text) == OUTPUT // 20 * 10


def test_one_tool_call_too_many_ends_the_turn_and_the_operator_reads_which_limit_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, [tools], run_tool_call_limit=3) as server:
        chat = server.backend.chat(workflow="wf_tools")
        turn = chat.create()
        assert over(turn) == "The answer needed more than 3 tool calls, which is the limit."
        assert turn.text == "tool 1; tool 2; tool 3; "
        assert chat.items(turn.thread_id)[-1]["content"][0]["text"] == turn.text
        assert counted(server, "tool_calls") == 1
        logged = capsys.readouterr().err
        assert "limit_reached" in logged
        assert turn.run_id in logged
        assert chat.send(turn.thread_id).text == turn.text, "the next turn counts from nothing"


def test_a_workflow_may_have_a_time_limit_of_its_own(tmp_path: Path) -> None:
    with serving(tmp_path, [hasty, patient], run_time_limit=0.5) as server:
        turn = server.backend.chat(workflow="wf_hasty").create()
        assert over(turn) == "The answer took longer than 0.2 seconds."
        assert turn.text == "begun"
        assert counted(server, "time") == 1
        turn = server.backend.chat(workflow="wf_patient").create()
        assert (turn.outcome, turn.text) == ("completed", "there it is")


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_time_limit_that_leaves_no_time_is_refused_at_registration(seconds: float) -> None:
    with pytest.raises(WorkflowError, match=r"time_limit of workflow 'wf_none' must be above 0 seconds"):
        workflow("wf_none", time_limit=seconds)


def test_a_run_too_many_is_refused_with_a_sentence_before_anything_is_stored(
    tmp_path: Path, stage: Stage, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, [stage.workflow], user_run_limit=2) as server:
        chat = server.backend.chat("busy")
        live = [creating(chat, f"{text} {n}") for n in range(2)]
        for n, reader in enumerate(live):
            stage.say(f"{text} {n}", "begun")
            reader.wait_for(lambda turn: turn.text == "begun")
        threads = chat.call("threads.list")
        response = chat.post("threads.create", {"input": message(f"{text} more")})
        assert response.status_code == 429
        assert response.headers["retry-after"] == "5"
        assert response.json()["error"] == {
            "message": "2 of your messages are being answered, and 2 is the limit. "
            "Wait until one answer has ended, or stop one.",
            "type": "rate_limit_error",
            "param": None,
            "code": "too_many_runs",
        }
        assert chat.call("threads.list") == threads
        assert counted(server, "user_runs") == 1
        assert "user_runs" in capsys.readouterr().err
        stage.end(f"{text} other", "I am somebody else")
        assert server.backend.chat("idle").create(f"{text} other").outcome == "completed"
        stage.end(f"{text} 0")
        live[0].wait()
        stage.end(f"{text} more", "now it may")
        assert chat.create(f"{text} more").text == "now it may"
        chat.call("threads.cancel", thread_id=live[1].turn.thread_id)
        assert live[1].wait().outcome == "cancelled"


def test_a_second_session_of_the_user_shares_the_limit(tmp_path: Path, stage: Stage, text: str) -> None:
    with serving(tmp_path, [stage.workflow], user_run_limit=1) as server:
        reader = creating(server.backend.chat("busy"), text)
        reader.wait_for(lambda turn: turn.of("stream_options"))
        again = server.backend.chat("busy")
        assert refused(again) == "too_many_runs"
        again.call("threads.delete", thread_id=reader.turn.thread_id)
        stage.end("hello", "free again")
        assert again.create().text == "free again"


def test_messages_that_wait_for_their_turn_count(tmp_path: Path, stage: Stage, text: str) -> None:
    with serving(tmp_path, [stage.workflow], user_run_limit=2, multitask_strategy="enqueue") as server:
        chat = server.backend.chat("busy")
        first = creating(chat, text)
        thread_id = first.wait_for(lambda turn: turn.of("stream_options")).thread_id
        second = sending(chat, thread_id, f"{text} next")
        second.wait_for(lambda turn: turn.of("stream_options"))
        assert refused(chat) == "too_many_runs"
        stage.end(text, "first")
        stage.end(f"{text} next", "second")
        assert second.wait().text == "second"


def test_a_request_that_was_accepted_is_answered_again_also_at_the_limit(
    tmp_path: Path, stage: Stage, text: str
) -> None:
    with serving(tmp_path, [stage.workflow], user_run_limit=1) as server:
        chat = server.backend.chat()
        key = {"Idempotency-Key": "the same"}
        first = creating(chat, text, headers=key)
        first.wait_for(lambda turn: turn.of("stream_options"))
        again = creating(chat, text, headers=key)
        again.wait_for(lambda turn: turn.of("stream_options"))
        stage.end(text, "once")
        assert first.wait().frames == again.wait().frames


def test_a_project_has_a_limit_for_all_its_users(tmp_path: Path, stage: Stage, text: str) -> None:
    with serving(tmp_path, [stage.workflow], project_run_limit=2) as server:
        readers = [creating(server.backend.chat(f"user {n}"), f"{text} {n}") for n in range(2)]
        for reader in readers:
            reader.wait_for(lambda turn: turn.of("stream_options"))
        assert refused(server.backend.chat("user 3")) == "too_many_runs"
        assert counted(server, "project_runs") == 1
        for n, reader in enumerate(readers):
            stage.end(f"{text} {n}")
            reader.wait()
        stage.end("hello", "free again")
        assert server.backend.chat("user 3").create().text == "free again"


def test_the_count_reads_an_index_of_what_is_unfinished_alone(tmp_path: Path) -> None:
    """So that accepting a message costs the same however many turns there have been."""
    prepare(tmp_path / "plan.db")
    statement = str(runs._UNFINISHED_COUNTS.clause.compile(dialect=sqlite.dialect()))
    connection = sqlite3.connect(tmp_path / "plan.db")
    ((*_, plan),) = connection.execute(f"EXPLAIN QUERY PLAN {statement}", ("user_1", "default"))
    connection.close()
    assert "COVERING INDEX run_of_user (project_id=?)" in plan
