"""Every answer of the REST API, in every state, has exactly the members of the public description."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.harness.client import Json, message
from tests.harness.server import ThreadServer, eventually
from tests.rest.public_schema import assert_valid, description
from tests.rest.workflows import KINDS

SESSIONS, CANCEL = "/chatkit/sessions", "/chatkit/sessions/{session_id}/cancel"
THREADS, THREAD, ITEMS = "/chatkit/threads", "/chatkit/threads/{thread_id}", "/chatkit/threads/{thread_id}/items"

VARIABLES = {"name": "Ada", "age": 36, "height": 1.7, "member": True, "zero": 0, "empty": "", "exact": 2.0}
SWITCHES: list[dict[str, Any]] = [
    {"automatic_thread_titling": titling, "file_upload": upload, "history": history}
    for titling, upload, history in itertools.product(
        ({}, {"enabled": True}, {"enabled": False}),
        ({}, {"enabled": False, "max_file_size": 512, "max_files": 1}),
        ({}, {"enabled": False}, {"enabled": True, "recent_threads": 1}),
    )
]


def test_the_checks_find_a_member_too_many_and_one_too_few() -> None:
    thread = {"id": "x", "object": "chatkit.thread", "created_at": 1, "title": None, "user": "u"}
    status = {"type": "active"}
    assert_valid({**thread, "status": status}, "get", THREAD)
    for wrong in (thread, {**thread, "status": status, "extra": 1}, {**thread, "status": {**status, "reason": None}}):
        with pytest.raises(AssertionError):
            assert_valid(wrong, "get", THREAD)


@pytest.mark.parametrize("configuration", SWITCHES)
def test_a_session_with_any_configuration(server: ThreadServer, configuration: dict[str, Any]) -> None:
    session = server.backend.session(chatkit_configuration=configuration)
    assert_valid(session, "post", SESSIONS)
    for name, wanted in configuration.items():
        assert session["chatkit_configuration"][name].items() >= wanted.items()


@pytest.mark.parametrize("variables", [None, {}, VARIABLES])
def test_a_session_with_any_state_variables(server: ThreadServer, variables: dict[str, Any] | None) -> None:
    session = server.backend.session(
        workflow_members={"state_variables": variables, "version": "2", "tracing": {"enabled": False}}
    )
    assert_valid(session, "post", SESSIONS)
    assert session["workflow"]["state_variables"] == variables
    kinds = {name: type(value) for name, value in (session["workflow"]["state_variables"] or {}).items()}
    assert kinds == {name: type(value) for name, value in (variables or {}).items()}


def test_a_session_in_every_state(server: ThreadServer) -> None:
    active = server.backend.session()
    assert active["status"] == "active"
    cancelled = server.backend.http.post(f"/v1/chatkit/sessions/{active['id']}/cancel").json()
    assert cancelled["status"] == "cancelled"
    short = server.backend.session(expires_after={"anchor": "created_at", "seconds": 2})
    chat = server.backend.chat_with(short["client_secret"])
    eventually(lambda: chat.post("threads.list").status_code == 401, what="the session's end")
    expired = server.backend.http.post(f"/v1/chatkit/sessions/{short['id']}/cancel").json()
    assert expired["status"] == "expired"
    for session in (active, cancelled, expired):
        assert_valid(session, "post", SESSIONS)
        assert_valid(session, "post", CANCEL)


def test_a_thread_in_every_state(server: ThreadServer) -> None:
    chat = server.backend.chat("states")
    untitled = server.backend.chat(
        "states", chatkit_configuration={"automatic_thread_titling": {"enabled": False}}
    ).create("hello")
    expected = {
        untitled.thread_id: (None, {"type": "active"}),
        chat.create("hello").thread_id: ("hello", {"type": "active"}),
        chat.create("lock").thread_id: ("lock", {"type": "locked", "reason": None}),
        chat.create("lock under review").thread_id: ("lock under review", {"type": "locked", "reason": "under review"}),
        chat.create("close").thread_id: ("close", {"type": "closed", "reason": None}),
        chat.create("close solved").thread_id: ("close solved", {"type": "closed", "reason": "solved"}),
    }
    for thread_id, (title, status) in expected.items():
        thread = server.backend.get(f"threads/{thread_id}")
        assert_valid(thread, "get", THREAD)
        assert (thread["title"], thread["status"], thread["user"]) == (title, status, "states")
        assert isinstance(thread["created_at"], int)
    page = server.backend.get("threads", user="states")
    assert_valid(page, "get", THREADS)
    assert {thread["id"]: (thread["title"], thread["status"]) for thread in page["data"]} == expected


def test_pages_that_are_empty_partial_and_last(server: ThreadServer) -> None:
    chat = server.backend.chat("pages")
    threads = [chat.create(str(n)).thread_id for n in range(3)]
    nothing: Json = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    assert server.backend.get("threads", user="nobody") == nothing
    assert_valid(nothing, "get", THREADS)
    first = server.backend.get("threads", user="pages", limit=2)
    last = server.backend.get("threads", user="pages", limit=2, after=first["last_id"])
    for page, shown, more in ((first, threads[:0:-1], True), (last, threads[:1], False)):
        assert_valid(page, "get", THREADS)
        assert [thread["id"] for thread in page["data"]] == shown
        assert (page["first_id"], page["last_id"], page["has_more"]) == (shown[0], shown[-1], more)


def test_the_items_of_every_type(server: ThreadServer) -> None:
    chat = server.backend.chat("every", "wf_items")
    # A call that waits for the browser ends its turn, so it comes last.
    words = sorted(KINDS, key=lambda kind: kind == "tool")
    thread_id = chat.create(" ".join(words)).thread_id
    page = server.backend.get(f"threads/{thread_id}/items", limit=100)
    assert_valid(page, "get", ITEMS)
    shown = {item["type"] for item in page["data"]}
    published = description()["components"]["schemas"]["ThreadItem"]["oneOf"]
    assert len(shown) == len(published), "every type that the description knows was checked"


def test_a_tool_call_before_and_after_its_answer(server: ThreadServer) -> None:
    chat = server.backend.chat("tools", "wf_items")
    thread_id = chat.create("tool").thread_id
    before = server.backend.get(f"threads/{thread_id}/items")
    chat.stream("threads.add_client_tool_output", thread_id=thread_id, result={"found": [1, None]})
    after = server.backend.get(f"threads/{thread_id}/items")
    for page, status in ((before, "in_progress"), (after, "completed")):
        assert_valid(page, "get", ITEMS)
        assert page["data"][0]["status"] == status


def test_a_user_message_with_everything_in_it(server: ThreadServer) -> None:
    chat = server.backend.chat("composer")
    tag = {"type": "input_tag", "id": "ada", "text": "Ada", "data": {"x": 1}}
    wanted = {**message("hello "), "quoted_text": "you said"}
    wanted["content"].append(tag)
    wanted["inference_options"] = {"model": "large", "tool_choice": {"id": "search"}}
    thread_id = chat.stream("threads.create", input=wanted)[0].event
    assert thread_id is not None
    assert_valid(server.backend.get(f"threads/{thread_id['thread']['id']}/items"), "get", ITEMS)


def test_a_deleted_thread(server: ThreadServer) -> None:
    thread_id = server.backend.chat("deleter").create().thread_id
    assert_valid(server.backend.delete(f"threads/{thread_id}"), "delete", THREAD)
