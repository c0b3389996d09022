"""A session's request limit: a moving minute, counted before anything is changed. Reads have their own allowance."""

from __future__ import annotations

import re

import httpx
import pytest

from chatdock.chat.limits import RequestLimiter
from chatdock.errors import RateLimited
from tests.harness.client import Chat, message
from tests.harness.clock import StillClock
from tests.harness.server import ThreadServer
from tests.rest.envelope import assert_error


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def limiter(clock: StillClock) -> RequestLimiter:
    return RequestLimiter(clock)


def allowed(limiter: RequestLimiter, *, per_minute: int = 2, session: str = "s", reading: bool = False) -> bool:
    try:
        limiter.count(session, per_minute, reading=reading)
    except RateLimited:
        return False
    return True


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
        limiter.count("s", 2, reading=False)
    assert refused.value.headers["Retry-After"] == "40"
    clock.move(40)
    assert allowed(limiter)


def test_headers_count_down(limiter: RequestLimiter, clock: StillClock) -> None:
    remaining = [limiter.count("s", 3, reading=False)["x-ratelimit-remaining-requests"] for _ in range(3)]
    assert remaining == ["2", "1", "0"]
    clock.move(60)
    assert limiter.count("s", 3, reading=False) == {
        "x-ratelimit-limit-requests": "3",
        "x-ratelimit-remaining-requests": "2",
        "x-ratelimit-reset-requests": "60s",
    }


def test_sessions_and_reads_are_counted_by_themselves(limiter: RequestLimiter) -> None:
    assert [allowed(limiter, per_minute=1) for _ in range(2)] == [True, False]
    assert allowed(limiter, per_minute=1, session="other")
    assert [allowed(limiter, per_minute=1, reading=True) for _ in range(11)] == [True] * 10 + [False]


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
