"""One shape for every failure, whichever door it happens at:

    {"error": {"message": "…", "type": "invalid_request_error", "param": "dotted.path" or null, "code": "…" or null}}

with `x-request-id` and `openai-processing-ms`, and for a 401 `WWW-Authenticate`. `assert_error` checks all of it.
"""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from chatdock.storage.database import Statement
from chatdock.storage.schema import session
from tests.harness.client import message
from tests.harness.server import API_KEY, ThreadServer
from tests.rest.envelope import assert_error, assert_traced

SESSIONS, THREADS, CONVERSATION = "/v1/chatkit/sessions", "/v1/chatkit/threads", "/v1/chatkit/conversation"
MEGABYTE = 1_048_576


def raw(server: ThreadServer, body: bytes, path: str = SESSIONS) -> httpx.Response:
    """A body as it stands, to REST with the API key or to the conversation endpoint with a client secret."""
    http = server.backend.http if path == SESSIONS else server.backend.chat().http
    return http.post(path, content=body, headers={"content-type": "application/json"})


def stored_sessions(server: ThreadServer) -> int:
    found = server.call(lambda: server.world.database.read(lambda tx: tx.all(Statement(select(session.c.id)))))
    return len(found)


def operation(**params: Any) -> bytes:
    return json.dumps({"type": "threads.create", "params": params}).encode()


# Bodies


@pytest.mark.parametrize("path", [SESSIONS, CONVERSATION])
@pytest.mark.parametrize("body", [b"{", b'{"user":}', b"\xff\xfe", b'{"user":"\xff"}', b"{} {}", b"{'user':1}"])
def test_a_body_that_is_no_json_is_refused_as_such(server: ThreadServer, path: str, body: bytes) -> None:
    assert_error(raw(server, body, path), 400, code="invalid_json", says="not valid JSON")


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"text"', b"1"])
@pytest.mark.parametrize("path", [SESSIONS, CONVERSATION])
def test_a_body_that_is_no_object_is_refused(server: ThreadServer, path: str, body: bytes) -> None:
    assert_error(raw(server, body, path), 400)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"1" + 30 * b"0"])
def test_a_number_that_json_cannot_hold_is_refused_and_nothing_is_stored(server: ThreadServer, number: bytes) -> None:
    before = stored_sessions(server)
    body = b'{"user":"u","workflow":{"id":"wf_test","state_variables":{"n":%b}}}' % number
    response = raw(server, body)
    assert stored_sessions(server) == before
    assert_error(response, 400, param=response.json()["error"]["param"])


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e999", b"1" + 30 * b"0"])
def test_a_number_that_json_cannot_hold_is_no_failure_of_the_chat(server: ThreadServer, number: bytes) -> None:
    body = operation(input=message("hello"))[:-1] + b',"metadata":{"n":%b}}' % number
    assert raw(server, body, CONVERSATION).status_code in {200, 400}


@pytest.mark.parametrize("path", [SESSIONS, CONVERSATION])
def test_a_body_may_have_a_megabyte_and_no_byte_more(server: ThreadServer, path: str) -> None:
    whole = json.dumps({"user": "u", "workflow": {"id": "wf_test"}}).encode()
    if path == CONVERSATION:
        whole = b'{"type":"threads.list","params":{}}'
    at_limit = whole[:-1] + b" " * (MEGABYTE - len(whole)) + b"}"
    assert raw(server, at_limit, path).status_code == 200
    assert_error(raw(server, at_limit + b" ", path), 413, code="request_too_large", says=str(MEGABYTE))


def test_the_body_is_counted_as_it_comes_whatever_its_length_header_says(server: ThreadServer) -> None:
    response = server.backend.http.post(SESSIONS, content=iter([b"x" * 65_536] * 17))
    assert_error(response, 413, code="request_too_large")


@pytest.mark.parametrize("path", [SESSIONS, CONVERSATION])
@pytest.mark.parametrize("opening", [b'{"a":', b"["])
def test_json_may_be_64_levels_deep(server: ThreadServer, path: str, opening: bytes) -> None:
    closing = b"}" if opening.startswith(b"{") else b"]"

    def nested(levels: int) -> httpx.Response:
        inner = opening * (levels - 1) + b"1" + closing * (levels - 1)
        known = b'"user":"u","workflow":{"id":"wf_test"}' if path == SESSIONS else b'"type":"threads.list"'
        return raw(server, b'{%b,"ignored":%b}' % (known, inner), path)

    assert nested(64).status_code == 200
    assert_error(nested(65), 400, code="json_too_deep", says="64")


def test_brackets_inside_a_text_are_no_levels(server: ThreadServer) -> None:
    assert server.backend.chat().create("[{" * 100 + '\\"[').text.startswith("[{")


def test_members_that_nobody_knows_are_ignored(server: ThreadServer) -> None:
    made = server.backend.session("ignored", later=1, workflow_members={"color": "blue"}, rate_limits={"burst": 2})
    assert set(made["workflow"]) == {"id", "version", "state_variables", "tracing"}
    response = server.backend.chat().post(
        "threads.create", {"input": {**message("hi"), "mood": "good"}, "x": 1}, members={"y": 2}
    )
    assert response.status_code == 200
    assert server.backend.http.get(THREADS, params={"color": "blue"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "type"),
        ({"type": "threads.explode"}, "type"),
        ({"type": 5}, "type"),
        ({"type": "threads.create"}, "params"),
        ({"type": "threads.create", "params": {}}, "params.input"),
        ({"type": "threads.create", "params": {"input": {}}}, "params.input.content"),
        ({"type": "threads.create", "params": {"input": {"content": []}}}, "params.input.content"),
        ({"type": "threads.create", "params": {"input": {"content": "hi"}}}, "params.input.content"),
        (
            {"type": "threads.create", "params": {"input": {"content": [{"type": "input_text"}]}}},
            "params.input.content.0.text",
        ),
        (
            {"type": "threads.create", "params": {"input": {"content": [{"type": "video"}]}}},
            "params.input.content.0.type",
        ),
        ({"type": "items.list", "params": {}}, "params.thread_id"),
        ({"type": "items.list", "params": {"thread_id": "x", "order": "up"}}, "params.order"),
    ],
)
def test_an_operation_that_is_wrong_names_the_member(server: ThreadServer, body: dict[str, Any], param: str) -> None:
    error = assert_error(raw(server, json.dumps(body).encode(), CONVERSATION), 400, param=param)
    assert param in error["message"]


# Routes


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT"])
@pytest.mark.parametrize("path", ["/", "/v1", "/v1/chatkit/nothing", "/v1/chatkit/threads/a/b", "/v2/chatkit/threads"])
def test_an_unknown_url_is_a_404(server: ThreadServer, method: str, path: str) -> None:
    assert_error(server.backend.http.request(method, path), 404, code="unknown_url", says=path)


@pytest.mark.parametrize("path", [f"{SESSIONS}/", f"{THREADS}/", f"{CONVERSATION}/"])
def test_a_slash_too_many_is_an_unknown_url(server: ThreadServer, path: str) -> None:
    assert_error(server.backend.http.post(path, json={}), 404, code="unknown_url")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", SESSIONS, {"POST"}),
        ("DELETE", SESSIONS, {"POST"}),
        ("GET", f"{SESSIONS}/cksess_1/cancel", {"POST"}),
        ("POST", THREADS, {"GET"}),
        ("PATCH", f"{THREADS}/cthr_1", {"GET", "DELETE"}),
        ("DELETE", f"{THREADS}/cthr_1/items", {"GET"}),
        ("GET", CONVERSATION, {"POST"}),
        ("PUT", CONVERSATION, {"POST"}),
        ("GET", "/v1/chatkit/files", {"POST"}),
    ],
)
def test_a_method_that_a_url_does_not_take_is_a_405_that_names_those_it_takes(
    server: ThreadServer, method: str, path: str, allowed: set[str]
) -> None:
    response = server.backend.http.request(method, path)
    assert_error(response, 405)
    assert {name.strip() for name in response.headers["allow"].split(",")} - {"HEAD", "OPTIONS"} == allowed


def test_unknown_objects_are_named_with_their_kind_and_id(server: ThreadServer) -> None:
    http, chat = server.backend.http, server.backend.chat()
    workflow = http.post(SESSIONS, json={"user": "u", "workflow": {"id": "wf_none"}})
    assert_error(workflow, 404, param="workflow.id", says="Workflow with id 'wf_none' not found.")
    for response in (
        http.get(f"{THREADS}/cthr_none"),
        http.delete(f"{THREADS}/cthr_none"),
        http.get(f"{THREADS}/cthr_none/items"),
    ):
        assert_error(response, 404, param="thread_id", says="Thread with id 'cthr_none' not found.")
    assert_error(http.post(f"{SESSIONS}/cksess_none/cancel"), 404, param="session_id", says="'cksess_none'")
    for name in ("threads.get_by_id", "threads.delete", "items.list", "threads.cancel", "threads.resume"):
        response = chat.post(name, {"thread_id": "cthr_none"})
        assert_error(response, 404, param="params.thread_id", says="Thread with id 'cthr_none' not found.")


def test_every_answer_says_which_request_it_was_and_how_long_it_took(server: ThreadServer) -> None:
    chat, http = server.backend.chat(), server.backend.http
    stream = chat.post("threads.create", {"input": message("hi")})
    assert stream.headers["content-type"].startswith("text/event-stream")
    answers = [
        stream,
        chat.post("threads.list"),
        chat.post("threads.explode"),
        http.get(THREADS),
        http.post(SESSIONS, json={"user": "u", "workflow": {"id": "wf_test"}}),
        http.get("/nowhere"),
        http.get("/healthz"),
        http.get("/readyz"),
        http.get("/metrics"),
        http.get("/docs"),
        http.get("/openapi.json"),
        http.options(CONVERSATION),
        http.request("HEAD", THREADS),
    ]
    for response in answers:
        assert_traced(response)
    assert len({response.headers["x-request-id"] for response in answers}) == len(answers)


def test_a_failure_inside_is_a_500_that_says_nothing_of_it(
    server: ThreadServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no such table: secret_plans")

    for name in ("rest_page", "page"):
        monkeypatch.setattr(server.world.threads, name, broken)
    chat = server.backend.chat()
    for response in (server.backend.http.get(THREADS), chat.post("threads.list")):
        error = assert_error(response, 500, kind="server_error", says=response.headers["x-request-id"])
        assert "secret_plans" not in error["message"]


# Credentials


@pytest.mark.parametrize("header", [None, "", "Basic YWRhOmFkYQ==", "Bearer", API_KEY])
@pytest.mark.parametrize(("method", "path"), [("GET", THREADS), ("POST", SESSIONS), ("POST", CONVERSATION)])
def test_a_request_without_a_bearer_token_is_told_how_to_send_one(
    anonymous: httpx.Client, method: str, path: str, header: str | None
) -> None:
    headers = {} if header is None else {"authorization": header}
    response = anonymous.request(method, path, headers=headers, json={})
    assert_error(response, 401, code="missing_credential", says="Authorization")
    assert response.headers["www-authenticate"].startswith('Bearer realm="')


@pytest.mark.parametrize("key", ["sk-proj-abcdefghijklmnop-secret-part-qrstuvwxyz", "short", f"{API_KEY}x"])
def test_a_wrong_key_is_masked_in_the_answer(anonymous: httpx.Client, key: str) -> None:
    response = anonymous.get(THREADS, headers={"authorization": f"Bearer {key}"})
    assert_error(response, 401, code="invalid_api_key", says="Incorrect API key provided")
    assert key not in response.text
    assert len(key) < 10 or key[6:-4] not in response.text, "nor the part between its ends"
    assert response.headers["www-authenticate"].startswith('Bearer realm="')


def test_a_client_secret_opens_no_rest_and_an_api_key_no_conversation(server: ThreadServer) -> None:
    chat = server.backend.chat("owner")
    thread_id = chat.create().thread_id
    for method, path in (
        ("GET", THREADS),
        ("GET", f"{THREADS}/{thread_id}"),
        ("GET", f"{THREADS}/{thread_id}/items"),
        ("DELETE", f"{THREADS}/{thread_id}"),
        ("POST", SESSIONS),
        ("POST", f"{SESSIONS}/cksess_1/cancel"),
    ):
        assert_error(chat.http.request(method, path), 401, code="invalid_api_key")
    assert server.backend.get(f"threads/{thread_id}")["id"] == thread_id
    for path in (CONVERSATION, "/v1/chatkit/files"):
        response = server.backend.http.post(path, json={"type": "threads.list", "params": {}})
        assert_error(response, 401, code="invalid_client_secret")
        assert API_KEY not in response.text
