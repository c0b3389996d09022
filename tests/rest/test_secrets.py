"""Secrets: what opens nothing costs one look whatever it is, and one that opens something is shown nowhere again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatdock import Turn, workflow
from chatdock.storage.database import Op
from tests.harness.client import Backend, Chat, message
from tests.harness.clock import StillClock
from tests.harness.server import API_KEY, ProcessServer, ThreadServer, serving

SESSIONS, THREADS = "/v1/chatkit/sessions", "/v1/chatkit/threads"


@workflow("wf_test")
async def echo(turn: Turn) -> Any:
    yield turn.text


@pytest.fixture
def looks(tmp_path: Path, clock: StillClock) -> Iterator[tuple[ThreadServer, list[Any]]]:
    """A server, and each of its looks into the database."""
    with serving(tmp_path, [echo], clock=clock) as server:
        seen: list[Any] = []
        read = server.world.database.read

        async def counted(op: Op[Any]) -> Any:
            seen.append(op)
            return await read(op)

        server.world.database.read = counted  # type: ignore[method-assign]
        yield server, seen


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


def test_a_secret_that_opens_nothing_costs_one_look_into_the_database_whatever_it_is(
    looks: tuple[ThreadServer, list[Any]], clock: StillClock
) -> None:
    server, seen = looks
    expired, cancelled = server.backend.session(), server.backend.session()
    clock.move(601)
    server.backend.http.post(f"{SESSIONS}/{cancelled['id']}/cancel")
    fresh = server.backend.session()
    known = fresh["client_secret"]
    refused = {
        "expired": expired["client_secret"],
        "cancelled": cancelled["client_secret"],
        "unknown": "ek_" + "0" * 48 + known[51:],
        "one character off": known[:20] + ("0" if known[20] != "0" else "1") + known[21:],
        "malformed": "ek_malformed",
        "short": "x",
        "an API key": API_KEY,
    }
    for secret in refused.values():
        for attempt in range(2):  # nothing is cheaper the second time, either
            before = len(seen)
            assert server.backend.chat_with(secret).post("threads.list").status_code == 401, (secret, attempt)
            assert len(seen) - before == 1


def test_an_api_key_that_opens_nothing_costs_one_look_whatever_it_is(looks: tuple[ThreadServer, list[Any]]) -> None:
    server, seen = looks
    secret = server.backend.session()["client_secret"]
    for key in ("x", "cdk_" + "0" * 49, API_KEY[:-1], API_KEY + "0", secret):
        for _ in range(2):
            before = len(seen)
            with Backend(server.url, key).http as client:
                assert client.get(THREADS).status_code == 401
            assert len(seen) - before == 1


BREAKING = """
from chatdock import workflow

@workflow("wf_test")
async def answer(turn):
    yield "an answer"
    if turn.text == "break":
        raise ValueError("it broke")
"""


@pytest.mark.slow
def test_a_secret_is_in_no_response_log_or_file_however_it_is_used(tmp_path: Path) -> None:
    target = tmp_path / "answers.py"
    target.write_text(BREAKING)
    model_key = "sk-planted-key-of-the-model-endpoint"
    with ProcessServer(tmp_path, str(target), environment={"OPENAI_API_KEY": model_key}) as server:
        backend = server.backend
        session = backend.session()
        secret = session["client_secret"]
        chat = backend.chat_with(secret)
        shown = b"".join(_used(backend, chat, session["id"]))
        server.terminate()
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert b"chatdock.db" in b" ".join(name.encode() for name in files)
    assert files["server.log"]
    for planted in (secret, secret[3:51], API_KEY, model_key):
        assert planted.encode() not in shown
        for name, content in files.items():
            assert planted.encode() not in content, name


def _used(backend: Backend, chat: Chat, session_id: str) -> Iterator[bytes]:
    """What every route answers, right and wrong, to one who holds a key or a secret."""
    thread_id = chat.create("hello").thread_id
    chat.create("break")
    operations: list[tuple[str, dict[str, Any]]] = [
        ("threads.list", {}),
        ("threads.get_by_id", {"thread_id": thread_id}),
        ("threads.get_by_id", {"thread_id": chat.secret}),
        ("items.list", {"thread_id": thread_id, "after": chat.secret}),
        ("threads.resume", {"thread_id": thread_id, "starting_after": chat.secret}),
        ("threads.add_user_message", {"thread_id": chat.secret, "input": message("x")}),
        ("threads.create", {"input": {"content": chat.secret}}),
        ("unheard.of", {}),
    ]
    for operation, params in operations:
        response = chat.post(operation, params)
        if chat.secret not in str(params):  # an error may name what its caller wrote where an id belongs
            yield _all_of(response)
    bearer = {"authorization": f"Bearer {chat.secret}"}
    openapi = backend.http.get("/openapi.json").json()
    for path, methods in openapi["paths"].items():
        for method in methods:
            url = path.format(session_id=session_id, thread_id=thread_id)
            if method == "delete" or url == SESSIONS:
                continue
            for headers in ({}, bearer):
                yield _all_of(backend.http.request(method, url, headers=headers))
    for path in ("/healthz", "/readyz", "/metrics", "/docs", f"/nothing/{os.urandom(4).hex()}"):
        yield _all_of(backend.http.get(path, headers=bearer))


def _all_of(response: Any) -> bytes:
    headers = b"\n".join(name + b": " + value for name, value in response.headers.raw)
    return headers + b"\n\n" + bytes(response.content)
