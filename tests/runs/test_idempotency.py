"""A request that is sent again with its Idempotency-Key happens once, and its run is streamed again from the start."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.harness.client import ApiFailure, Chat, Turn, message
from tests.harness.server import ThreadServer, eventually, serving
from tests.runs.stage import Stage
from tests.runs.wire import Reader, creating, sending

REPEATS = 50


def keyed(key: str) -> dict[str, str]:
    return {"idempotency-key": key}


def test_the_same_request_joins_the_live_run_from_its_first_frame(chat: Chat, stage: Stage, text: str) -> None:
    first = creating(chat, text, headers=keyed("live"))
    stage.say(text, "so far ")
    first.wait_for(lambda turn: turn.text)
    again = creating(chat, text, headers=keyed("live"))
    again.wait_for(lambda turn: turn.text == "so far ")
    stage.end(text, "and the end")
    assert again.wait().frames == first.wait().frames
    assert stage.times_begun(text) == 1
    assert len(chat.call("threads.list")["data"]) == 1


def test_the_same_request_streams_the_run_that_has_ended(chat: Chat, stage: Stage, text: str) -> None:
    stage.end(text, "an answer")
    first = chat.create(text, headers=keyed("ended"))
    again = chat.create(text, headers=keyed("ended"))
    assert again.frames == first.frames
    assert stage.times_begun(text) == 1


@pytest.mark.parametrize("operation", ["threads.add_user_message", "threads.retry_after_item"])
def test_every_operation_that_starts_a_run_knows_the_key(chat: Chat, stage: Stage, text: str, operation: str) -> None:
    stage.end(text, "first answer")
    turn = chat.create(text)
    item_id = chat.items(turn.thread_id)[0]["id"]
    said = text if operation == "threads.retry_after_item" else f"{text} more"
    stage.end(said, "second answer")
    members = {"item_id": item_id} if operation == "threads.retry_after_item" else {"input": message(said)}
    answers = [chat.stream(operation, headers=keyed(operation), thread_id=turn.thread_id, **members) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][-1].comment == "completed"
    assert len(chat.items(turn.thread_id)) == (2 if operation == "threads.retry_after_item" else 4)


def test_the_same_key_with_another_body_is_refused(chat: Chat, stage: Stage, text: str) -> None:
    stage.end(text, "an answer")
    turn = chat.create(text, headers=keyed("twice"))
    with pytest.raises(ApiFailure) as failure:
        chat.create(f"{text}!", headers=keyed("twice"))
    assert failure.value.status == 422
    with pytest.raises(ApiFailure) as failure:
        chat.send(turn.thread_id, text, headers=keyed("twice"))
    assert failure.value.status == 422
    assert not stage.times_begun(f"{text}!")
    assert len(chat.call("threads.list")["data"]) == 1
    assert len(chat.items(turn.thread_id)) == 2


def test_a_key_has_1_to_255_characters(chat: Chat, stage: Stage, text: str) -> None:
    for number, key in enumerate(["k", "k" * 255]):
        stage.end(f"{text} {number}", "an answer")
        assert chat.create(f"{text} {number}", headers=keyed(key)).outcome == "completed"
    for key in ("", "k" * 256):
        with pytest.raises(ApiFailure) as failure:
            chat.create(text, headers=keyed(key))
        assert (failure.value.status, failure.value.error["param"]) == (400, "Idempotency-Key")
        assert "255" in failure.value.error["message"]
    assert stage.times_begun(text) == 0
    assert len(chat.call("threads.list")["data"]) == 2


def test_a_key_belongs_to_its_user(server: ThreadServer, chat: Chat, stage: Stage, text: str) -> None:
    stage.end(text, "an answer")
    stage.end(text, "another answer")
    other = server.backend.chat("another user")
    mine, theirs = (who.create(text, headers=keyed("shared")) for who in (chat, other))
    assert mine.thread_id != theirs.thread_id
    assert (mine.text, theirs.text) == ("an answer", "another answer")


def test_a_refused_request_leaves_its_key_free(chat: Chat, stage: Stage, text: str) -> None:
    first = creating(chat, text)
    turn = first.wait_for(lambda turn: turn.of("stream_options"))
    with pytest.raises(ApiFailure) as failure:
        chat.send(turn.thread_id, f"{text} b", headers=keyed("busy"))
    assert failure.value.status == 409
    stage.end(text, "done")
    first.wait()
    stage.end(f"{text} b", "now")
    assert chat.send(turn.thread_id, f"{text} b", headers=keyed("busy")).text == "now"


def test_requests_that_race_with_one_key_make_one_run(chat: Chat, stage: Stage, text: str) -> None:
    stage.end(text, "ready")
    thread_id = chat.create(text).thread_id
    for repeat in range(REPEATS):
        said, racers = f"{text}.{repeat}", 3
        stage.end(said, "one answer")
        barrier = threading.Barrier(racers)
        turns: list[Turn] = []

        def race(said: str = said, barrier: threading.Barrier = barrier, turns: list[Turn] = turns) -> None:
            barrier.wait()
            turns.append(sending(chat, thread_id, said, headers=keyed(said)).wait())

        threads = [threading.Thread(target=race) for _ in range(racers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [turn.outcome for turn in turns] == ["completed"] * racers
        assert all(turn.frames == turns[0].frames for turn in turns)
        assert stage.times_begun(said) == 1
    assert len(chat.items(thread_id)) == 2 + 2 * REPEATS


def test_a_key_is_remembered_across_a_restart(tmp_path: Path, stage: Stage, text: str) -> None:
    stage.end(text, "an answer")
    with serving(tmp_path, [stage.workflow]) as server:
        chat = server.backend.chat()
        first = chat.create(text, headers=keyed("restart"))
        secret = chat.secret
    with serving(tmp_path, [stage.workflow]) as server:
        again = server.backend.chat_with(secret).create(text, headers=keyed("restart"))
    assert again.frames == first.frames
    assert stage.times_begun(text) == 1


def test_a_client_that_never_got_an_answer_asks_again(chat: Chat, stage: Stage, text: str) -> None:
    lost: Reader = creating(chat, text, headers=keyed("lost"))
    lost.drop()
    eventually(lambda: stage.times_begun(text))
    again = creating(chat, text, headers=keyed("lost"))
    stage.end(text, "here it is")
    assert again.wait().text == "here it is"
    assert again.frames[0].sequence == 1
    assert stage.times_begun(text) == 1
