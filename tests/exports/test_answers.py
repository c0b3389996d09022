"""What an export's models answer beside text: thoughts in it, half of it, nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from chatdock.workflows.wording import CUT_SHORT, NO_ANSWER
from tests.exports.serving import scripted_export
from tests.harness.model_endpoint import Full, Say, Step, Think
from tests.workflows.agents import Api

SECRET = "They want to hear that it is short."
CRITIQUE: Step = [Say(f'<think>{SECRET}</think>{{"category": "critique"}}')]


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_thoughts_in_the_text_are_shown_as_thoughts_and_told_to_no_agent_again(tmp_path: Path, api: Api) -> None:
    says: Step = [Say(f"<think>{SECRET}</think>\n\nIt lacks a date.", size=3)]
    with scripted_export(tmp_path, "letters", CRITIQUE, says, CRITIQUE, says, api=api) as (chat, endpoint):
        turn = chat.create("A letter")
        assert chat.send(turn.thread_id, "Another").outcome == "completed"
        assert "It lacks a date." in str(endpoint.requests[3])
        assert SECRET not in str(endpoint.requests)
    assert (turn.outcome, turn.text) == ("completed", "It lacks a date.")
    [item] = turn.done("workflow")
    assert item["workflow"]["type"] == "reasoning"
    assert [task["content"] for task in item["workflow"]["tasks"]] == [SECRET]


@pytest.mark.parametrize("api", ["responses", "chat"])
@pytest.mark.parametrize("says", [[Say("")], [Think(SECRET)]], ids=["empty", "reasoning"])
def test_an_agent_that_answers_nothing_is_said_with_a_retry_and_logged(tmp_path: Path, api: Api, says: Step) -> None:
    with (
        structlog.testing.capture_logs() as logs,
        scripted_export(tmp_path, "letters", CRITIQUE, says, api=api) as (chat, _),
    ):
        turn = chat.create("A letter")
    assert turn.outcome == "failed"
    assert turn.events[-1] == {"type": "error", "code": "custom", "message": NO_ANSWER, "allow_retry": True}
    [told] = [entry for entry in logs if entry["event"] == "model_failed"]
    assert told["reason"] in {"no text", "reasoning alone"}


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_an_answer_that_stopped_at_its_length_limit_says_so_under_it(tmp_path: Path, api: Api) -> None:
    with scripted_export(tmp_path, "letters", CRITIQUE, [Say("It lacks"), Full()], api=api) as (chat, _):
        turn = chat.create("A letter")
        items = chat.items(turn.thread_id)
    assert turn.outcome == "completed"
    assert [item["type"] for item in items] == ["user_message", "assistant_message", "task"]
    assert items[-1]["task"]["title"] == CUT_SHORT
