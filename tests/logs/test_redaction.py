"""Nothing that users, models, tools or clients wrote reaches the log or the record of a run, however a turn fails."""

from __future__ import annotations

import json
import os
import sqlite3
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatdock.redaction import Content, Redact, cause, scrub, trace
from tests.harness.server import API_KEY, ProcessServer, eventually

KINDS = [
    "message", "key", "repr", "file", "notes", "group", "exit", "told", "validation", "json", "orjson", "int",
    "chained", "library", "ours", "warning", "task", "thread", "event",
]  # fmt: skip
TOLD = [
    "ValueError: no order …", "KeyError", "FileNotFoundError: No such file", "ExceptionGroup: all of …", "SystemExit",
    "ValidationError", "JSONDecodeError", "RuntimeError: because of …", "ValueError: no title for …",
    "It is odd: …", "thread_failed",
]  # fmt: skip
"""What the log says of them."""
MARK = "Zq7vX"
"""In every canary, so that a part of one is found too."""

WORDS = st.text(string.ascii_letters + string.digits, min_size=12, max_size=24).map(lambda text: f"{MARK}{text}")
CANARIES = st.one_of(
    WORDS,
    WORDS.map(lambda word: f"cdk_{word}"),
    WORDS.map(lambda word: f"sk-proj-{word}"),
    WORDS.map(lambda word: f"{word}.pdf"),
    WORDS.map(lambda word: f"Cookie: session={word}; theme=dark"),
    WORDS.map(lambda word: f"https://user:{word}@files.example.com/a?sig={word}"),
    WORDS.map(lambda word: f'{{"city": "{word}", "我": "{word}"}}'),
    WORDS.map(lambda word: f"Meine Frage {word} 订单 %s {{0}} {word}"),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessServer]:
    folder = tmp_path_factory.mktemp("redaction")
    target = Path(__file__).with_name("failing.py")
    limits = {"CHATDOCK_USER_RUN_LIMIT": "1000", "CHATDOCK_SESSION_REQUESTS_PER_MINUTE": "1000"}
    with ProcessServer(folder, str(target), environment=limits) as running:
        yield running


def logged(server: ProcessServer) -> list[dict[str, Any]]:
    """The lines of the log that are lines of the log."""
    return [json.loads(line) for line in server.output().splitlines() if line.startswith("{")]


def reasons(server: ProcessServer) -> list[str]:
    connection = sqlite3.connect(server.database)
    try:
        return [str(reason) for (reason,) in connection.execute("SELECT error FROM run")]
    finally:
        connection.close()


def assert_silent(server: ProcessServer) -> None:
    """Neither log nor record has anything of a canary."""
    assert MARK not in server.output()
    assert not [reason for reason in reasons(server) if MARK in reason]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(KINDS), canary=CANARIES)
def test_no_failure_of_a_turn_tells_what_somebody_wrote(server: ProcessServer, kind: str, canary: str) -> None:
    chat = server.backend.chat(workflow="wf_fails")
    chat.create(f"{kind} {canary}")
    assert_silent(server)


@settings(max_examples=10, deadline=None)
@given(canary=CANARIES)
def test_neither_do_refused_requests_and_failing_actions(server: ProcessServer, canary: str) -> None:
    chat = server.backend.chat(workflow="wf_fails")
    turn = chat.create("event x")
    item = turn.done("assistant_message")[0]["id"] if turn.done("assistant_message") else None
    headers = {"Cookie": "session=" + "".join(c for c in canary if c.isalnum() and c.isascii())}
    action = {"type": canary, "payload": {"file": canary}}
    chat.post(
        "threads.custom_action", {"thread_id": turn.thread_id, "item_id": item, "action": action}, headers=headers
    )
    chat.post(canary, {"thread_id": canary})
    server.backend.http.get(f"/v1/chatkit/threads/{MARK}", headers=headers)
    server.backend.http.get(f"/v1/{MARK}?key={MARK}", headers={"Authorization": f"Bearer ek_{MARK}0000"})
    assert_silent(server)


def test_every_kind_of_failure_is_told_all_the_same(server: ProcessServer) -> None:
    chat = server.backend.chat(workflow="wf_fails")
    before = len(logged(server))
    for kind in KINDS:
        chat.create(f"{kind} {MARK}")

    def told() -> set[str]:
        return {" ".join(map(str, line.values())) for line in logged(server)[before:]}

    for words in TOLD:
        eventually(lambda words=words: any(words in line for line in told()), what=words)  # type: ignore[misc]
    lines = logged(server)[before:]
    assert {line["event"] for line in lines} >= {"workflow_failed", "titler_failed", "It got … and …", "It got …"}
    failed = next(line for line in lines if "no order" in line.get("exception", ""))
    assert "failing.py:" in failed["exception"]
    assert "ValueError: no order …" in reasons(server)
    assert API_KEY not in server.output()


def redacted(content: bool, **event: Any) -> dict[str, Any]:
    return dict(Redact(content=content)(None, "error", {"event": "it_failed", **event}))


def test_with_content_texts_are_told_and_secrets_are_not() -> None:
    secret = f"sk-{os.urandom(16).hex()}"
    with pytest.raises(ValueError, match="no order") as caught:
        raise ValueError(f"no order {MARK} for {secret}")
    error = caught.value
    line = redacted(True, exc_info=error, said=Content(MARK), error=error)
    assert f"no order {MARK}" in line["exception"]
    assert line["said"] == MARK
    assert secret not in str(line)
    hidden = redacted(False, exc_info=error, said=Content(MARK), error=error)
    assert MARK not in str(hidden)
    assert hidden["error"] == "ValueError: no order … for …"


@given(st.sampled_from(["cdk_", "ek_", "sk-", "ghp_"]), WORDS)
def test_what_looks_like_a_secret_is_hidden_in_any_text(prefix: str, word: str) -> None:
    for text in (
        f"{prefix}{word}", f"Bearer {word}", f'"Set-Cookie": a={word}', f"https://me:{word}@host/x",
        f"https://host/x?sig={word}&b={word}",
    ):  # fmt: skip
        assert word not in scrub(f"It was {text}")
    assert scrub("crun_018f is live") == "crun_018f is live"


def test_an_error_that_cannot_be_told_is_told_by_its_type() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError(MARK)

    with pytest.raises(Odd) as odd:
        raise Odd
    assert cause(odd.value) == "Odd"
    with pytest.raises(ValueError, match="circle") as looped:
        raise ValueError("one of a circle")
    looped.value.__context__ = looped.value
    assert trace(looped.value).count("one of a circle") == 1
