"""A run ends when its user says so, not when a connection breaks; what it said by then is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatdock import Turn, workflow
from chatdock.runs.changes import CANCEL_NOTE
from tests.harness.client import ApiFailure, Chat, Json, message
from tests.harness.server import ThreadServer, eventually, serving
from tests.runs.stage import Stage
from tests.runs.wire import Reader, creating, resuming, sending


def status_of(chat: Chat, thread_id: str) -> str:
    """The thread's newest run, as cancelling a thread that has ended tells it."""
    run: Json = chat.call("threads.cancel", thread_id=thread_id)["run"]
    return str(run["status"])


def begun(chat: Chat, stage: Stage, text: str, said: str = "partial ") -> Reader:
    """A live turn that has said something."""
    reader = creating(chat, text)
    stage.say(text, said)
    reader.wait_for(lambda turn: turn.text == said)
    return reader


def test_a_run_goes_on_when_its_client_goes_away(chat: Chat, stage: Stage, text: str) -> None:
    turn = begun(chat, stage, text).drop()
    assert turn.outcome is None
    stage.end(text, "and the rest")
    eventually(lambda: "active_run" not in chat.call("threads.get_by_id", thread_id=turn.thread_id))
    answer = chat.items(turn.thread_id)[-1]
    assert answer["content"][0]["text"] == "partial and the rest"
    assert status_of(chat, turn.thread_id) == "completed"


def test_a_run_goes_on_when_its_client_goes_away_before_the_first_byte(chat: Chat, stage: Stage, text: str) -> None:
    reader = creating(chat, text)
    reader.drop()
    stage.end(text, "heard by nobody")
    eventually(lambda: stage.is_closed(text))
    (thread,) = chat.call("threads.list")["data"]
    eventually(lambda: len(chat.items(thread["id"])) == 2)


def test_where_the_operator_says_so_a_disconnect_cancels(tmp_path: Path, stage: Stage, text: str) -> None:
    with serving(tmp_path, [stage.workflow], on_disconnect="cancel") as server:
        chat = server.backend.chat()
        turn = begun(chat, stage, text).drop()
        eventually(lambda: stage.is_closed(text), what="the end of the workflow")
        eventually(lambda: "active_run" not in chat.call("threads.get_by_id", thread_id=turn.thread_id))
        assert chat.items(turn.thread_id)[-1]["content"][0]["text"] == "partial "
        assert status_of(chat, turn.thread_id) == "cancelled"


def test_a_disconnect_cancels_only_the_run_that_was_streamed(tmp_path: Path, stage: Stage, text: str) -> None:
    with serving(tmp_path, [stage.workflow], on_disconnect="cancel", multitask_strategy="enqueue") as server:
        chat = server.backend.chat()
        first = begun(chat, stage, f"{text} a")
        second = sending(chat, first.turn.thread_id, f"{text} b")
        second.wait_for(lambda turn: turn.of("stream_options"))
        first.drop()
        stage.end(f"{text} b", "an answer")
        assert second.wait().outcome == "completed"
        assert second.turn.text == "an answer"


def test_where_a_disconnect_cancels_those_who_joined_may_leave(tmp_path: Path, stage: Stage, text: str) -> None:
    with serving(tmp_path, [stage.workflow], on_disconnect="cancel") as server:
        chat = server.backend.chat()
        first = begun(chat, stage, text)
        thread_id = first.turn.thread_id
        joined = [resuming(chat, thread_id), resuming(chat, thread_id, first.frames[0].id)]
        for reader in joined:
            reader.wait_for(lambda turn: turn.of("stream_options"))
            reader.drop()
        # Each line is committed after a cancel that their leaving would have caused.
        eventually(lambda: len(server.world.turns._log._followers) == 1, what="the end of the other readers")
        for number in range(5):
            stage.say(text, f"{number} ")
            first.wait_for(lambda turn, number=number: turn.text.endswith(f"{number} "))  # type: ignore[misc]
        stage.end(text, "and the rest")
        assert first.wait().outcome == "completed"
        assert first.turn.text == "partial 0 1 2 3 4 and the rest"


def test_cancelling_keeps_what_was_said_and_is_seen_by_everybody(chat: Chat, stage: Stage, text: str) -> None:
    reader = begun(chat, stage, text)
    thread_id = reader.turn.thread_id
    tabs = [resuming(chat, thread_id), resuming(chat, thread_id, f"{reader.turn.run_id}:1")]
    for tab in tabs:
        tab.wait_for(lambda turn: turn.frames)
    answer = chat.call("threads.cancel", thread_id=thread_id)
    assert answer == {"run": {"id": reader.turn.run_id, "status": "cancelled"}}
    for tab in (reader, *tabs):
        assert tab.wait().outcome == "cancelled"
    assert stage.is_closed(text), "what is upstream goes on"
    (done,) = reader.turn.done("assistant_message")
    assert done["content"][0]["text"] == "partial "
    assert chat.items(thread_id)[-1] == done


def test_cancelling_again_gives_the_same_answer(chat: Chat, stage: Stage, text: str) -> None:
    reader = begun(chat, stage, text)
    thread_id = reader.turn.thread_id
    answers = [chat.call("threads.cancel", thread_id=thread_id) for _ in range(3)]
    assert answers == [{"run": {"id": reader.turn.run_id, "status": "cancelled"}}] * 3
    assert reader.wait().outcome == "cancelled"
    assert len(chat.items(thread_id)) == 2


def test_cancelling_what_has_ended_changes_nothing(chat: Chat, stage: Stage, text: str) -> None:
    stage.end(text, "all of it")
    turn = chat.create(text)
    before = chat.items(turn.thread_id)
    for _ in range(2):
        answer = chat.call("threads.cancel", thread_id=turn.thread_id)
        assert answer == {"run": {"id": turn.run_id, "status": "completed"}}
    assert chat.items(turn.thread_id) == before


def test_cancelling_before_anything_was_said_leaves_no_empty_answer(chat: Chat, stage: Stage, text: str) -> None:
    reader = creating(chat, text)
    turn = reader.wait_for(lambda turn: turn.of("stream_options"))
    eventually(lambda: stage.times_begun(text))
    chat.call("threads.cancel", thread_id=turn.thread_id)
    assert reader.wait().outcome == "cancelled"
    assert [item["type"] for item in chat.items(turn.thread_id)] == ["user_message"]


def test_the_model_is_told_that_the_user_cancelled_and_the_user_is_not(chat: Chat, stage: Stage, text: str) -> None:
    reader = begun(chat, stage, text)
    thread_id = reader.turn.thread_id
    chat.call("threads.cancel", thread_id=thread_id)
    reader.wait()
    stage.end(f"{text} again", "fine")
    later = chat.send(thread_id, f"{text} again")
    assert later.outcome == "completed"
    note = "sdk_hidden_context"
    assert stage.histories[f"{text} again"] == [text, "partial ", note, f"{text} again"]
    shown = str([chat.items(thread_id), chat.call("threads.get_by_id", thread_id=thread_id), reader.turn.events])
    assert CANCEL_NOTE not in shown
    assert note not in shown


def test_nobody_cancels_another_users_run(server: ThreadServer, chat: Chat, stage: Stage, text: str) -> None:
    reader = begun(chat, stage, text)
    with pytest.raises(ApiFailure) as failure:
        server.backend.chat("stranger").call("threads.cancel", thread_id=reader.turn.thread_id)
    assert failure.value.status == 404
    stage.end(text, "to the end")
    assert reader.wait().outcome == "completed"


@pytest.mark.slow
def test_a_workflow_that_ignores_being_cancelled_is_abandoned(tmp_path: Path) -> None:
    released: list[str] = []

    @workflow("wf_test")
    async def stubborn(turn: Turn) -> AsyncIterator[str]:
        yield "before "
        while not released:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        released.append("again")
        yield "too late"

    with serving(tmp_path, [stubborn]) as server:
        chat = server.backend.chat()
        reader = creating(chat, "stay")
        turn = reader.wait_for(lambda turn: turn.text == "before ")
        answer = chat.call("threads.cancel", thread_id=turn.thread_id)
        assert answer["run"]["status"] == "cancelled"
        assert reader.wait().outcome == "cancelled"
        kept = chat.items(turn.thread_id)
        assert kept[-1]["content"][0]["text"] == "before "
        released.append("now")
        eventually(lambda: len(released) == 2)
        again = sending(chat, turn.thread_id, "another message, so that something is stored after it")
        assert again.wait().outcome == "completed"
        assert chat.items(turn.thread_id)[: len(kept)] == kept
        rest = chat.stream("threads.resume", thread_id=turn.thread_id, starting_after=reader.frames[0].id)
        assert rest == reader.frames[1:]


def test_a_workflow_that_breaks_off_by_itself_failed(chat: Chat, stage: Stage, text: str) -> None:
    stage.say(text, "so far", ValueError("secret detail"))
    turn = chat.create(text)
    assert turn.outcome == "failed"
    assert turn.events[-1] == {"type": "error", "code": "stream.error", "allow_retry": True}
    assert "secret detail" not in str(turn.events)
    assert chat.items(turn.thread_id)[-1]["content"][0]["text"] == "so far"
    stage.end(text, "better")
    again = chat.stream(
        "threads.retry_after_item", thread_id=turn.thread_id, item_id=chat.items(turn.thread_id)[0]["id"]
    )
    assert again[-1].comment == "completed"
    assert [item["content"][0]["text"] for item in chat.items(turn.thread_id)] == [text, "better"]


def test_a_run_that_takes_too_long_fails_and_keeps_what_it_said(tmp_path: Path, stage: Stage, text: str) -> None:
    with serving(tmp_path, [stage.workflow], run_time_limit=0.5) as server:
        chat = server.backend.chat()
        stage.say(text, "slowly ")
        turn = chat.create(text)
        assert turn.outcome == "failed"
        assert turn.events[-1]["type"] == "error"
        assert turn.events[-1]["allow_retry"] is True
        assert "0.5 seconds" in turn.events[-1]["message"]
        assert chat.items(turn.thread_id)[-1]["content"][0]["text"] == "slowly "
        assert stage.is_closed(text)
        response = chat.post("threads.add_user_message", {"thread_id": turn.thread_id, "input": message("next")})
        assert response.status_code == 200
