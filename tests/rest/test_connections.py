"""Connections end: those that send nothing, trickle, send too much or take nothing, before and after a credential."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatdock.api.connection import MAX_HEADERS
from tests.harness.client import Frame, message
from tests.harness.raw import Raw, head
from tests.harness.server import API_KEY, ProcessServer, ThreadServer, eventually, serving
from tests.rest.workflows import echo
from tests.runs.stage import Stage

CONVERSATION = "/v1/chatkit/conversation"
SESSIONS = "/v1/chatkit/sessions"
HEAD_BYTES = 4096


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadServer]:
    """A server that waits for nobody."""
    limits: dict[str, Any] = {"request_timeout": 0.2, "slow_reader_timeout": 0.4, "max_head_bytes": HEAD_BYTES}
    with serving(tmp_path_factory.mktemp("hasty"), [echo], **limits) as server:
        yield server


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadServer]:
    """A server that waits for longer than a test takes."""
    with serving(tmp_path_factory.mktemp("patient"), [echo], request_timeout=600, max_head_bytes=HEAD_BYTES) as server:
        yield server


def cut(server: ThreadServer, reason: str) -> float:
    value = server.app.metrics.registry.get_sample_value("chatdock_connections_cut_total", {"reason": reason})
    return value or 0.0


@contextlib.contextmanager
def cutting(server: ThreadServer, reason: str) -> Iterator[None]:
    """One connection is cut inside the block, for this reason."""
    before = cut(server, reason)
    yield
    eventually(lambda: cut(server, reason) == before + 1, what=f"the cut of a connection ({reason})")


def trickle(raw: Raw, data: bytes) -> None:
    """Send one byte after the other until the server closes."""
    closed = threading.Event()
    for n in range(len(data)):
        if not raw.send(data[n : n + 1]) or closed.wait(0.01):
            return


# Time


def test_a_connection_that_sends_nothing_is_closed(hasty: ThreadServer) -> None:
    with cutting(hasty, "idle"), Raw(hasty.url) as raw:
        assert raw.rest() == b""


def test_a_connection_that_sends_blank_lines_for_ever_is_closed(hasty: ThreadServer) -> None:
    with cutting(hasty, "idle"), Raw(hasty.url) as raw:
        trickle(raw, b"\r\n" * 1000)
        assert raw.rest() == b""


def test_a_connection_that_asks_nothing_more_is_closed(hasty: ThreadServer) -> None:
    with cutting(hasty, "idle"), Raw(hasty.url) as raw:
        raw.ask("GET", "/healthz")
        assert raw.response() == (200, {"status": "ok"})
        trickle(raw, b"\r\n" * 1000)
        assert raw.rest() == b""


def test_a_head_that_trickles_is_answered_with_408(hasty: ThreadServer) -> None:
    with cutting(hasty, "head"), Raw(hasty.url) as raw:
        trickle(raw, head("GET", "/healthz", {"x-slow": "s" * 1000}))
        status, body = raw.response()
        assert (status, body["error"]["code"]) == (408, "request_timeout")
        assert raw.rest() == b""


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_trickles_is_answered_with_408_and_changes_nothing(hasty: ThreadServer, chunked: bool) -> None:
    body = json.dumps({"user": "slow", "workflow": {"id": "wf_test"}}).encode()
    length = {"transfer-encoding": "chunked"} if chunked else {"content-length": str(len(body))}
    with cutting(hasty, "body"), Raw(hasty.url) as raw:
        raw.send(head("POST", SESSIONS, {"authorization": f"Bearer {API_KEY}", **length}))
        if chunked:
            trickle(raw, b"1;" + b"x" * 1000)
        else:
            trickle(raw, body[:-1])
        status, answer = raw.response()
        assert (status, answer["error"]["code"]) == (408, "request_timeout")


def test_the_rest_of_a_body_that_was_refused_is_not_waited_for(hasty: ThreadServer) -> None:
    with cutting(hasty, "leftover"), Raw(hasty.url) as raw:
        raw.send(head("POST", CONVERSATION, {"content-length": "1000000"}))
        assert raw.response()[0] == 401
        trickle(raw, b"x" * 1000)
        assert raw.rest() == b""


# Size


@pytest.mark.parametrize("header", ["x", "many"])
def test_a_head_at_the_limit_is_taken_and_one_byte_more_is_not(patient: ThreadServer, header: str) -> None:
    fixed = len(b"/healthz") + len(b"host") + len(b"localhost") + len(b"x") + 2 * 4
    for extra, expected in ((0, 200), (1, 431)):
        with Raw(patient.url) as raw:
            if header == "x":
                raw.ask("GET", "/healthz", {"x": "v" * (HEAD_BYTES - fixed + extra)})
            else:
                raw.ask("GET", "/healthz", {f"x{n}": "" for n in range(MAX_HEADERS - 1 + extra)})
            status, body = raw.response()
            assert status == expected
            assert expected == 200 or str(HEAD_BYTES) in body["error"]["message"]


@pytest.mark.parametrize("beginning", [b"GET /", b"GET / HTTP/1.1\r\nx: "], ids=["address", "header"])
def test_a_head_without_an_end_is_not_read_to_its_end(patient: ThreadServer, beginning: bytes) -> None:
    with Raw(patient.url) as raw:
        raw.send(beginning)
        sent = 0
        while sent < 64_000_000 and raw.send(b"x" * 65536):
            sent += 65536
        assert sent < 32_000_000, "more than the buffers of two sockets"


@pytest.mark.parametrize("ending", [b"1;", b"0\r\nx: "], ids=["chunk", "trailer"])
def test_what_stands_between_and_behind_chunks_has_an_end_too(patient: ThreadServer, ending: bytes) -> None:
    credential = {"authorization": f"Bearer {API_KEY}"}
    with Raw(patient.url) as raw:
        raw.send(head("POST", SESSIONS, {**credential, "transfer-encoding": "chunked"}) + ending)
        sent = 0
        while sent < 64_000_000 and raw.send(b"x" * 65536):
            sent += 65536
        assert sent < 32_000_000


def test_headers_behind_a_body_are_dropped(patient: ThreadServer) -> None:
    with Raw(patient.url) as raw:
        raw.send(head("POST", SESSIONS, {"transfer-encoding": "chunked"}))
        raw.send(f"2\r\n{{}}\r\n0\r\nauthorization: Bearer {API_KEY}\r\n\r\n".encode())
        assert raw.response()[0] == 401


def test_what_is_no_http_gets_the_envelope(patient: ThreadServer) -> None:
    with Raw(patient.url) as raw:
        raw.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        status, body = raw.response()
        assert (status, body["error"]["code"], body["error"]["type"]) == (400, "invalid_http", "invalid_request_error")


def test_requests_that_do_not_wait_for_answers_are_few(patient: ThreadServer) -> None:
    with Raw(patient.url) as raw:
        raw.send(head("GET", "/healthz") * 5)
        assert [raw.response()[0] for _ in range(1)] == [200]
    with Raw(patient.url) as raw:
        raw.send(head("GET", "/readyz") * 1000)
        assert raw.rest().count(b"HTTP/1.1 200") < 20


# Number


def test_a_connection_too_many_takes_the_place_of_the_one_that_waited_longest(tmp_path: Path) -> None:
    with serving(tmp_path, [echo], connection_limit=10, request_timeout=600) as server:
        server.backend.close()
        idle = [Raw(server.url) for _ in range(30)]
        with Raw(server.url) as raw:
            raw.ask("GET", "/healthz")
            assert raw.response()[0] == 200
        for connection in idle[:20]:
            assert connection.rest() == b""
        assert cut(server, "displaced") == 21
        for connection in idle:
            connection.close()


def test_where_all_connections_are_busy_the_next_one_gets_503(tmp_path: Path) -> None:
    stage, opened = Stage(), list[Iterator[Frame]]()
    with serving(tmp_path, [stage.workflow], connection_limit=3, request_timeout=600) as server:
        chats = [server.backend.chat(f"user {n}") for n in range(3)]
        server.backend.http.close()
        with contextlib.ExitStack() as streams:
            for n, chat in enumerate(chats):
                opened.append(streams.enter_context(chat.open("threads.create", {"input": message(f"hello {n}")})))
                next(opened[-1])
            with Raw(server.url) as raw:
                status, body = raw.response()
                assert (status, body["error"]["code"]) == (503, "too_many_connections")
            assert cut(server, "refused") == 1
            for n in range(3):
                stage.end(f"hello {n}")


# Readers


BIG = 1_000_000


@pytest.mark.parametrize("what", ["items.list", "threads.get_by_id", "rest", "docs"])
def test_a_reader_that_takes_nothing_of_a_response_is_cut(hasty: ThreadServer, what: str) -> None:
    chat = hasty.backend.chat("big")
    thread_id = chat.create("x" * BIG).thread_id
    with Raw(hasty.url, receive_buffer=4096) as raw, cutting(hasty, "reader"):
        if what == "rest":
            path = f"/v1/chatkit/threads/{thread_id}/items"
            raw.ask("GET", path, {"authorization": f"Bearer {API_KEY}"})
        elif what == "docs":
            raw.ask("GET", "/docs/assets/swagger-ui-bundle.js")
        else:
            body = json.dumps({"type": what, "params": {"thread_id": thread_id}}).encode()
            raw.ask("POST", CONVERSATION, {"authorization": f"Bearer {chat.secret}"}, body)
    assert hasty.backend.http.get("/healthz").status_code == 200


# Open files

GRAB = """
import asyncio, os, resource
from pathlib import Path
from typing import Any
from chatdock import workflow

@workflow("wf_test")
async def grab(turn):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    held = []
    while not Path(turn.text).exists():
        try:
            held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            await asyncio.sleep(0.001)
    for one in held:
        os.close(one)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    yield "done"
"""


def test_a_server_without_open_files_says_so_once_and_goes_on_when_there_are_some(tmp_path: Path) -> None:
    target, go_on = tmp_path / "grab.py", tmp_path / "go on"
    target.write_text(GRAB)
    with ProcessServer(tmp_path, str(target), environment={"CHATDOCK_REQUEST_TIMEOUT": "0.2"}) as server:
        chat = server.backend.chat()
        with chat.open("threads.create", {"input": message(str(go_on))}) as frames:
            eventually(lambda: "out_of_open_files" in server.output(), what="the line in the log")
            for _ in range(20):
                with contextlib.suppress(OSError), Raw(server.url) as raw:
                    raw.ask("GET", "/healthz")
                    assert raw.rest() == b""
            go_on.touch()
            list(frames)
        eventually(lambda: "open_files_again" in server.output(), what="the end of the shortage")
        assert httpx.get(f"{server.url}/healthz", verify=False).status_code == 200
        assert server.output().count("out_of_open_files") == 1
        assert "Traceback" not in server.output()
