"""Which of a user's threads a session lists and opens, by its history configuration."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chat.conftest import Stage
from tests.harness.client import ApiFailure, Chat


def configured(stage: Stage, user: str, **history: Any) -> Chat:
    """A session of the user with this history configuration."""
    return stage.backend.chat(user, chatkit_configuration={"history": history})


def listed(chat: Chat) -> list[str]:
    """The ids of the threads that the session lists, newest first."""
    return [thread["id"] for thread in chat.call("threads.list", limit=100)["data"]]


def opens(chat: Chat, thread_id: str) -> bool:
    """Whether the session opens the thread; reading and writing agree on that."""
    statuses = {
        chat.post("threads.get_by_id", {"thread_id": thread_id}).status_code,
        chat.post("items.list", {"thread_id": thread_id}).status_code,
        chat.post("threads.update", {"thread_id": thread_id, "title": "same"}).status_code,
        chat.post("threads.cancel", {"thread_id": thread_id}).status_code,
    }
    assert statuses in ({200}, {404})
    return statuses == {200}


def test_without_history_a_session_lists_nothing_and_opens_its_own_threads_alone(stage: Stage) -> None:
    user = stage.user()
    earlier = stage.backend.chat(user)
    old = earlier.create().thread_id
    chat = configured(stage, user, enabled=False)
    assert listed(chat) == []
    assert not opens(chat, old)
    with pytest.raises(ApiFailure) as failure:
        chat.send(old)
    assert failure.value.status == 404
    mine = chat.create().thread_id
    assert listed(chat) == []
    assert opens(chat, mine)
    assert chat.send(mine).outcome == "completed"
    assert listed(configured(stage, user, enabled=False)) == []
    assert listed(earlier) == [mine, old]
    assert {thread["id"] for thread in stage.backend.get("threads", user=user)["data"]} == {mine, old}


def test_with_recent_threads_a_session_knows_the_newest_and_its_own(stage: Stage) -> None:
    user = stage.user()
    limited = configured(stage, user, enabled=True, recent_threads=2)
    own = limited.create().thread_id
    everything = stage.backend.chat(user)
    others = [everything.create().thread_id for _ in range(3)]
    assert listed(limited) == [others[2], others[1], own]
    assert not opens(limited, others[0])
    assert opens(limited, others[1])
    assert opens(limited, own)
    assert listed(configured(stage, user, recent_threads=2)) == [others[2], others[1]]
    assert listed(everything) == [*others[::-1], own]
    everything.call("threads.delete", thread_id=others[2])
    assert listed(limited) == [others[1], others[0], own]


def test_pages_of_limited_history_hold_every_thread_once(stage: Stage) -> None:
    user = stage.user()
    limited = configured(stage, user, recent_threads=3)
    own = limited.create().thread_id
    newest = [stage.backend.chat(user).create().thread_id for _ in range(5)][:1:-1]
    found: list[str] = []
    after = None
    while True:
        page = limited.call("threads.list", limit=1, after=after)
        found += [thread["id"] for thread in page["data"]]
        if not page["has_more"]:
            break
        after = found[-1]
    assert found == [*newest, own]


def test_a_thread_beyond_the_limit_is_no_cursor(stage: Stage) -> None:
    user = stage.user()
    old, _new = (stage.backend.chat(user).create().thread_id for _ in range(2))
    chat = configured(stage, user, recent_threads=1)
    foreign = chat.post("threads.list", {"after": old})
    missing = chat.post("threads.list", {"after": "cthr_missing"})
    assert foreign.status_code == missing.status_code == 400
    assert foreign.text.replace(old, "cthr_missing") == missing.text


def test_other_users_threads_never_count_as_recent(stage: Stage) -> None:
    mine = stage.user()
    thread_id = stage.backend.chat(mine).create().thread_id
    for _ in range(3):
        stage.chat().create()
    assert listed(configured(stage, mine, recent_threads=1)) == [thread_id]


def test_threads_belong_to_the_user_not_to_the_session_or_the_workflow(stage: Stage) -> None:
    user = stage.user()
    thread_id = stage.backend.chat(user, workflow="wf_plain").create().thread_id
    chat = stage.backend.chat(user)
    assert listed(chat) == [thread_id]
    assert chat.send(thread_id).outcome == "completed"
