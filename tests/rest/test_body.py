"""Bodies: read after the credential alone, within their bounds, and looked through at the speed of bytes."""

from __future__ import annotations

import random
import socket
from typing import Any

import httpx
import orjson
import pytest

from chatdock.api import demo, sessions, threads
from chatdock.api.auth import BoundedRoute, KeyRoute
from chatdock.api.body import check_depth
from chatdock.errors import InvalidRequest
from tests.harness.client import message
from tests.harness.raw import Raw, head
from tests.harness.server import API_KEY, ThreadServer, eventually
from tests.rest.envelope import assert_error

CONVERSATION, FILES, SESSIONS = "/v1/chatkit/conversation", "/v1/chatkit/files", "/v1/chatkit/sessions"


def deep(depth: int) -> bytes:
    return b'{"a":' * (depth // 2) + b"[" * (depth - depth // 2) + b"]" * (depth - depth // 2) + b"}" * (depth // 2)


def too_deep(body: bytes, limit: int = 64) -> bool:
    try:
        check_depth(body, limit)
    except InvalidRequest:
        return True
    return False


@pytest.mark.parametrize("path", [CONVERSATION, FILES, SESSIONS, f"{SESSIONS}/cksess_1/cancel"])
@pytest.mark.parametrize("credential", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic eDp5"}])
def test_a_bad_credential_is_refused_before_the_body_has_come(
    server: ThreadServer, path: str, credential: dict[str, str]
) -> None:
    with Raw(server.url) as raw:
        raw.send(head("POST", path, {**credential, "content-length": "1000000"}))
        assert raw.response()[0] == 401


@pytest.mark.parametrize("path", ["/", "/v1/nothing", "/v1/chatkit/threads", "/healthz"])
def test_a_path_that_takes_no_body_is_answered_before_it_has_come(server: ThreadServer, path: str) -> None:
    with Raw(server.url) as raw:
        raw.send(head("POST", path, {"authorization": f"Bearer {API_KEY}", "content-length": "1000000"}))
        assert raw.response()[0] in {404, 405}


@pytest.mark.parametrize("path", [CONVERSATION, SESSIONS])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[" * 1_000_000, 400, "json_too_deep"),
        (b" " * 1_048_576, 400, "invalid_json"),
        (b" " * 1_048_577, 413, "request_too_large"),
        (deep(64), 400, None),
        (deep(65), 400, "json_too_deep"),
    ],
    ids=["brackets", "at the limit", "over the limit", "64 levels", "65 levels"],
)
def test_a_body_has_its_bounds_behind_a_good_credential(
    server: ThreadServer, path: str, body: bytes, status: int, code: str | None
) -> None:
    secret = server.backend.session()["client_secret"] if path == CONVERSATION else API_KEY
    headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
    response = httpx.post(server.url + path, content=body, headers=headers, verify=False)
    if code:
        assert_error(response, status, code=code)
    else:
        assert response.status_code == status
        assert response.json()["error"]["code"] != "json_too_deep"


def test_a_client_that_goes_away_with_its_last_byte_has_sent_its_message(server: ThreadServer) -> None:
    """Also when its secret has to be looked up first."""
    body = orjson.dumps({"type": "threads.create", "params": {"input": message("hi")}})

    def arrived() -> bool:
        return len(server.backend.get("threads", user="hasty")["data"]) == 20

    for _ in range(20):
        secret = server.backend.session("hasty")["client_secret"]
        with Raw(server.url) as raw:
            raw.ask("POST", CONVERSATION, {"authorization": f"Bearer {secret}"}, body)
            raw.socket.shutdown(socket.SHUT_WR)
            raw.rest()
    eventually(arrived, what="all threads")


@pytest.mark.parametrize(
    ("module", "kind"), [(sessions, KeyRoute), (threads, KeyRoute), (demo, BoundedRoute)], ids=lambda m: str(m)[-20:]
)
def test_every_route_for_keys_asks_for_one_first_and_every_body_has_its_bounds(module: Any, kind: type) -> None:
    assert module.router.routes
    for route in module.router.routes:
        assert isinstance(route, kind), route.path


@pytest.mark.parametrize("seed", range(20))
def test_the_depth_of_json_is_what_it_is_whatever_stands_in_its_strings(seed: int) -> None:
    rng = random.Random(seed)

    def value(levels: int) -> tuple[Any, int]:
        if levels == 0 or rng.random() < 0.2:
            return rng.choice([1, None, "[", '{["', "\\", '\\"[', "]}", "ü[", "\\\\"]), 0
        parts = [value(levels - 1) for _ in range(rng.randint(0, 3))]
        depth = 1 + max((depth for _, depth in parts), default=0)
        if rng.random() < 0.5:
            return [part for part, _ in parts], depth
        return {f'[{n}\\{{"': part for n, (part, _) in enumerate(parts)}, depth

    for _ in range(50):
        made, depth = value(8)
        body = orjson.dumps(made)
        assert not too_deep(body, depth)
        assert depth == 0 or too_deep(body, depth - 1)
