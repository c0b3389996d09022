"""A model that answers nothing, or stops at its length limit: the user is told so, and the operator why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
from agents import Agent, Model, RunContextWrapper, function_tool
from chatkit.agents import AgentContext

from chatdock.workflows.wording import CUT_SHORT, MODEL_FAILED, NO_ANSWER
from tests.chat.shapes import card
from tests.harness.client import Turn
from tests.harness.model_endpoint import Full, Raw, Say, Step, Think, Use
from tests.workflows.agents import Api, scripted

APIS = pytest.mark.parametrize("api", ["responses", "chat"])


@function_tool
def tides() -> str:
    """The tides."""
    return "at nine"


@function_tool
async def show_tides(ctx: RunContextWrapper[AgentContext[Any]]) -> str:
    """Show the tides; there is nothing to add to that."""
    turn = ctx.context.request_context
    await turn.emit(turn.widget(card("tides")))
    return "shown"


def guide(model: Model) -> Agent[Any]:
    return Agent(name="Guide", model=model, tools=[tides, show_tides])


def told(tmp_path: Path, *steps: Step, api: Api, **options: Any) -> tuple[Turn, list[Any]]:
    """The turn, and the reasons that the log has of a model that failed."""
    with structlog.testing.capture_logs() as logs, scripted(tmp_path, guide, *steps, api=api, **options) as (chat, _):
        turn = chat.create()
    return turn, [entry for entry in logs if entry["event"] == "model_failed"]


SILENCE: dict[str, tuple[Step, str]] = {
    "empty": ([Say("")], "no text"),
    "blank": ([Say(" \n")], "no text"),
    "nothing": ([], "no text"),
    "reasoning": ([Think("What may they want?")], "reasoning alone"),
    "reasoning in the text": ([Say("<think>What may they want?</think>\n\n")], "reasoning alone"),
    "length": ([Think("What may they want?"), Full()], "it came to its length limit before any text"),
}


@APIS
@pytest.mark.parametrize("step", SILENCE)
def test_silence_is_said_with_a_retry_and_its_reason_logged(tmp_path: Path, api: Api, step: str) -> None:
    says, reason = SILENCE[step]
    turn, [entry] = told(tmp_path, says, api=api)
    assert turn.outcome == "failed"
    assert turn.events[-1] == {"type": "error", "code": "custom", "message": NO_ANSWER, "allow_retry": True}
    assert (entry["error"], entry["reason"]) == ("NoAnswer", reason)


@APIS
def test_silence_after_a_tool_that_showed_nothing_is_said_too(tmp_path: Path, api: Api) -> None:
    turn, [entry] = told(tmp_path, [Use("tides")], [Say("")], api=api)
    assert (turn.outcome, entry["reason"]) == ("failed", "no text")


@APIS
def test_a_model_may_be_silent_after_a_tool_that_showed_something(tmp_path: Path, api: Api) -> None:
    turn, failures = told(tmp_path, [Use("show_tides")], [Say("")], api=api)
    assert (turn.outcome, failures) == ("completed", [])


@APIS
@pytest.mark.parametrize("body", [b"", b"\n\n", b": no events\n\n"])
def test_a_stream_without_an_event_is_no_answer(tmp_path: Path, api: Api, body: bytes) -> None:
    turn, [entry] = told(tmp_path, Raw(body), api=api)
    assert turn.events[-1]["message"] == NO_ANSWER
    assert entry["reason"] == "its stream held no event"


@APIS
@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"message": "out of memory", "type": "server_error", "code": "oom"}}',
        b'{"error":{"message":"out of memory","type":"server_error","code":"oom"}}\n\n',
        b'error: {"message": "out of memory", "type": "server_error", "code": "oom"}\n\n',
    ],
)
def test_an_error_that_is_not_sent_as_an_event_is_heard(tmp_path: Path, api: Api, body: bytes) -> None:
    turn, [entry] = told(tmp_path, Raw(body), api=api)
    assert turn.events[-1]["message"] == MODEL_FAILED
    assert turn.events[-1]["allow_retry"] is True
    assert (entry["error"], entry["code"]) == ("APIError", "oom")


@APIS
def test_an_answer_that_stopped_at_its_length_limit_says_so_under_it(tmp_path: Path, api: Api) -> None:
    with scripted(tmp_path, guide, [Say("Once upon"), Full()], [Say("a time.")], api=api) as (chat, endpoint):
        turn = chat.create()
        items = chat.items(turn.thread_id)
        again = chat.send(turn.thread_id, "Go on")
        assert again.text == "a time."
        assert "Once upon" in str(endpoint.requests[1])
    assert turn.outcome == "completed"
    assert [item["type"] for item in items] == ["user_message", "assistant_message", "task"]
    assert items[1]["content"][0]["text"] == "Once upon"
    assert items[2]["task"]["title"] == CUT_SHORT
    assert again.done("task") == []


@APIS
def test_an_answer_that_was_complete_after_a_cut_one_has_nothing_under_it(tmp_path: Path, api: Api) -> None:
    turn, _ = told(tmp_path, [Say("Let me look."), Use("tides")], [Say("At nine.")], api=api)
    assert turn.done("task") == []
