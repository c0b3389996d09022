"""Structured input: the workflow asks with a form, the user answers or skips it, once."""

from __future__ import annotations

from typing import Any

import pytest

from chatdock import Turn
from tests.chat.conftest import Stage
from tests.chat.shapes import Script, answer, done, form
from tests.harness.client import ApiFailure, Chat, Json
from tests.harness.client import Turn as Streamed


async def asks(turn: Turn) -> Script:
    """Asks, then tells what was answered."""
    if turn.answers is None:
        yield "Some questions:"
        yield done(form(turn))
    else:
        answers = {question.id: question.answer for question in turn.answers.inputs}
        yield " ".join(
            f"{name}={'skipped' if given is None or given.skipped else '+'.join(given.values)}"
            for name, given in answers.items()
        )


@pytest.fixture
def asked(stage: Stage) -> tuple[Chat, str, str]:
    """A user who was asked: client, thread and form."""
    chat = stage.chat(asks)
    turn = chat.create()
    assert turn.outcome == "waiting"
    [item] = turn.done("structured_input")
    assert item["status"] == "pending"
    return chat, turn.thread_id, item["id"]


def submit(asked: tuple[Chat, str, str], **given: Any) -> Streamed:
    """Send the form."""
    chat, thread_id, item_id = asked
    return Streamed(chat.stream("threads.add_structured_input", thread_id=thread_id, item_id=item_id, input=given))


def stored(asked: tuple[Chat, str, str]) -> Json:
    """The form as it stands in the thread."""
    chat, thread_id, item_id = asked
    return next(item for item in chat.items(thread_id) if item["id"] == item_id)


def test_answers_are_shown_replaced_stored_and_seen_by_the_workflow(asked: tuple[Chat, str, str]) -> None:
    answers = {
        "colour": {"values": ["red"]},
        "more": {"values": ["green", "blue", "something else"]},
        "why": {"values": ["because"]},
    }
    turn = submit(asked, answers=answers)
    assert turn.outcome == "completed"
    assert turn.text == "colour=red more=green+blue+something else why=because"
    assert turn.types[:2] == ["thread.item.replaced", "stream_options"]
    [replaced] = turn.of("thread.item.replaced")
    assert replaced["item"]["status"] == "answered"
    assert stored(asked) == replaced["item"]
    assert [question["answer"]["values"] for question in stored(asked)["inputs"]] == [
        given["values"] for given in answers.values()
    ]


def test_a_single_choice_takes_one_value(asked: tuple[Chat, str, str]) -> None:
    turn = submit(asked, status="answered", answers={"colour": {"values": ["red", "green"]}})
    assert turn.text == "colour=red more=skipped why=skipped"
    assert stored(asked)["inputs"][0]["answer"] == {"values": ["red"], "skipped": False}


@pytest.mark.parametrize(
    "given", [{"status": "skipped"}, {"status": "skipped", "answers": {"colour": {"values": ["red"]}}}]
)
def test_a_skipped_form_has_no_answers(asked: tuple[Chat, str, str], given: dict[str, Any]) -> None:
    turn = submit(asked, **given)
    assert turn.outcome == "completed"
    assert turn.text == "colour=skipped more=skipped why=skipped"
    assert stored(asked)["status"] == "skipped"


def test_single_questions_may_be_skipped_or_left_empty(asked: tuple[Chat, str, str]) -> None:
    answers = {"colour": {"skipped": True, "values": ["red"]}, "more": {"values": []}, "why": {"values": ["so"]}}
    assert submit(asked, answers=answers).text == "colour=skipped more=skipped why=so"


def test_an_answer_to_a_question_that_was_not_asked_is_left_out_and_the_others_count(
    asked: tuple[Chat, str, str],
) -> None:
    turn = submit(asked, answers={"colour": {"values": ["red"]}, "age": {"values": ["7"]}})
    assert turn.text == "colour=red more=skipped why=skipped"
    assert stored(asked)["status"] == "answered"
    assert "age" not in str(stored(asked))


@pytest.mark.parametrize("status", ["answered", "skipped"])
def test_a_form_is_answered_once(asked: tuple[Chat, str, str], status: str) -> None:
    submit(asked, status=status, answers={"why": {"values": ["first"]}})
    before = stored(asked)
    with pytest.raises(ApiFailure) as failure:
        submit(asked, answers={"why": {"values": ["second"]}})
    assert (failure.value.status, failure.value.error["code"]) == (409, "input_not_pending")
    assert failure.value.error["message"].endswith(f"has been {status} already.")
    assert stored(asked) == before


def test_an_item_that_is_no_form_cannot_be_answered(asked: tuple[Chat, str, str]) -> None:
    chat, thread_id, _ = asked
    message = chat.items(thread_id)[0]["id"]
    with pytest.raises(ApiFailure) as failure:
        submit((chat, thread_id, message))
    assert failure.value.status == 400
    assert failure.value.error["message"] == "params.item_id must name a structured input, not a user_message."


def test_a_message_may_come_instead_and_the_form_can_still_be_answered(asked: tuple[Chat, str, str]) -> None:
    chat, thread_id, _ = asked
    chat.send(thread_id, "later")
    assert submit(asked, answers={"why": {"values": ["late"]}}).text == "colour=skipped more=skipped why=late"


def test_a_wrong_answer_is_named_by_its_path_whatever_the_question_is_called(stage: Stage) -> None:
    chat = stage.chat(asks)
    thread_id = chat.create().thread_id
    for name in ("why", "date-of-birth", "str", "a[0]"):
        answers = {name: {"values": [5]}}
        params = {"thread_id": thread_id, "item_id": "cti_x", "input": {"answers": answers}}
        response = chat.post("threads.add_structured_input", params)
        assert response.status_code == 400
        assert response.json()["error"]["param"] == f"params.input.answers.{name}.values.0"


def test_text_after_the_form_does_not_make_the_turn_forget_that_it_waits(stage: Stage) -> None:
    async def goes_on(turn: Turn) -> Script:
        if turn.answers is None:
            yield done(form(turn))
            yield "Take your time."
            yield done(answer(turn, "Really."))

    assert stage.chat(goes_on).create().outcome == "waiting"
