"""The official Python SDK, pointed at a server by its base URL alone."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI
from openai.types.beta import ChatKitWorkflow
from openai.types.beta.chatkit import ChatSession

from tests.harness.client import message
from tests.harness.server import API_KEY, ThreadServer

THREADS = 45


@pytest.fixture(scope="module")
def client(server: ThreadServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key=API_KEY, max_retries=0) as sdk:
        yield sdk


@pytest.fixture(scope="module")
def threads(server: ThreadServer) -> list[str]:
    """45 threads, oldest first: two of every three are ada's, the others ben's."""
    ada, ben = server.backend.chat("ada"), server.backend.chat("ben")
    return [(ben if n % 3 == 2 else ada).create(f"message {n}").thread_id for n in range(THREADS)]


def test_a_session_with_every_member_comes_back_as_it_was_asked_for(client: OpenAI) -> None:
    session = client.beta.chatkit.sessions.create(
        user="ada",
        workflow={
            "id": "wf_test",
            "version": "7",
            "state_variables": {"name": "Ada", "age": 36, "height": 1.7, "member": True},
            "tracing": {"enabled": False},
        },
        expires_after={"anchor": "created_at", "seconds": 90},
        rate_limits={"max_requests_per_1_minute": 3},
        chatkit_configuration={
            "automatic_thread_titling": {"enabled": False},
            "file_upload": {"enabled": False, "max_file_size": 16, "max_files": 2},
            "history": {"enabled": True, "recent_threads": 5},
        },
    )
    assert isinstance(session, ChatSession)
    assert session.object == "chatkit.session"
    assert session.id.startswith("cksess_")
    assert session.client_secret.startswith("ek_")
    assert (session.user, session.status) == ("ada", "active")
    assert isinstance(session.workflow, ChatKitWorkflow)
    assert session.workflow.to_dict() == {
        "id": "wf_test",
        "version": "7",
        "state_variables": {"name": "Ada", "age": 36, "height": 1.7, "member": True},
        "tracing": {"enabled": False},
    }
    assert session.rate_limits.max_requests_per_1_minute == session.max_requests_per_1_minute == 3
    assert session.chatkit_configuration.to_dict() == {
        "automatic_thread_titling": {"enabled": False},
        "file_upload": {"enabled": False, "max_file_size": 16, "max_files": 2},
        "history": {"enabled": True, "recent_threads": 5},
    }


@pytest.mark.parametrize("empty", [True, False], ids=["empty objects", "nothing"])
def test_a_session_without_options_has_the_documented_defaults(client: OpenAI, empty: bool) -> None:
    create = client.beta.chatkit.sessions.create
    if empty:
        session = create(
            user="ada",
            workflow={"id": "wf_test", "tracing": {}, "state_variables": {}},
            rate_limits={},
            chatkit_configuration={"automatic_thread_titling": {}, "file_upload": {}, "history": {}},
        )
    else:
        session = create(user="ada", workflow={"id": "wf_test"})
    assert session.workflow.tracing.enabled is True
    assert session.workflow.version is None
    assert session.workflow.state_variables == ({} if empty else None)
    assert session.max_requests_per_1_minute == 10
    assert session.chatkit_configuration.to_dict() == {
        "automatic_thread_titling": {"enabled": True},
        "file_upload": {"enabled": False, "max_file_size": 512, "max_files": 10},
        "history": {"enabled": True, "recent_threads": None},
    }


def test_a_cancelled_session_comes_back_without_its_secret(client: OpenAI) -> None:
    made = client.beta.chatkit.sessions.create(user="ada", workflow={"id": "wf_test"})
    cancelled = client.beta.chatkit.sessions.cancel(made.id)
    assert (cancelled.status, cancelled.client_secret) == ("cancelled", "")
    assert cancelled.to_dict() == {**made.to_dict(), "status": "cancelled", "client_secret": ""}


def test_listing_pages_through_all_threads_in_both_orders(client: OpenAI, threads: list[str]) -> None:
    newest_first = [thread.id for thread in client.beta.chatkit.threads.list(limit=10)]
    oldest_first = [thread.id for thread in client.beta.chatkit.threads.list(limit=10, order="asc")]
    assert oldest_first == threads
    assert newest_first == threads[::-1]


def test_pages_say_where_they_end(client: OpenAI, threads: list[str]) -> None:
    sizes = [(len(page.data), page.has_more) for page in client.beta.chatkit.threads.list(limit=10).iter_pages()]
    assert sizes == [(10, True), (10, True), (10, True), (10, True), (5, False)]
    first = client.beta.chatkit.threads.list()
    assert len(first.data) == 20, "the default"


def test_after_and_before_cut_the_list_at_a_thread(client: OpenAI, threads: list[str]) -> None:
    listing = client.beta.chatkit.threads.list
    assert [t.id for t in listing(after=threads[41], order="asc")] == threads[42:]
    assert [t.id for t in listing(after=threads[3], limit=2).data] == [threads[2], threads[1]]
    assert [t.id for t in listing(before=threads[3], order="asc", limit=2).data] == [threads[1], threads[2]]
    assert [t.id for t in listing(before=threads[41], limit=2).data] == [threads[43], threads[42]]


def test_the_user_filter_shows_that_users_threads_alone(client: OpenAI, threads: list[str]) -> None:
    bens = list(client.beta.chatkit.threads.list(user="ben", order="asc", limit=4))
    assert [thread.id for thread in bens] == threads[2::3]
    assert {thread.user for thread in bens} == {"ben"}
    assert list(client.beta.chatkit.threads.list(user="nobody")) == []


def test_a_thread_is_retrieved_with_its_title_and_status(client: OpenAI, threads: list[str]) -> None:
    thread = client.beta.chatkit.threads.retrieve(threads[0])
    assert (thread.id, thread.object, thread.user) == (threads[0], "chatkit.thread", "ada")
    assert (thread.title, thread.status.type) == ("message 0", "active")


def test_items_are_listed_page_by_page_as_typed_objects(client: OpenAI, server: ThreadServer) -> None:
    chat = server.backend.chat("carla")
    thread_id = chat.create("one").thread_id
    for text in ("two", "three"):
        chat.send(thread_id, text)
    items = list(client.beta.chatkit.threads.list_items(thread_id, limit=2, order="asc"))
    assert [item.type for item in items] == ["chatkit.user_message", "chatkit.assistant_message"] * 3
    texts = [
        item.content[0].text for item in items if item.type in ("chatkit.user_message", "chatkit.assistant_message")
    ]
    assert texts == ["one", "one", "two", "two", "three", "three"]
    newest = client.beta.chatkit.threads.list_items(thread_id, limit=1)
    assert [item.id for item in newest.data] == [items[-1].id]
    assert newest.has_more
    after = client.beta.chatkit.threads.list_items(thread_id, after=items[4].id, order="asc")
    assert [item.id for item in after.data] == [items[5].id]


def test_a_deleted_thread_is_gone(client: OpenAI, server: ThreadServer) -> None:
    thread_id = server.backend.chat("dan").create().thread_id
    deleted = client.beta.chatkit.threads.delete(thread_id)
    assert deleted.to_dict() == {"id": thread_id, "object": "chatkit.thread.deleted", "deleted": True}
    with pytest.raises(openai.NotFoundError):
        client.beta.chatkit.threads.retrieve(thread_id)


def test_every_failure_is_the_error_class_that_applications_catch(client: OpenAI, server: ThreadServer) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        client.beta.chatkit.sessions.create(
            user="ada", workflow={"id": "wf_test"}, expires_after={"anchor": "created_at", "seconds": 601}
        )
    assert bad.value.param == "expires_after.seconds"
    assert bad.value.type == "invalid_request_error"
    assert "600" in bad.value.message
    assert bad.value.request_id
    with pytest.raises(openai.NotFoundError) as missing:
        client.beta.chatkit.sessions.create(user="ada", workflow={"id": "wf_none"})
    assert "Workflow with id 'wf_none' not found." in missing.value.message
    with OpenAI(base_url=f"{server.url}/v1", api_key="sk-nobody", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as refused:
            stranger.beta.chatkit.threads.retrieve("cthr_1")
        assert refused.value.code == "invalid_api_key"


def test_a_session_over_its_limit_gets_the_rate_limit_error(client: OpenAI, server: ThreadServer) -> None:
    session = client.beta.chatkit.sessions.create(
        user="eve", workflow={"id": "wf_test"}, rate_limits={"max_requests_per_1_minute": 1}
    )
    body = {"type": "threads.create", "params": {"input": message("hello")}}
    with OpenAI(base_url=f"{server.url}/v1", api_key=session.client_secret, max_retries=0) as user:
        user.post("/chatkit/conversation", body=body, cast_to=str)
        with pytest.raises(openai.RateLimitError) as limited:
            user.post("/chatkit/conversation", body=body, cast_to=str)
    assert limited.value.code == "rate_limit_exceeded"
    assert 1 <= int(limited.value.response.headers["retry-after"]) <= 60
