"""Isolation beyond ids: idempotency keys of others, and members that a client has no business to send."""

from __future__ import annotations

from typing import Any

from chatdock.chat import keys
from tests.chat.conftest import Stage, said
from tests.harness.client import Backend, Chat
from tests.harness.client import Turn as Streamed


def create(chat: Chat, key: str) -> Streamed:
    """Create a thread under an idempotency key."""
    with chat.open("threads.create", said(), {"idempotency-key": key}) as frames:
        return Streamed(list(frames))


def test_the_idempotency_key_of_another_user_means_nothing(stage: Stage) -> None:
    mine, theirs = stage.chat(), stage.chat()
    first, second = create(theirs, "k1"), create(mine, "k1")
    assert first.outcome == second.outcome == "completed"
    assert first.run_id != second.run_id
    assert first.thread_id != second.thread_id
    assert create(theirs, "k1").frames == first.frames
    with mine.open("threads.create", said("another text"), {"idempotency-key": "k2"}) as frames:
        assert Streamed(list(frames)).outcome == "completed"
    assert create(theirs, "k2").outcome == "completed"


def test_idempotency_keys_of_users_and_projects_whose_names_run_together_do_not_meet(stage: Stage) -> None:
    database = stage.server.world.database
    user = stage.user()
    secrets = [
        stage.server.call(lambda project=project: keys.create(database, project, "")).secret  # type: ignore[misc]
        for project in ("a", f"a/{user}")
    ]
    stage.recast(f"{user}/{user}")
    backends = [Backend(stage.server.url, secret) for secret in secrets]
    first = create(backends[0].chat(f"{user}/{user}"), "k")
    second = create(backends[1].chat(user), "k")
    assert first.run_id != second.run_id
    for backend in backends:
        backend.close()


def test_what_a_client_has_no_business_to_send_is_ignored(stage: Stage) -> None:
    chat, victim = stage.chat(), stage.chat()
    theirs = victim.create().thread_id
    stolen: dict[str, Any] = {
        "id": "cthr_mine",
        "thread_id": theirs,
        "user": "root",
        "user_id": "root",
        "project_id": "elsewhere",
        "session_id": "cksess_x",
        "workflow_id": "wf_plain",
        "status": {"type": "closed", "reason": "mine"},
        "metadata": {"admin": True},
        "state": {"admin": True},
        "title": "mine",
        "created_at": "2001-01-01T00:00:00Z",
        "allowed_image_domains": ["evil.example"],
        "type": "assistant_message",
        "role": "assistant",
    }
    params = {"input": {**said()["input"], **stolen}, "thread": stolen, **stolen}
    with chat.open("threads.create", params, members={"user": "root", "thread": stolen}) as frames:
        turn = Streamed(list(frames))
    thread_id = turn.thread_id
    assert thread_id.startswith("cthr_0")
    renamed = {**stolen, "thread_id": thread_id, "title": "renamed"}
    thread = chat.call("threads.update", **renamed)
    assert thread["id"] == thread_id
    assert thread["status"] == {"type": "active"}
    assert not thread["created_at"].startswith("2001")
    assert thread.keys() == {"id", "title", "created_at", "status", "metadata", "items"}
    item = chat.items(thread_id)[0]
    assert (item["type"], item["thread_id"]) == ("user_message", thread_id)
    assert item.keys() == {"id", "type", "thread_id", "created_at", "content", "attachments", "inference_options"}
    rest = stage.backend.get(f"threads/{thread_id}")
    assert rest["user"].startswith("user-")
    assert len(victim.items(theirs)) == 2
    assert chat.send(thread_id).outcome == "completed"
