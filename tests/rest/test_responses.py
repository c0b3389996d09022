"""Responses under way are counted for each session, user and process; they are sent piece by piece."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.harness.client import Chat, message
from tests.harness.raw import Raw
from tests.harness.server import API_KEY, ProcessServer, ThreadServer, eventually, serving
from tests.rest.envelope import assert_error
from tests.rest.workflows import echo
from tests.runs.stage import Stage

CONVERSATION = "/v1/chatkit/conversation"
BIG = 1_000_000


def stuck(server_url: str, chat: Chat, kind: str, **params: Any) -> Raw:
    """A reader that takes nothing of a response."""
    raw = Raw(server_url, receive_buffer=4096)
    body = json.dumps({"type": kind, "params": params}).encode()
    raw.ask("POST", CONVERSATION, {"authorization": f"Bearer {chat.secret}"}, body)
    return raw


def refused(response: httpx.Response, limit: int, whom: str) -> None:
    error = assert_error(response, 429, kind="rate_limit_error", code="too_many_responses", says=f"{limit} responses")
    assert whom in error["message"]
    assert response.headers["retry-after"] == "5"


@contextlib.contextmanager
def open_streams(stage: Stage, chats: list[Chat]) -> Iterator[None]:
    """A stream for each, open inside the block."""
    with contextlib.ExitStack() as streams:
        opened = []
        for n, chat in enumerate(chats):
            opened.append(streams.enter_context(chat.open("threads.create", {"input": message(f"hello {n}")})))
            next(opened[-1])
        yield
        for n in range(len(chats)):
            stage.end(f"hello {n}")
        for frames in opened:
            list(frames)


def counted(server: ThreadServer, limit: str) -> float:
    value = server.app.metrics.registry.get_sample_value("chatdock_limits_reached_total", {"limit": limit})
    return value or 0.0


def test_a_session_has_so_many_streams_and_no_more_until_one_ends(tmp_path: Path) -> None:
    stage = Stage()
    with serving(tmp_path, [stage.workflow], session_response_limit=3) as server:
        chat, other = server.backend.chat(), server.backend.chat()
        with open_streams(stage, [chat] * 3):
            refused(chat.post("threads.list"), 3, "session")
            assert other.post("threads.list").status_code == 200, "another session of the user"
            assert counted(server, "session_responses") == 1
        eventually(lambda: len(server.app.responses) == 0, what="the end of the responses")
        assert chat.post("threads.list").status_code == 200


def test_a_user_has_so_many_over_all_sessions(tmp_path: Path) -> None:
    stage = Stage()
    with serving(tmp_path, [stage.workflow], user_response_limit=3) as server:
        chats = [server.backend.chat("busy") for _ in range(3)]
        with open_streams(stage, chats):
            refused(server.backend.chat("busy").post("threads.list"), 3, "user")
            assert server.backend.chat("idle").post("threads.list").status_code == 200
            assert counted(server, "user_responses") == 1
        eventually(lambda: len(server.app.responses) == 0, what="the end of the responses")
        assert chats[0].post("threads.list").status_code == 200


def test_a_process_has_so_many_over_all_and_says_still_how_it_is(tmp_path: Path) -> None:
    stage = Stage()
    with serving(tmp_path, [stage.workflow], response_limit=3) as server:
        chats = [server.backend.chat(f"user {n}") for n in range(3)]
        with open_streams(stage, chats):
            refused(chats[0].post("threads.list"), 3, "server")
            refused(server.backend.http.get("/v1/chatkit/threads"), 3, "server")
            refused(server.backend.http.get("/chatkit.js"), 3, "server")
            for path in ("/healthz", "/readyz", "/metrics"):
                assert server.backend.http.get(path).status_code == 200
            assert counted(server, "responses") == 3
        assert chats[0].post("threads.list").status_code == 200


def test_a_request_that_is_refused_or_breaks_off_counts_no_longer(tmp_path: Path) -> None:
    with serving(tmp_path, [echo], session_response_limit=2, page_bytes=10_000_000) as server:
        chat = server.backend.chat()
        for _ in range(5):
            assert chat.post("threads.explode").status_code == 400
            assert chat.post("threads.get_by_id", {"thread_id": "cthr_none"}).status_code == 404
        thread_id = chat.create("x" * BIG).thread_id
        for _ in range(5):
            stuck(server.url, chat, "items.list", thread_id=thread_id).close()
        eventually(lambda: len(server.app.responses) == 0, what="the end of the responses")


def test_json_that_is_not_taken_counts_until_its_reader_is_gone(tmp_path: Path) -> None:
    with serving(tmp_path, [echo], session_response_limit=2, slow_reader_timeout=600) as server:
        chat = server.backend.chat()
        thread_id = chat.create("x" * BIG).thread_id
        with contextlib.ExitStack() as readers:
            for _ in range(2):
                reader = readers.enter_context(stuck(server.url, chat, "items.list", thread_id=thread_id))
                assert reader.socket.recv(12) == b"HTTP/1.1 200"
            eventually(lambda: chat.post("threads.list").status_code == 429, what="the refusal")
        eventually(lambda: chat.post("threads.list").status_code == 200, what="their end")


@pytest.mark.parametrize("path", ["/docs/assets/swagger-ui-bundle.js", "/v1/chatkit/threads/{}/items"])
def test_a_large_response_arrives_whole(tmp_path: Path, path: str) -> None:
    with serving(tmp_path, [echo]) as server:
        text = "".join(f"{n:08d}" for n in range(BIG // 8))
        thread_id = server.backend.chat().create(text).thread_id
        response = server.backend.http.get(path.format(thread_id))
        assert response.status_code == 200
        assert int(response.headers["content-length"]) == len(response.content)
        if "items" in path:
            texts = [item["content"][0]["text"] for item in response.json()["data"]]
            assert all(said.endswith(text) for said in texts)


TARGET = """
from chatdock import workflow

@workflow("wf_test")
async def quiet(turn):
    yield "ok"
"""


@pytest.mark.slow
def test_a_secret_whose_holder_reads_nothing_costs_little_memory(tmp_path: Path) -> None:
    (tmp_path / "quiet.py").write_text(TARGET)
    with ProcessServer(tmp_path, str(tmp_path / "quiet.py")) as server:
        assert server.process is not None
        process = psutil.Process(server.process.pid)
        chat = server.backend.chat()
        first = chat.create("x" * BIG)
        for _ in range(9):
            chat.send(first.thread_id, "x" * BIG)
        before = process.memory_info().rss
        with contextlib.ExitStack() as readers:
            params: dict[str, Any] = {"thread_id": first.thread_id, "limit": 100}
            stuck_ones = [readers.enter_context(stuck(server.url, chat, "items.list", **params)) for _ in range(100)]
            began = [reader.socket.recv(12) for reader in stuck_ones]
            assert [began.count(b"HTTP/1.1 200"), began.count(b"HTTP/1.1 429")] == [32, 68]
            assert chat.post("threads.list").status_code == 429
            headers = {"authorization": f"Bearer {API_KEY}"}
            assert httpx.get(f"{server.url}/v1/chatkit/threads", headers=headers, verify=False).status_code == 200
            grown = process.memory_info().rss - before
        assert grown < 100_000_000, f"{grown:,} bytes"
