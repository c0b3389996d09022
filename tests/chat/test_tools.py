"""Client tools: the workflow calls, the browser answers, perhaps much later and from another page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatdock import Turn
from tests.chat.conftest import Cast, Part, Stage
from tests.chat.shapes import Script, call, done
from tests.harness.client import ApiFailure, Chat
from tests.harness.client import Turn as Streamed
from tests.harness.server import serving


async def locates(turn: Turn) -> Script:
    """Asks the browser where it is, and tells."""
    if turn.tool_output is None:
        yield "Let me see."
        yield done(call(turn, near="here"))
        yield "never shown: the turn ended with the call"
    else:
        yield f"You are at {turn.tool_output.output!r}; message: {turn.message}"


def give(chat: Chat, thread_id: str, result: Any) -> Streamed:
    """Answer the pending call."""
    return Streamed(chat.stream("threads.add_client_tool_output", thread_id=thread_id, result=result))


def test_a_pending_call_is_sent_once_and_the_stream_ends_there(stage: Stage) -> None:
    chat = stage.chat(locates)
    turn = chat.create()
    assert turn.outcome == "waiting"
    sent = [event for event in turn.events if event.get("item", {}).get("type") == "client_tool_call"]
    assert sent == [turn.of("thread.item.done")[-1]]
    assert turn.text == "Let me see."
    [pending] = turn.done("client_tool_call")
    assert pending["status"] == "pending"
    assert (pending["name"], pending["arguments"]) == ("locate", {"near": "here"})
    assert "output" not in pending
    assert chat.items(turn.thread_id)[-1] == pending


@pytest.mark.parametrize("result", [{"lat": 52.5, "near": [None, "x"]}, "here", 0, False, [], None])
def test_the_browsers_answer_of_any_json_reaches_the_workflow_and_is_stored(stage: Stage, result: Any) -> None:
    chat = stage.chat(locates)
    thread_id = chat.create().thread_id
    turn = give(chat, thread_id, result)
    assert turn.outcome == "completed"
    assert turn.text == f"You are at {result!r}; message: None"
    assert turn.done("user_message") == []
    stored = next(item for item in chat.items(thread_id) if item["type"] == "client_tool_call")
    assert stored["status"] == "completed"
    assert stored.get("output") == result
    rest = stage.backend.get(f"threads/{thread_id}/items", order="asc")["data"][2]
    assert (rest["type"], rest["status"]) == ("chatkit.client_tool_call", "completed")


def test_a_second_answer_is_refused(stage: Stage) -> None:
    chat = stage.chat(locates)
    thread_id = chat.create().thread_id
    give(chat, thread_id, 1)
    items = chat.items(thread_id)
    with pytest.raises(ApiFailure) as failure:
        give(chat, thread_id, 2)
    assert (failure.value.status, failure.value.error["code"]) == (409, "no_pending_call")
    assert chat.items(thread_id) == items


def test_an_answer_that_nobody_asked_for_is_refused(stage: Stage) -> None:
    chat = stage.chat()
    thread_id = chat.create().thread_id
    with pytest.raises(ApiFailure) as failure:
        give(chat, thread_id, 1)
    assert (failure.value.status, failure.value.error["code"]) == (409, "no_pending_call")


def test_a_page_that_reloads_finds_the_call_pending_even_after_a_restart_and_answers_it(tmp_path: Path) -> None:
    cast = Cast()
    cast.parts["ada"] = Part(locates)
    with serving(tmp_path, cast.workflows()) as server:
        thread_id = server.backend.chat("ada").create().thread_id
    with serving(tmp_path, cast.workflows()) as server:
        fresh = server.backend.chat("ada")
        [listed] = fresh.call("threads.list")["data"]
        thread = fresh.call("threads.get_by_id", thread_id=listed["id"])
        assert "active_run" not in thread
        assert thread["items"]["data"][-1]["status"] == "pending"
        turn = give(fresh, thread_id, "sea")
        assert turn.outcome == "completed"
        assert turn.text.startswith("You are at 'sea'")
        assert fresh.items(thread_id)[2]["status"] == "completed"


def test_the_newest_pending_call_is_answered_and_dangling_older_ones_are_removed(stage: Stage) -> None:
    chat = stage.chat(locates)
    thread_id = chat.create().thread_id
    chat.send(thread_id, "where am I now?")
    calls = [item["id"] for item in chat.items(thread_id) if item["type"] == "client_tool_call"]
    assert len(calls) == 2
    turn = give(chat, thread_id, "here")
    assert turn.outcome == "completed"
    assert [event["item_id"] for event in turn.of("thread.item.removed")] == calls[:1]
    left = [item for item in chat.items(thread_id) if item["type"] == "client_tool_call"]
    assert [(item["id"], item["status"]) for item in left] == [(calls[1], "completed")]


def test_a_workflow_may_call_again_and_again(stage: Stage) -> None:
    async def counts(turn: Turn) -> Script:
        last: Any = -1 if turn.tool_output is None else turn.tool_output.output
        step = last + 1
        if step < 3:
            yield done(call(turn, f"step_{step}"))
        else:
            yield "enough"

    chat = stage.chat(counts)
    thread_id = chat.create().thread_id
    outcomes = [give(chat, thread_id, step).outcome for step in range(3)]
    assert outcomes == ["waiting", "waiting", "completed"]
    calls = [item for item in chat.items(thread_id) if item["type"] == "client_tool_call"]
    assert [(item["name"], item["status"]) for item in calls] == [(f"step_{n}", "completed") for n in range(3)]


def test_a_call_that_the_workflow_itself_completed_ends_nothing(stage: Stage) -> None:
    async def informs(turn: Turn) -> Script:
        yield done(call(turn).model_copy(update={"status": "completed", "output": 1}))
        yield "and on it goes"

    turn = stage.chat(informs).create()
    assert turn.outcome == "completed"
    assert turn.text == "and on it goes"


def test_state_that_was_left_before_a_call_is_there_after_it(stage: Stage) -> None:
    seen: list[Any] = []

    async def remembers(turn: Turn) -> Script:
        seen.append(turn.state.get("step"))
        turn.state["step"] = "asked"
        if turn.tool_output is None:
            yield done(call(turn))
        else:
            yield "done"

    chat = stage.chat(remembers)
    give(chat, chat.create().thread_id, 1)
    assert seen == [None, "asked"]
