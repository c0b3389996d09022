"""One run per thread: what becomes of a second message while the first is being answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatdock import workflow
from tests.harness.client import ApiFailure, Chat, message
from tests.harness.server import ThreadServer, eventually, serving
from tests.runs.stage import Stage
from tests.runs.wire import Reader, creating, resuming, sending

REPEATS = 50


@pytest.fixture(scope="module")
def queueing(tmp_path_factory: pytest.TempPathFactory, stage: Stage) -> Iterator[ThreadServer]:
    folder = tmp_path_factory.mktemp("enqueue")
    with serving(folder, [stage.workflow], multitask_strategy="enqueue") as server:
        yield server


def told(chat: Chat, thread_id: str) -> list[str]:
    """The thread's messages, oldest first."""
    return [item["content"][0]["text"] for item in chat.items(thread_id)]


def begun(chat: Chat, stage: Stage, text: str) -> Reader:
    reader = creating(chat, text)
    stage.say(text, "partial ")
    reader.wait_for(lambda turn: turn.text == "partial ")
    return reader


def queued(chat: Chat, thread_id: str, text: str) -> Reader:
    """A message that waits."""
    reader = sending(chat, thread_id, text)
    reader.wait_for(lambda turn: turn.of("stream_options"))
    return reader


def test_a_second_message_is_refused_before_anything_is_stored(chat: Chat, stage: Stage, text: str) -> None:
    first = begun(chat, stage, text)
    thread_id = first.turn.thread_id
    before = chat.items(thread_id)
    for operation, members in [
        ("threads.add_user_message", {"input": message("second")}),
        ("threads.retry_after_item", {"item_id": before[0]["id"]}),
    ]:
        with pytest.raises(ApiFailure) as failure:
            chat.stream(operation, thread_id=thread_id, **members)
        assert failure.value.status == 409
        assert failure.value.error["code"] == "thread_busy"
    assert chat.items(thread_id) == before
    stage.end(text, "and all")
    assert first.wait().text == "partial and all"
    stage.end(f"{text} later", "now it may")
    assert chat.send(thread_id, f"{text} later").outcome == "completed"


@pytest.mark.parametrize("strategy", ["reject", "interrupt", "enqueue"])
def test_only_messages_wait_or_interrupt(tmp_path: Path, stage: Stage, text: str, strategy: str) -> None:
    answering = workflow("wf_test")(stage.play)
    answering.action(stage.play)
    with serving(tmp_path, [answering], multitask_strategy=strategy) as server:
        chat = server.backend.chat()
        first = begun(chat, stage, text)
        thread_id = first.turn.thread_id
        (sent, *_) = chat.items(thread_id)
        for operation, members in [
            ("threads.custom_action", {"action": {"type": "press"}}),
            ("threads.retry_after_item", {"item_id": sent["id"]}),
        ]:
            with pytest.raises(ApiFailure) as failure:
                chat.stream(operation, thread_id=thread_id, **members)
            assert (failure.value.status, failure.value.error["code"]) == (409, "thread_busy")
        stage.end(text, "and all")
        assert first.wait().outcome == "completed"
        assert first.turn.text == "partial and all"
        assert told(chat, thread_id) == [text, "partial and all"]


def test_of_two_messages_that_race_one_is_answered(chat: Chat, stage: Stage, text: str) -> None:
    stage.end(text, "ready")
    thread_id = chat.create(text).thread_id
    for repeat in range(REPEATS):
        said = f"{text}.{repeat}"
        barrier = threading.Barrier(2)
        answers: list[int] = []
        senders = [threading.Thread(target=_race, args=(chat, thread_id, said, barrier, answers)) for _ in range(2)]
        for sender in senders:
            sender.start()
        eventually(lambda answers=answers: len(answers) == 2)  # type: ignore[misc]
        assert sorted(answers) == [200, 409]
        stage.end(said, "one answer")
        for sender in senders:
            sender.join()
        assert stage.times_begun(said) == 1
        assert told(chat, thread_id)[-2:] == [said, "one answer"]


def _race(chat: Chat, thread_id: str, said: str, barrier: threading.Barrier, answers: list[int]) -> None:
    barrier.wait()
    reader = sending(chat, thread_id, said)
    eventually(lambda: reader.status)
    answers.append(reader.status)
    reader.wait()


def test_an_interrupting_message_ends_the_live_run_and_is_answered(tmp_path: Path, stage: Stage, text: str) -> None:
    with serving(tmp_path, [stage.workflow], multitask_strategy="interrupt") as server:
        chat = server.backend.chat()
        first = begun(chat, stage, f"{text} a")
        stage.end(f"{text} b", "second answer")
        second = sending(chat, first.turn.thread_id, f"{text} b").wait()
        assert first.wait().outcome == "cancelled"
        assert second.outcome == "completed"
        assert second.text == "second answer"
        assert told(chat, first.turn.thread_id) == [f"{text} a", "partial ", f"{text} b", "second answer"]
        assert stage.is_closed(f"{text} a")


def test_queued_messages_are_answered_in_their_order(queueing: ThreadServer, stage: Stage, text: str) -> None:
    chat = queueing.backend.chat()
    first = begun(chat, stage, f"{text} a")
    thread_id = first.turn.thread_id
    waiting = [queued(chat, thread_id, f"{text} {name}") for name in "bcd"]
    assert [reader.turn.types for reader in waiting] == [["thread.item.done", "stream_options"]] * 3
    for name in "bcd":
        stage.end(f"{text} {name}", f"answer {name}")
    assert not any(stage.times_begun(f"{text} {name}") for name in "bcd")
    stage.end(f"{text} a", "answer a")
    assert first.wait().outcome == "completed"
    for reader, name in zip(waiting, "bcd", strict=True):
        assert reader.wait().text == f"answer {name}"
        assert reader.turn.outcome == "completed"
    answers = ["partial answer a", "answer b", "answer c", "answer d"]
    expected = [part for name, answer in zip("abcd", answers, strict=True) for part in (f"{text} {name}", answer)]
    assert told(chat, thread_id) == expected


def test_a_turn_does_not_see_messages_that_wait_for_their_own(queueing: ThreadServer, stage: Stage, text: str) -> None:
    chat = queueing.backend.chat()
    first = begun(chat, stage, f"{text} a")
    waiting = [queued(chat, first.turn.thread_id, f"{text} {name}") for name in "bc"]
    for name in "abc":
        stage.end(f"{text} {name}", f"answer {name}")
    for reader in (first, *waiting):
        assert reader.wait().outcome == "completed"
    seen_by_b = [f"{text} a", "partial answer a", f"{text} b"]
    assert stage.histories[f"{text} b"] == seen_by_b
    assert stage.histories[f"{text} c"] == [*seen_by_b, "answer b", f"{text} c"]
    assert stage.newest[f"{text} b"] == [f"{text} b"], "what waits does not count against the limit"


def test_cancelling_a_thread_ends_what_is_queued_too(queueing: ThreadServer, stage: Stage, text: str) -> None:
    chat = queueing.backend.chat()
    first = begun(chat, stage, f"{text} a")
    thread_id = first.turn.thread_id
    waiting = [queued(chat, thread_id, f"{text} {name}") for name in "bc"]
    answers = [chat.call("threads.cancel", thread_id=thread_id) for _ in range(2)]
    for reader in (first, *waiting):
        assert reader.wait().outcome == "cancelled"
    assert not stage.times_begun(f"{text} b")
    assert answers[1] == {"run": {"id": waiting[-1].turn.run_id, "status": "cancelled"}}
    assert answers[0] == answers[1], "cancelling is idempotent: the same run, in the same state"


def test_a_queued_message_can_be_joined_and_resumed(queueing: ThreadServer, stage: Stage, text: str) -> None:
    chat = queueing.backend.chat()
    first = begun(chat, stage, f"{text} a")
    second = queued(chat, first.turn.thread_id, f"{text} b")
    resumed = resuming(chat, first.turn.thread_id, second.frames[0].id)
    second.drop()
    for name in "ab":
        stage.end(f"{text} {name}", f"answer {name}")
    turn = resumed.wait()
    assert turn.text == "answer b"
    assert turn.outcome == "completed"


def test_deleting_a_thread_ends_the_streams_of_what_was_queued(queueing: ThreadServer, stage: Stage, text: str) -> None:
    chat = queueing.backend.chat()
    first = begun(chat, stage, f"{text} a")
    second = queued(chat, first.turn.thread_id, f"{text} b")
    chat.call("threads.delete", thread_id=first.turn.thread_id)
    first.wait()
    second.wait()
    eventually(lambda: stage.is_closed(f"{text} a"))
    assert not stage.times_begun(f"{text} b")
