"""The JSON operations on threads and items: what they answer, and how they refuse."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from chatdock import Turn
from tests.chat.conftest import Stage, said
from tests.chat.shapes import Script, answer, done, passed
from tests.harness.client import ApiFailure, Chat, json_of

MISSING_THREAD = "cthr_000000000000000000000000000000000000"
MISSING_ITEM = "cti_000000000000000000000000000000000000"


@pytest.fixture(scope="module")
def history(stage: Stage) -> tuple[Chat, list[str]]:
    """A user with seven threads, and their ids, oldest first."""
    chat = stage.chat()
    return chat, [chat.create(f"thread {n}").thread_id for n in range(7)]


@pytest.fixture(scope="module")
def long_thread(stage: Stage) -> tuple[Chat, str]:
    """A thread of 26 visible items: one message and 25 answers."""

    async def many(turn: Turn) -> Script:
        for n in range(25):
            yield done(answer(turn, f"answer {n}"))

    chat = stage.chat(many)
    return chat, chat.create().thread_id


def pages(chat: Chat, operation: str, **params: Any) -> list[dict[str, Any]]:
    """All pages, each found with the id of the last element of the one before."""
    found = [chat.call(operation, **params)]
    while found[-1]["has_more"]:
        assert found[-1]["after"] == found[-1]["data"][-1]["id"]
        found.append(chat.call(operation, **params, after=found[-1]["data"][-1]["id"]))
    assert "after" not in found[-1]
    return found


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 3, 7])
def test_pages_of_threads_hold_every_thread_once_and_in_order(
    history: tuple[Chat, list[str]], order: str, limit: int
) -> None:
    chat, ids = history
    found = pages(chat, "threads.list", limit=limit, order=order)
    assert [thread["id"] for page in found for thread in page["data"]] == (ids if order == "asc" else ids[::-1])
    assert [len(page["data"]) for page in found[:-1]] == [limit] * (len(found) - 1)


def test_threads_are_listed_newest_first_and_without_their_items(history: tuple[Chat, list[str]]) -> None:
    chat, ids = history
    page = json_of(chat.http.post("/v1/chatkit/conversation", json={"type": "threads.list"}))
    assert [thread["id"] for thread in page["data"]] == ids[::-1]
    assert page["data"][0]["title"] == "thread 6"
    assert page["data"][0]["status"] == {"type": "active"}
    assert page["data"][0]["items"] == {"data": [], "has_more": False}
    assert page["data"][0].keys() == {"id", "title", "created_at", "status", "metadata", "items"}


@pytest.mark.parametrize("limit", [0, None, -5])
def test_a_limit_that_says_nothing_means_twenty(long_thread: tuple[Chat, str], limit: int | None) -> None:
    chat, thread_id = long_thread
    assert len(chat.call("items.list", thread_id=thread_id, limit=limit)["data"]) == 20


@pytest.mark.parametrize("limit", [101, 9999, 2**63, 10**40])
def test_a_huge_limit_is_clamped_not_refused(long_thread: tuple[Chat, str], limit: int) -> None:
    chat, thread_id = long_thread
    assert len(chat.call("items.list", thread_id=thread_id, limit=limit)["data"]) == 26
    assert not chat.call("threads.list", limit=limit)["has_more"]


def test_no_page_is_larger_than_a_hundred(stage: Stage) -> None:
    async def many(turn: Turn) -> Script:
        for n in range(120):
            yield done(answer(turn, str(n)))

    chat = stage.chat(many)
    thread_id = chat.create().thread_id
    found = pages(chat, "items.list", thread_id=thread_id, limit=100_000, order="asc")
    assert [len(page["data"]) for page in found] == [100, 21]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [5, 13, 26, 27])
def test_pages_of_items_hold_every_visible_item_once_and_in_order(
    long_thread: tuple[Chat, str], order: str, limit: int
) -> None:
    chat, thread_id = long_thread
    items = [
        item
        for page in pages(chat, "items.list", thread_id=thread_id, limit=limit, order=order)
        for item in page["data"]
    ]
    texts = [item["content"][0]["text"] for item in items]
    expected = ["hello", *(f"answer {n}" for n in range(25))]
    assert texts == (expected if order == "asc" else expected[::-1])


def test_items_are_listed_newest_first_unless_asked_otherwise(long_thread: tuple[Chat, str]) -> None:
    chat, thread_id = long_thread
    assert chat.call("items.list", thread_id=thread_id)["data"][0]["content"][0]["text"] == "answer 24"


def test_a_thread_comes_with_its_first_twenty_items_in_ascending_order(long_thread: tuple[Chat, str]) -> None:
    chat, thread_id = long_thread
    thread = chat.call("threads.get_by_id", thread_id=thread_id)
    items = thread["items"]["data"]
    assert [item["content"][0]["text"] for item in items] == ["hello", *(f"answer {n}" for n in range(19))]
    assert thread["items"]["has_more"]
    assert thread["items"]["after"] == items[-1]["id"]
    rest = chat.call("items.list", thread_id=thread_id, order="asc", after=items[-1]["id"])
    assert [item["content"][0]["text"] for item in rest["data"]] == [f"answer {n}" for n in range(19, 25)]
    assert "active_run" not in thread
    assert thread["metadata"] == {}


def test_a_thread_names_its_run_while_that_is_live(stage: Stage) -> None:
    gate = threading.Event()

    async def waits(turn: Turn) -> Script:
        yield "begun"
        await passed(gate)

    chat = stage.chat(waits)
    with chat.open("threads.create", said()) as frames:
        first = next(frames)
        assert first.event is not None
        thread_id = first.event["thread"]["id"]
        for frame in frames:
            if frame.event and frame.event["type"] == "thread.item.updated":
                break
        active = chat.call("threads.get_by_id", thread_id=thread_id)["active_run"]
        gate.set()
        last = list(frames)[-1]
    assert active["id"] == first.run_id
    assert active["sequence"] >= 3
    assert last.comment == "completed"
    assert "active_run" not in chat.call("threads.get_by_id", thread_id=thread_id)


def test_a_renamed_thread_is_returned_and_keeps_its_new_title(stage: Stage) -> None:
    chat = stage.chat()
    thread_id = chat.create().thread_id
    renamed = chat.call("threads.update", thread_id=thread_id, title="Grüße, 世界 🌍")
    assert renamed["title"] == "Grüße, 世界 🌍"
    assert renamed["id"] == thread_id
    assert renamed["metadata"] == {}
    assert renamed["items"] == {"data": [], "has_more": False}
    assert chat.call("threads.get_by_id", thread_id=thread_id)["title"] == "Grüße, 世界 🌍"


@pytest.mark.parametrize("title", ["", "x" * 513, None, 5])
def test_a_title_has_1_to_512_characters(stage: Stage, title: Any) -> None:
    chat = stage.chat()
    thread_id = chat.create("kept").thread_id
    with pytest.raises(ApiFailure) as failure:
        chat.call("threads.update", thread_id=thread_id, title=title)
    assert failure.value.status == 400
    assert failure.value.error["param"] == "params.title"
    assert chat.call("threads.get_by_id", thread_id=thread_id)["title"] == "kept"


def test_a_deleted_thread_is_gone_with_everything_in_it(stage: Stage) -> None:
    chat = stage.chat()
    thread_id = chat.create().thread_id
    item_id = chat.items(thread_id)[0]["id"]
    assert chat.call("threads.delete", thread_id=thread_id) == {}
    assert chat.call("threads.list")["data"] == []
    for operation, params in GONE.items():
        with pytest.raises(ApiFailure) as failure:
            chat.call(
                operation, thread_id=thread_id, **(params | ({"item_id": item_id} if "item_id" in params else {}))
            )
        assert failure.value.status == 404, operation
        assert failure.value.error["message"] == f"Thread with id '{thread_id}' not found.", operation
    assert stage.backend.http.get(f"/v1/chatkit/threads/{thread_id}").status_code == 404


ACTION = {"type": "go", "payload": {}}
GONE: dict[str, dict[str, Any]] = {
    "threads.get_by_id": {},
    "threads.update": {"title": "again"},
    "threads.delete": {},
    "threads.cancel": {},
    "threads.resume": {},
    "threads.add_user_message": said(),
    "threads.add_client_tool_output": {"result": 1},
    "threads.add_structured_input": {"item_id": MISSING_ITEM, "input": {}},
    "threads.retry_after_item": {"item_id": MISSING_ITEM},
    "threads.custom_action": {"item_id": MISSING_ITEM, "action": ACTION},
    "threads.sync_custom_action": {"item_id": MISSING_ITEM, "action": ACTION},
    "items.list": {},
    "items.feedback": {"item_ids": [MISSING_ITEM], "kind": "positive"},
}


@pytest.mark.parametrize("operation", GONE)
def test_an_unknown_thread_is_a_404_that_names_it(stage: Stage, operation: str) -> None:
    response = stage.chat().post(operation, {"thread_id": MISSING_THREAD, **GONE[operation]})
    assert response.status_code == 404
    assert response.json()["error"] == {
        "message": f"Thread with id '{MISSING_THREAD}' not found.",
        "type": "invalid_request_error",
        "param": "params.thread_id",
        "code": "not_found",
    }


@pytest.mark.parametrize(
    "operation", [name for name, params in GONE.items() if "item_id" in params or "item_ids" in params]
)
def test_an_unknown_item_is_a_404_that_names_it(stage: Stage, operation: str) -> None:
    chat = stage.chat()
    thread_id = chat.create().thread_id
    response = chat.post(operation, {"thread_id": thread_id, **GONE[operation]})
    assert response.status_code == 404
    assert response.json()["error"]["message"] == f"Item with id '{MISSING_ITEM}' not found."
    assert [item["type"] for item in chat.items(thread_id)] == ["user_message", "assistant_message"]


def test_cancelling_a_thread_at_rest_names_its_last_run_however_often(stage: Stage) -> None:
    chat = stage.chat()
    turn = chat.create()
    run = {"run": {"id": turn.run_id, "status": "completed"}}
    assert chat.call("threads.cancel", thread_id=turn.thread_id) == run
    assert chat.call("threads.cancel", thread_id=turn.thread_id) == run
