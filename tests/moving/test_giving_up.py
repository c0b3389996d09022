"""An import that cannot begin, or cannot go on, says why and ends, within a time that is stated."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from chatdock.moving import hosted as api
from tests.harness.hosted import hosted
from tests.harness.server import free_port
from tests.moving.database import chatdock, imported

pytestmark = pytest.mark.timeout(30)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "FIRST_CONTACT", 0.3)
    monkeypatch.setattr(api, "LOST_CONTACT", 0.3)


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def stopped(folder: Path, url: str) -> str:
    tally = imported(folder, SimpleNamespace(url=url))  # type: ignore[arg-type]
    assert not tally.complete
    assert tally.stopped is not None
    return tally.stopped


def test_a_port_where_nothing_listens_is_given_up(tmp_path: Path) -> None:
    said = stopped(tmp_path, f"http://127.0.0.1:{free_port()}/v1")
    assert said.startswith("127.0.0.1 could not be read within 0 s: ConnectError")


def test_a_name_that_nobody_knows_is_given_up(tmp_path: Path) -> None:
    assert stopped(tmp_path, "https://chat.invalid/v1").startswith("chat.invalid could not be read within")


def test_a_host_that_says_nothing_is_given_up(tmp_path: Path, silent: int) -> None:
    said = stopped(tmp_path, f"http://127.0.0.1:{silent}/v1")
    assert "127.0.0.1 could not be read within" in said
    assert "no whole answer came within 0.3 s" in said


@pytest.mark.parametrize("answer", [(200, b"<html>Please log in</html>"), (500, b"down"), (503, b"down")], ids=str)
def test_a_host_that_answers_something_else_is_given_up(tmp_path: Path, answer: tuple[int, Any]) -> None:
    with hosted(1, 1) as app:
        app.instead = lambda path, query: answer
        assert "could not be read within" in (imported(tmp_path, app).stopped or "")


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "HTTP 401"), (403, "may not read the threads"), (404, "no ChatKit API at"), (410, "has been shut down")],
)
def test_a_refusal_of_the_first_request_ends_it_at_once(tmp_path: Path, status: int, words: str) -> None:
    with hosted(1, 1) as app:
        app.instead = lambda path, query: (status, {"error": {"message": "No."}})
        said = imported(tmp_path, app).stopped or ""
        assert app.total() == 1
    assert f"HTTP {status}: No." in said
    assert words in said


def test_a_certificate_that_is_not_accepted_ends_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    async def refuse(_transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        tries.append(request)
        try:
            raise ssl.SSLCertVerificationError(1, "self-signed certificate")
        except ssl.SSLError as error:
            raise httpx.ConnectError("certificate verify failed") from error

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", refuse)
    assert stopped(tmp_path, "https://chat.example.com/v1") == (
        "The certificate of chat.example.com is not accepted: certificate verify failed"
    )
    assert len(tries) == 1


def test_a_host_that_goes_away_is_given_up(tmp_path: Path) -> None:
    with hosted(30, 2) as app:
        app.instead = lambda path, query: (502, b"gone") if app.total() > 5 else None
        said = imported(tmp_path, app, concurrency=1).stopped
    assert said == "HTTP 502. The API answers nothing any more; start again later."


@pytest.mark.slow
def test_the_command_says_so_and_ends(tmp_path: Path) -> None:
    with hosted(1, 1) as app:
        app.instead = lambda path, query: (403, {"error": {"message": "Country not supported."}})
        done = chatdock(tmp_path, "import", "openai", "--base-url", app.url)
    assert done.returncode == 1
    assert b"Stopped: HTTP 403: Country not supported. The key may not read" in done.stdout
    assert b"Traceback" not in done.stderr
