"""Retry: what came after a user message is removed, and the message is answered again."""

from __future__ import annotations

import threading

import pytest

from chatdock import Turn
from tests.chat.conftest import Stage, said
from tests.chat.shapes import Script, answer, call, done, hidden, passed, widget
from tests.harness.client import CANARY, ApiFailure, Chat
from tests.harness.client import Turn as Streamed


def retry(chat: Chat, thread_id: str, item_id: str) -> Streamed:
    """`threads.retry_after_item` to its end."""
    return Streamed(chat.stream("threads.retry_after_item", thread_id=thread_id, item_id=item_id))


def test_a_retry_removes_what_came_after_tells_each_removal_and_answers_again(stage: Stage) -> None:
    answered: list[str] = []

    async def rich(turn: Turn) -> Script:
        answered.append(turn.text)
        yield done(hidden(turn, CANARY))
        yield done(widget(turn))
        yield f"answer {len(answered)}"

    chat = stage.chat(rich)
    thread_id = chat.create("one").thread_id
    chat.send(thread_id, "two")
    chat.send(thread_id, "three")
    before = chat.items(thread_id)
    second = before[3]
    assert second["content"][0]["text"] == "two"

    turn = retry(chat, thread_id, second["id"])
    removed = [event["item_id"] for event in turn.of("thread.item.removed")]
    assert removed == [item["id"] for item in before[4:]]
    assert turn.types[: len(removed) + 1] == ["thread.item.removed"] * len(removed) + ["stream_options"]
    assert turn.done("user_message") == []
    assert turn.outcome == "completed"
    assert answered == ["one", "two", "three", "two"]
    after = chat.items(thread_id)
    assert after[:4] == before[:4]
    assert [item["type"] for item in after[4:]] == ["widget", "assistant_message"]
    assert after[-1]["content"][0]["text"] == "answer 4"
    assert not {item["id"] for item in after} & set(removed)


def test_a_retry_removes_hidden_context_too_without_a_word(stage: Stage) -> None:
    seen: list[list[str]] = []

    async def whispers(turn: Turn) -> Script:
        seen.append([item.content for item in await turn.history() if item.type == "hidden_context_item"])
        yield done(hidden(turn, f"{CANARY} {len(seen)}"))
        yield "answer"

    chat = stage.chat(whispers, part={"planted": False})
    thread_id = chat.create().thread_id
    turn = retry(chat, thread_id, chat.items(thread_id)[0]["id"])
    assert len(turn.of("thread.item.removed")) == 1
    chat.send(thread_id)
    assert seen == [[], [], [f"{CANARY} 2"]]


def test_a_retry_after_a_failure_replaces_the_half_answer(stage: Stage) -> None:
    attempts: list[int] = []

    async def fails_once(turn: Turn) -> Script:
        attempts.append(1)
        yield "half"
        if len(attempts) == 1:
            raise RuntimeError(CANARY)
        yield " and half"

    chat = stage.chat(fails_once)
    first = chat.create()
    assert first.outcome == "failed"
    assert first.events[-1] == {"type": "error", "code": "stream.error", "allow_retry": True}
    question, half = chat.items(first.thread_id)
    assert half["content"][0]["text"] == "half"
    turn = retry(chat, first.thread_id, question["id"])
    assert turn.outcome == "completed"
    assert [event["item_id"] for event in turn.of("thread.item.removed")] == [half["id"]]
    assert [item["content"][0]["text"] for item in chat.items(first.thread_id)] == ["hello", "half and half"]


def test_a_retry_takes_back_a_pending_call(stage: Stage) -> None:
    attempts: list[int] = []

    async def asks_once(turn: Turn) -> Script:
        attempts.append(1)
        if len(attempts) == 1:
            yield done(call(turn))
        else:
            yield "never mind"

    chat = stage.chat(asks_once)
    first = chat.create()
    assert first.outcome == "waiting"
    assert retry(chat, first.thread_id, chat.items(first.thread_id)[0]["id"]).outcome == "completed"
    with pytest.raises(ApiFailure) as failure:
        chat.stream("threads.add_client_tool_output", thread_id=first.thread_id, result={})
    assert failure.value.status == 409


def test_only_a_user_message_can_be_retried(stage: Stage) -> None:
    async def rich(turn: Turn) -> Script:
        yield done(widget(turn))
        yield done(answer(turn, "text"))

    chat = stage.chat(rich)
    thread_id = chat.create().thread_id
    items = chat.items(thread_id)
    for item in items[1:]:
        response = chat.post("threads.retry_after_item", {"thread_id": thread_id, "item_id": item["id"]})
        assert response.status_code == 400
        assert response.json()["error"]["message"] == f"params.item_id must name a user message, not a {item['type']}."
        assert response.json()["error"]["param"] == "params.item_id"
    assert chat.items(thread_id) == items


def test_an_item_of_another_thread_cannot_be_retried_here(stage: Stage) -> None:
    chat, other = stage.chat(), stage.chat()
    here, there, foreign = (c.create().thread_id for c in (chat, chat, other))
    elsewhere = [chat.items(there)[0]["id"], other.items(foreign)[0]["id"]]
    before = chat.items(here), chat.items(there), other.items(foreign)
    for item_id in elsewhere:
        response = chat.post("threads.retry_after_item", {"thread_id": here, "item_id": item_id})
        assert response.status_code == 404
        assert response.json()["error"]["message"] == f"Item with id '{item_id}' not found."
    assert (chat.items(here), chat.items(there), other.items(foreign)) == before


def test_a_retry_while_the_thread_is_answering_is_refused_and_removes_nothing(stage: Stage) -> None:
    gate = threading.Event()

    async def waits(turn: Turn) -> Script:
        yield done(answer(turn, "begun"))
        await passed(gate)

    chat = stage.chat(waits)
    with chat.open("threads.create", said()) as frames:
        item_id = next(f.event["item"]["id"] for f in frames if f.event and "item" in f.event)
        next(f for f in frames if "begun" in repr(f.event))
        [thread] = chat.call("threads.list")["data"]
        response = chat.post("threads.retry_after_item", {"thread_id": thread["id"], "item_id": item_id})
        assert (response.status_code, response.json()["error"]["code"]) == (409, "thread_busy")
        assert len(chat.items(thread["id"])) == 2
        gate.set()
        assert list(frames)[-1].comment == "completed"
