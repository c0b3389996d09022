"""What a workflow knows of its turn: the user, the state, the history, and what came with the request."""

from __future__ import annotations

from typing import Any

import pytest
from chatkit import types

from chatdock import Turn
from tests.chat.conftest import Stage, said
from tests.chat.shapes import Script, answer, done, hidden
from tests.harness.client import CANARY, message
from tests.harness.client import Turn as Streamed


def test_state_lasts_from_turn_to_turn_and_each_sessions_own_variables_lie_over_it(stage: Stage) -> None:
    seen: list[dict[str, Any]] = []

    async def keeps(turn: Turn) -> Script:
        seen.append(dict(turn.state))
        turn.state["count"] = turn.state.get("count", 0) + 1
        turn.state["plan"] = "changed by the workflow"
        turn.state["deep"] = {"secret": [CANARY]}
        yield "kept"

    user = stage.user(keeps)
    free: Any = {"workflow_members": {"state_variables": {"plan": "free", "trial": True, "seats": 3, "rate": 1.5}}}
    chat = stage.backend.chat(user, **free)
    thread_id = chat.create().thread_id
    chat.send(thread_id)
    other = stage.backend.chat(user, workflow_members={"state_variables": {"plan": "gold"}})
    other.send(thread_id)
    stage.backend.chat(user, workflow_members={}).send(thread_id)
    chat.create()
    given = {"plan": "free", "trial": True, "seats": 3, "rate": 1.5}
    kept = {"deep": {"secret": [CANARY]}}
    assert seen == [
        given,
        {**given, **kept, "count": 1},
        {**kept, "count": 2, "plan": "gold"},
        {**kept, "count": 3, "plan": "changed by the workflow"},
        given,
    ]


def test_state_of_a_turn_that_failed_is_not_kept(stage: Stage) -> None:
    seen: list[Any] = []

    async def fails_once(turn: Turn) -> Script:
        seen.append(turn.state.get("step"))
        turn.state["step"] = len(seen)
        yield "step"
        if len(seen) == 2:
            raise RuntimeError(CANARY)

    chat = stage.chat(fails_once)
    thread_id = chat.create().thread_id
    chat.send(thread_id)
    chat.send(thread_id)
    assert seen == [None, 1, 1]


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de-DE"),
        ("fr", "fr"),
        ("zh-Hant-TW ; q=0.7 , en", "zh-Hant-TW"),
        ("", None),
    ],
)
def test_the_locale_is_the_first_of_accept_language(stage: Stage, header: str, locale: str | None) -> None:
    seen: list[str | None] = []

    async def listens(turn: Turn) -> Script:
        seen.append(turn.locale)
        yield "ok"

    stage.chat(listens).stream("threads.create", headers={"accept-language": header}, **said())
    assert seen == [locale]


def test_a_turn_names_its_user_its_session_and_its_workflow_and_holds_the_requests_metadata(stage: Stage) -> None:
    seen: list[Turn] = []

    async def listens(turn: Turn) -> Script:
        seen.append(turn)
        yield "ok"

    user = stage.user(listens)
    session = stage.backend.session(user)
    chat = stage.backend.chat_with(session["client_secret"])
    sent = {"page": "/cart", "nested": {"n": [1, None]}}
    with chat.open("threads.create", said("hi"), members={"metadata": sent}) as frames:
        assert Streamed(list(frames)).outcome == "completed"
    [turn] = seen
    assert (turn.user, turn.session.id, turn.workflow_id) == (user, session["id"], "wf_test")
    assert turn.metadata == sent
    assert turn.thread.metadata == {}
    assert (turn.text, turn.action, turn.sender, turn.tool_output, turn.answers) == ("hi", None, None, None, None)
    assert not turn.cancelled


def test_inference_options_are_empty_when_the_page_sends_none(stage: Stage) -> None:
    seen: list[types.InferenceOptions] = []

    async def listens(turn: Turn) -> Script:
        seen.append(turn.inference_options)
        yield "ok"

    chat = stage.chat(listens)
    thread_id = chat.create().thread_id
    chosen = {**message("x"), "inference_options": {"model": "small", "tool_choice": {"id": "search"}}}
    chat.stream("threads.add_user_message", thread_id=thread_id, input=chosen)
    empty = types.InferenceOptions()
    assert seen == [empty, types.InferenceOptions(model="small", tool_choice=types.ToolChoice(id="search"))]


def test_history_is_the_whole_thread_oldest_first_up_to_the_message_with_hidden_context(stage: Stage) -> None:
    seen: list[list[types.ThreadItem]] = []

    async def looks(turn: Turn) -> Script:
        seen.append(await turn.history())
        assert turn.message is not None
        assert seen[-1][-1] == turn.message
        yield done(hidden(turn, CANARY))
        yield done(answer(turn, f"answer to {turn.text}"))

    chat = stage.chat(looks, part={"planted": False})
    thread_id = chat.create("one").thread_id
    chat.send(thread_id, "two")
    chat.send(thread_id, "three")
    assert [[item.type for item in history] for history in seen] == [
        ["user_message", "hidden_context_item", "assistant_message"] * n + ["user_message"] for n in range(3)
    ]
    assert [item.content[0].text for item in seen[2] if item.type == "user_message"] == ["one", "two", "three"]


@pytest.mark.parametrize(("limit", "expected"), [(1, 1), (2, 2), (4, 4), (100, 7), (None, 7), (0, 0)])
def test_history_with_a_limit_is_the_newest_so_many_still_oldest_first(
    stage: Stage, limit: int | None, expected: int
) -> None:
    seen: list[list[str]] = []

    async def looks(turn: Turn) -> Script:
        seen.append([item.id for item in await turn.history()])
        seen.append([item.id for item in await turn.history(limit)])
        yield "ok"

    chat = stage.chat(looks, part={"planted": False})
    thread_id = chat.create().thread_id
    for _ in range(3):
        chat.send(thread_id)
    whole, newest = seen[-2:]
    assert len(whole) == 7
    assert newest == whole[7 - expected :]


def test_what_was_yielded_and_seen_is_in_the_history_of_the_same_turn(stage: Stage) -> None:
    seen: list[list[str]] = []

    async def looks_back(turn: Turn) -> Script:
        yield done(answer(turn, "first"))
        seen.append([item.type for item in await turn.history()])
        yield "second"

    chat = stage.chat(looks_back, part={"planted": False})
    thread_id = chat.create().thread_id
    chat.send(thread_id)
    assert all(kinds[-1] in {"user_message", "assistant_message"} for kinds in seen)
    assert len(seen[1]) >= len(seen[0]) + 2
