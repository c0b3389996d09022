"""Every bound in one table: what is at it is taken, one more is refused; and no setting is a bound without a row."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from chatdock import Turn, workflow
from chatdock.api.connection import MAX_HEADERS
from chatdock.chat.limits import METADATA_PAIRS
from chatdock.protocol.operations import PAGE_MAX
from chatdock.settings import Settings
from tests.harness.client import Json, message
from tests.harness.server import ThreadServer, serving

CONVERSATION, SESSIONS, THREADS = "/v1/chatkit/conversation", "/v1/chatkit/sessions", "/v1/chatkit/threads"


@workflow("wf_test")
async def answer(turn: Turn) -> AsyncIterator[str]:
    """Does as many of something as the message says."""
    what, _, number = turn.text.partition(" ")
    for _ in range(int(number or 0) if what == "tools" else 0):
        turn.count_tool_call()
    yield "x" * int(number) if what == "output" else "ok"


class Bound(NamedTuple):
    """A bound: the setting it belongs to, its value here, a request of a size, and how one too many is answered."""

    ask: Callable[[ThreadServer, int], httpx.Response]
    at: int
    status: int
    code: str | None
    setting: str | None = None


def post(server: ThreadServer, body: bytes, **headers: str) -> httpx.Response:
    secret = server.backend.session()["client_secret"]
    headers = {"authorization": f"Bearer {secret}", "content-type": "application/json", **headers}
    return httpx.post(server.url + CONVERSATION, content=body, headers=headers, verify=False)


def operation(server: ThreadServer, kind: str, params: Json, **members: Any) -> httpx.Response:
    return post(server, json.dumps({"type": kind, "params": params, **members}).encode())


def listing(padding: bytes) -> bytes:
    return b'{"type":"threads.list","params":{"x":%b}}' % padding


def body(server: ThreadServer, size: int) -> httpx.Response:
    return post(server, listing(b"1").ljust(size))


def depth(server: ThreadServer, levels: int) -> httpx.Response:
    return post(server, listing(b"[" * (levels - 2) + b"]" * (levels - 2)))


def head(server: ThreadServer, size: int) -> httpx.Response:
    request = httpx.Request("GET", f"{server.url}/healthz", headers={"x": ""})
    used = len("/healthz") + sum(len(name) + len(value) + 4 for name, value in request.headers.raw)
    request.headers["x"] = "x" * (size - used)
    with httpx.Client(verify=False) as client:
        return client.send(request)


def headers(server: ThreadServer, number: int) -> httpx.Response:
    request = httpx.Request("GET", f"{server.url}/healthz")
    for n in range(number - len(request.headers)):
        request.headers[f"x{n}"] = ""
    with httpx.Client(verify=False) as client:
        return client.send(request)


def characters(server: ThreadServer, number: int) -> httpx.Response:
    params = {"input": {**message("好" * (number - 2)), "quoted_text": "ab"}}
    return operation(server, "threads.create", params)


def metadata(server: ThreadServer, pairs: int) -> httpx.Response:
    return operation(server, "threads.list", {}, metadata={str(n): n for n in range(pairs)})


def title(server: ThreadServer, length: int) -> httpx.Response:
    thread_id = server.backend.chat().create().thread_id
    return operation(server, "threads.update", {"thread_id": thread_id, "title": "x" * length})


def rated(server: ThreadServer, number: int) -> httpx.Response:
    chat = server.backend.chat("rated")
    return [chat.post("threads.create", {"input": message("hi")}) for _ in range(number)][-1]


def rest(server: ThreadServer, number: int) -> httpx.Response:
    return [server.backend.http.get(THREADS) for _ in range(number)][-1]


def unfinished(server: ThreadServer, number: int) -> httpx.Response:
    """As many runs are begun as `number`, the last of them by the request that is returned."""
    chats = [server.backend.chat("runs", "wf_waits") for _ in range(number)]
    with contextlib.ExitStack() as streams:
        kept = []
        for chat in chats[:-1]:
            kept.append(streams.enter_context(chat.open("threads.create", {"input": message("wait")})))
            next(kept[-1])
        headers = {"authorization": f"Bearer {chats[-1].secret}"}
        created = {"type": "threads.create", "params": {"input": message("end")}}
        return httpx.post(server.url + CONVERSATION, json=created, headers=headers, verify=False)


@workflow("wf_waits")
async def waits(turn: Turn) -> AsyncIterator[str]:
    """Goes on until its reader is gone, or ends at once."""
    while turn.text == "wait":
        await turn.emit("on ")
    yield "end"


def page(server: ThreadServer, limit: int) -> httpx.Response:
    return server.backend.http.get(THREADS, params={"limit": limit})


def idempotency(server: ThreadServer, length: int) -> httpx.Response:
    return post(server, listing(b"1"), **{"idempotency-key": "k" * length})


def anonymous(server: ThreadServer, number: int) -> httpx.Response:
    return [httpx.post(f"{server.url}/demo/session", json={}, verify=False) for _ in range(number)][-1]


BOUNDS: dict[str, Bound] = {
    "bytes of a body": Bound(body, 4096, 413, "request_too_large", "max_body_bytes"),
    "levels of JSON": Bound(depth, 20, 400, "json_too_deep", "max_json_depth"),
    "bytes of a head": Bound(head, 2048, 431, "head_too_large", "max_head_bytes"),
    "headers": Bound(headers, MAX_HEADERS, 431, "head_too_large"),
    "characters of a message": Bound(characters, 50, 400, "message_too_long", "max_message_chars"),
    "members of metadata": Bound(metadata, METADATA_PAIRS, 400, "invalid_value"),
    "characters of a title": Bound(title, 512, 400, "invalid_value"),
    "characters of an Idempotency-Key": Bound(idempotency, 255, 400, None),
    "records of a page": Bound(page, PAGE_MAX, 400, "invalid_value"),
    "requests of a user": Bound(rated, 3, 429, "rate_limit_exceeded", "user_requests_per_minute"),
    "requests of a key": Bound(rest, 3, 429, "rate_limit_exceeded", "key_requests_per_minute"),
    "requests of an address": Bound(rest, 3, 429, "rate_limit_exceeded", "address_requests_per_minute"),
    "runs of a user": Bound(unfinished, 2, 429, "too_many_runs", "user_run_limit"),
    "runs of a project": Bound(unfinished, 2, 429, "too_many_runs", "project_run_limit"),
    "responses to a user": Bound(unfinished, 2, 429, "too_many_responses", "user_response_limit"),
    "anonymous sessions": Bound(anonymous, 3, 429, "rate_limit_exceeded", "demo_sessions_per_minute"),
}

ELSEWHERE = {
    "session_seconds": "rest/test_limits.py::test_what_is_over_a_limit",
    "session_max_seconds": "rest/test_limits.py::test_what_is_over_a_limit",
    "session_requests_per_minute": "rest/test_rate_limits.py::test_the_request_over_the_limit_changes_nothing",
    "session_response_limit": "rest/test_responses.py::test_a_session_has_so_many_streams_and_no_more",
    "response_limit": "rest/test_responses.py::test_a_process_has_so_many_over_all",
    "connection_limit": "rest/test_connections.py::test_a_connection_too_many_takes_the_place",
    "request_timeout": "rest/test_pace.py::test_what_does_not_come_is_late_after_the_timeout",
    "slow_reader_timeout": "rest/test_pace.py::test_a_reader_is_late_when_nothing_of_what_waits_is_taken",
    "page_bytes": "rest/test_pages.py::test_whoever_follows_the_pages_of_items_sees_each_once",
    "run_time_limit": "runs/test_limits.py::test_a_workflow_may_have_a_time_limit_of_its_own",
    "run_output_limit": "runs/test_limits.py::test_text_is_cut_off_at_the_output_limit",
    "run_tool_call_limit": "runs/test_limits.py::test_one_tool_call_too_many_ends_the_turn",
}
"""Bounds that are not met by one request more, and the tests that hold them."""


@pytest.mark.parametrize("name", BOUNDS)
def test_what_is_at_a_bound_is_taken_and_one_more_is_refused(tmp_path: Path, name: str) -> None:
    bound = BOUNDS[name]
    settings: dict[str, Any] = {} if bound.setting is None else {bound.setting: bound.at}
    for size, folder in ((bound.at, "at"), (bound.at + 1, "over")):
        (tmp_path / folder).mkdir()
        with serving(tmp_path / folder, [answer, waits], demo=True, on_disconnect="cancel", **settings) as server:
            response = bound.ask(server, size)
            if size == bound.at:
                assert response.status_code == 200, response.text
                continue
            assert response.status_code == bound.status, response.text
            error = response.json()["error"]
            assert error["code"] == bound.code
            assert re.search(rf"\b{bound.at}\b", error["message"]) or bound.code == "too_many_runs"
            assert (bound.status != 429) or int(response.headers["retry-after"]) >= 1


def test_every_setting_that_bounds_something_has_its_test() -> None:
    bounds = {
        name
        for name in Settings.model_fields
        if re.search(r"_limit$|^max_|_bytes$|_chars$|_per_minute$|_timeout$|_seconds$", name)
    } - {"drain_timeout"}
    rows = {bound.setting for bound in BOUNDS.values() if bound.setting}
    assert bounds == rows | set(ELSEWHERE)
    for place in ELSEWHERE.values():
        file, _, test = place.partition("::")
        assert f"def {test}" in (Path(__file__).parents[1] / file).read_text()
