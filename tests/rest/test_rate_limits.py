"""A session's request limit: a moving minute, counted before anything is changed. Reads have their own allowance."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatdock.chat.limits import MAX_WINDOWS, READS_FACTOR, Allowance, RequestLimiter
from chatdock.errors import RateLimited
from tests.harness.client import Chat, message
from tests.harness.clock import StillClock
from tests.harness.server import API_KEY, ThreadServer, serving
from tests.rest.envelope import assert_error
from tests.rest.workflows import echo


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def limiter(clock: StillClock) -> RequestLimiter:
    return RequestLimiter(clock)


def allowed(limiter: RequestLimiter, *, per_minute: int = 2, session: str = "s", reading: bool = False) -> bool:
    try:
        limiter.count(Allowance((session, reading), per_minute * (READS_FACTOR if reading else 1), "this session"))
    except RateLimited:
        return False
    return True


OF_THREE = Allowance(("s", False), 3, "this session")


def test_the_minute_moves_with_every_request(limiter: RequestLimiter, clock: StillClock) -> None:
    began = clock.seconds
    outcome = []
    for second in (0, 50, 59.9, 60, 61, 109.9, 110, 119.9, 120):
        clock.seconds = began + second
        outcome.append((second, allowed(limiter)))
    # At 60 the request of 0 has left the minute, at 110 that of 50, at 120 that of 60.
    assert [second for second, was in outcome if was] == [0, 50, 60, 110, 120]


def test_no_minute_however_it_is_laid_holds_more_than_the_limit(limiter: RequestLimiter, clock: StillClock) -> None:
    taken = []
    for _ in range(400):
        clock.move(0.7)
        if allowed(limiter, per_minute=5):
            taken.append(clock.seconds)
    assert all(later - earlier >= 60 for earlier, later in zip(taken, taken[5:], strict=False))
    assert len(taken) == 25, "280 seconds hold four full minutes and a fifth that has begun"


def test_a_refused_request_costs_nothing(limiter: RequestLimiter, clock: StillClock) -> None:
    assert [allowed(limiter) for _ in range(50)] == [True, True] + [False] * 48
    clock.move(60)
    assert allowed(limiter)


def test_the_refusal_says_when_the_next_request_will_be_taken(limiter: RequestLimiter, clock: StillClock) -> None:
    allowed(limiter)
    clock.move(20.5)
    allowed(limiter)
    with pytest.raises(RateLimited) as refused:
        limiter.count(Allowance(("s", False), 2, "this session"))
    assert refused.value.headers["Retry-After"] == "40"
    clock.move(40)
    assert allowed(limiter)


def test_headers_count_down(limiter: RequestLimiter, clock: StillClock) -> None:
    remaining = [limiter.count(OF_THREE)["x-ratelimit-remaining-requests"] for _ in range(3)]
    assert remaining == ["2", "1", "0"]
    clock.move(60)
    assert limiter.count(OF_THREE) == {
        "x-ratelimit-limit-requests": "3",
        "x-ratelimit-remaining-requests": "2",
        "x-ratelimit-reset-requests": "60s",
    }


def test_sessions_and_reads_are_counted_by_themselves(limiter: RequestLimiter) -> None:
    assert [allowed(limiter, per_minute=1) for _ in range(2)] == [True, False]
    assert allowed(limiter, per_minute=1, session="other")
    assert [allowed(limiter, per_minute=1, reading=True) for _ in range(11)] == [True] * 10 + [False]


def test_a_request_that_one_limit_refuses_is_counted_by_none(limiter: RequestLimiter) -> None:
    wide, narrow = Allowance(("user",), 3, "this user"), Allowance(("session",), 1, "this session")
    assert limiter.count(narrow, wide)["x-ratelimit-remaining-requests"] == "0", "of the narrower"
    for _ in range(5):
        with pytest.raises(RateLimited, match="this session may send 1 requests"):
            limiter.count(narrow, wide)
    for session in "ab":
        limiter.count(Allowance((session,), 1, "this session"), wide)
    with pytest.raises(RateLimited, match="this user may send 3 requests"):
        limiter.count(Allowance(("c",), 1, "this session"), wide)
    assert limiter.count(Allowance(("c",), 1, "this session"))["x-ratelimit-remaining-requests"] == "0"


def test_so_many_are_counted_at_once_and_no_more(limiter: RequestLimiter) -> None:
    for n in range(MAX_WINDOWS + 10):
        limiter.count(Allowance(("address", n), 1, "this address"))
    assert len(limiter) == MAX_WINDOWS
    limiter.count(Allowance(("address", 0), 1, "this address"))
    with pytest.raises(RateLimited):
        limiter.count(Allowance(("address", MAX_WINDOWS), 1, "this address"))


# Over HTTP

WRITE = {"input": message("hello")}


def assert_limited(response: httpx.Response, limit: int) -> None:
    error = assert_error(response, 429, code="rate_limit_exceeded", kind="rate_limit_error", says=str(limit))
    assert "minute" in error["message"]
    assert 1 <= int(response.headers["retry-after"]) <= 60
    assert response.headers["x-ratelimit-limit-requests"] == str(limit)
    assert response.headers["x-ratelimit-remaining-requests"] == "0"
    reset = re.fullmatch(r"(\d+)s", response.headers["x-ratelimit-reset-requests"])
    assert reset is not None
    assert 1 <= int(reset[1]) <= 60


def threads_of(server: ThreadServer, user: str) -> int:
    return len(server.backend.get("threads", user=user, limit=100)["data"])


def test_the_request_over_the_limit_changes_nothing(server: ThreadServer) -> None:
    chat = server.backend.chat("limited", limit=3)
    for left in ("2", "1", "0"):
        response = chat.post("threads.create", WRITE)
        assert response.status_code == 200
        assert response.headers["x-ratelimit-remaining-requests"] == left
    thread_id = server.backend.get("threads", user="limited")["data"][0]["id"]
    for name, params in (
        ("threads.create", WRITE),
        ("threads.add_user_message", {"thread_id": thread_id, **WRITE}),
        ("threads.update", {"thread_id": thread_id, "title": "changed"}),
        ("threads.delete", {"thread_id": thread_id}),
    ):
        assert_limited(chat.post(name, params), 3)
    assert threads_of(server, "limited") == 3
    assert server.backend.get(f"threads/{thread_id}")["title"] == "hello"
    assert len(server.backend.get(f"threads/{thread_id}/items")["data"]) == 2


def test_opening_the_history_never_blocks_a_message(server: ThreadServer) -> None:
    chat = server.backend.chat("reader", limit=2)
    thread_id = chat.create().thread_id
    reads = [
        ("threads.list", {}),
        ("threads.get_by_id", {"thread_id": thread_id}),
        ("items.list", {"thread_id": thread_id}),
        ("threads.resume", {"thread_id": thread_id}),
    ]
    for n in range(20):
        response = chat.post(*reads[n % 4])
        assert response.status_code in {200, 404}, "there is no live run to resume, but the request is counted"
    assert_limited(chat.post("threads.list"), 20)
    assert chat.post("threads.add_user_message", {"thread_id": thread_id, **WRITE}).status_code == 200
    assert_limited(chat.post("threads.add_user_message", {"thread_id": thread_id, **WRITE}), 2)


def test_messages_never_block_the_history(server: ThreadServer) -> None:
    chat = server.backend.chat("writer", limit=1)
    chat.create()
    assert_limited(chat.post("threads.create", WRITE), 1)
    assert len(chat.call("threads.list")["data"]) == 1


def test_requests_that_are_wrong_count_too(server: ThreadServer) -> None:
    chat = server.backend.chat("careless", limit=2)
    assert [chat.post("threads.explode").status_code for _ in range(3)] == [400, 400, 429]


def test_uploads_count_as_well(server: ThreadServer) -> None:
    chat = server.backend.chat("uploader", limit=2)
    assert [_upload(chat).status_code for _ in range(2)] == [400, 400]
    assert_limited(_upload(chat), 2)


def test_another_session_of_the_same_user_has_a_limit_of_its_own(server: ThreadServer) -> None:
    first, second = server.backend.chat("twice", limit=1), server.backend.chat("twice", limit=1)
    first.create()
    assert_limited(first.post("threads.create", WRITE), 1)
    second.create()
    assert threads_of(server, "twice") == 2


def test_rest_has_no_request_limit(server: ThreadServer) -> None:
    for _ in range(30):
        response = server.backend.http.get("/v1/chatkit/threads")
        assert response.status_code == 200
        assert not [name for name in response.headers if name.startswith("x-ratelimit")]


def _upload(chat: Chat) -> httpx.Response:
    return chat.http.post("/v1/chatkit/files", files={"file": ("a.txt", b"text", "text/plain")})


def test_all_sessions_of_a_user_share_the_users_limit(tmp_path: Path) -> None:
    with serving(tmp_path, [echo], user_requests_per_minute=3) as limited:
        chats = [limited.backend.chat("shared", limit=2) for _ in range(3)]
        assert [chat.post("threads.create", WRITE).status_code for chat in chats] == [200] * 3
        assert_limited(chats[0].post("threads.create", WRITE), 3)
        assert threads_of(limited, "shared") == 3
        assert limited.backend.chat("other").post("threads.create", WRITE).status_code == 200
        assert chats[0].post("threads.list").status_code == 200, "reading has its own allowance"


def test_a_key_has_a_limit_of_its_own(tmp_path: Path) -> None:
    with serving(tmp_path, [echo], key_requests_per_minute=3, api_keys=(API_KEY, "cdk_second")) as limited:
        answers = [limited.backend.http.get("/v1/chatkit/threads") for _ in range(4)]
        assert [response.headers["x-ratelimit-remaining-requests"] for response in answers[:3]] == ["2", "1", "0"]
        assert_limited(answers[3], 3)
        second = {"authorization": "Bearer cdk_second"}
        assert limited.backend.http.get("/v1/chatkit/threads", headers=second).status_code == 200


def test_an_address_has_a_limit_whatever_it_asks(tmp_path: Path) -> None:
    with serving(tmp_path, [echo], address_requests_per_minute=3) as limited:
        http = limited.backend.http
        for path in ("/nothing", "/chatkit.js", "/v1/chatkit/threads"):
            assert http.get(path).status_code != 429
        assert_limited(http.get("/v1/chatkit/threads"), 3)
        assert_limited(http.get("/nothing"), 3)
        assert http.get("/healthz").status_code == 200


def test_behind_a_proxy_that_is_trusted_each_client_has_its_address(tmp_path: Path) -> None:
    def asking(limited: ThreadServer, client: str) -> int:
        return limited.backend.http.get("/v1/chatkit/threads", headers={"x-forwarded-for": client}).status_code

    settings: dict[str, Any] = {"address_requests_per_minute": 1}
    with serving(tmp_path, [echo], trusted_proxies="127.0.0.1", **settings) as limited:
        assert [asking(limited, "192.0.2.1"), asking(limited, "192.0.2.1"), asking(limited, "192.0.2.2")] == [
            200,
            429,
            200,
        ]
        assert [asking(limited, "2001:db8::1"), asking(limited, "2001:db8::2"), asking(limited, "2001:db8:0:1::1")] == [
            200,
            429,
            200,
        ]
        assert asking(limited, "10.0.0.1, 192.0.2.2") == 429, "what the client wrote itself is not believed"
    with serving(tmp_path, [echo], **settings) as limited:
        assert [asking(limited, "192.0.2.1"), asking(limited, "192.0.2.2")] == [200, 429], "no proxy is trusted"
