"""Automatic titles: one per thread, beside the answer, at no cost to it; the user's own title wins."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from chatdock import Turn
from tests.chat.conftest import Stage, said
from tests.chat.shapes import Script, passed
from tests.harness.client import CANARY, Chat
from tests.harness.client import Turn as Streamed
from tests.harness.server import eventually


def title(chat: Chat, thread_id: str) -> str | None:
    """The thread's title as it is stored."""
    found: str | None = chat.call("threads.get_by_id", thread_id=thread_id).get("title")
    return found


def test_a_thread_is_named_once_and_never_again(stage: Stage) -> None:
    asked: list[str] = []

    async def names(turn: Turn) -> str:
        asked.append(turn.text)
        return f'  "About\n {turn.text}" '

    chat = stage.chat(part={"title": names})
    turn = chat.create("tea")
    thread_id = turn.thread_id
    eventually(lambda: title(chat, thread_id) == "About tea")
    later = chat.send(thread_id, "coffee")
    assert later.of("thread.updated") == []
    assert title(chat, thread_id) == "About tea"
    assert asked == ["tea"]


def test_the_title_is_made_beside_the_answer_and_shown_when_it_is_ready(stage: Stage) -> None:
    titled, answered = threading.Event(), threading.Event()

    async def names(turn: Turn) -> str:
        await passed(titled)
        return "Named"

    async def answers(turn: Turn) -> Script:
        yield "begun"
        await passed(answered)
        yield ", ended"

    chat = stage.chat(answers, part={"title": names})
    with chat.open("threads.create", said()) as frames:
        next(frame for frame in frames if "begun" in repr(frame.event))
        titled.set()
        shown = next(frame.event for frame in frames if frame.event and frame.event["type"] == "thread.updated")
        assert shown["thread"]["title"] == "Named"
        assert title(chat, shown["thread"]["id"]) == "Named"
        answered.set()
        assert Streamed(list(frames)).outcome == "completed"


def test_a_title_that_is_slower_than_the_answer_delays_nothing_and_is_stored_later(stage: Stage) -> None:
    gate = threading.Event()

    async def names(turn: Turn) -> str:
        await passed(gate)
        return "Late"

    chat = stage.chat(part={"title": names})
    turn = chat.create()
    assert turn.outcome == "completed"
    assert turn.of("thread.updated") == []
    assert title(chat, turn.thread_id) is None
    gate.set()
    eventually(lambda: title(chat, turn.thread_id) == "Late")


@pytest.mark.parametrize("late", [False, True])
def test_the_users_own_title_wins_over_one_that_was_made_meanwhile(stage: Stage, late: bool) -> None:
    titled, answered = threading.Event(), threading.Event()
    made = threading.Event()

    async def names(turn: Turn) -> str:
        await passed(titled)
        made.set()
        return "Made"

    async def answers(turn: Turn) -> Script:
        yield "begun"
        await passed(answered)
        yield ", ended"

    chat = stage.chat(answers, part={"title": names})
    with chat.open("threads.create", said()) as frames:
        first = next(frames)
        assert first.event is not None
        thread_id = first.event["thread"]["id"]
        next(frame for frame in frames if "begun" in repr(frame.event))
        if late:
            answered.set()
            rest = Streamed(list(frames))
            chat.call("threads.update", thread_id=thread_id, title="My own")
            titled.set()
        else:
            chat.call("threads.update", thread_id=thread_id, title="My own")
            titled.set()
            eventually(made.is_set)
            answered.set()
            rest = Streamed(list(frames))
    eventually(made.is_set)
    assert chat.send(thread_id).outcome == "completed"
    assert title(chat, thread_id) == "My own"
    assert [event for event in rest.of("thread.updated") if event["thread"].get("title") == "Made"] == []


async def _raises(turn: Turn) -> str | None:
    raise RuntimeError(CANARY)


def _raises_at_once(turn: Turn) -> str | None:
    raise RuntimeError(CANARY)


async def _nothing(turn: Turn) -> str | None:
    return None


async def _blank(turn: Turn) -> str | None:
    return '  " \n'


@pytest.mark.parametrize("titler", [_raises, _raises_at_once, _nothing, _blank])
def test_a_titler_that_fails_costs_nothing(stage: Stage, titler: Any) -> None:
    chat = stage.chat(part={"title": titler})
    turn = chat.create()
    assert turn.outcome == "completed"
    assert turn.text == "You said hello"
    assert turn.of("thread.updated") + turn.of("error") == []
    assert title(chat, turn.thread_id) is None


def test_a_late_title_without_a_character_leaves_the_thread_unnamed(stage: Stage) -> None:
    answered, made = threading.Event(), threading.Event()

    async def names(turn: Turn) -> str:
        await passed(answered)
        made.set()
        return ' "" '

    chat = stage.chat(part={"title": names})
    thread_id = chat.create().thread_id
    answered.set()
    eventually(made.is_set)
    chat.send(thread_id)
    thread = chat.call("threads.get_by_id", thread_id=thread_id)
    assert "title" not in thread


def test_a_session_may_switch_titles_off(stage: Stage) -> None:
    chat = stage.chat(chatkit_configuration={"automatic_thread_titling": {"enabled": False}})
    turn = chat.create()
    assert turn.of("thread.updated") == []
    assert title(chat, turn.thread_id) is None


def test_a_title_that_the_workflow_gave_is_kept(stage: Stage) -> None:
    async def names_itself(turn: Turn) -> Script:
        turn.thread.title = "By the workflow"
        await asyncio.sleep(0)
        yield "answer"

    chat = stage.chat(names_itself)
    turn = chat.create("opening words")
    assert [event["thread"]["title"] for event in turn.of("thread.updated")] == ["By the workflow"]
    assert title(chat, turn.thread_id) == "By the workflow"


def test_a_thread_of_a_workflow_without_a_titler_is_named_after_its_first_words(stage: Stage) -> None:
    chat = stage.chat(workflow="wf_plain")
    text = "How do I grow tomatoes on a small balcony that faces north?\nThanks!"
    assert title(chat, chat.create(text).thread_id) == "How do I grow tomatoes on a small balcony that…"
    assert title(chat, chat.create("x" * 60).thread_id) == "x" * 47 + "…"
    assert title(chat, chat.create(" \n ").thread_id) is None
