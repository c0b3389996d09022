"""Cross-origin calls: the pages that the operator named may call the chat protocol, nobody else, and REST never."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.harness.client import message
from tests.harness.server import ThreadServer, serving
from tests.rest.envelope import assert_error
from tests.rest.workflows import echo

APP, OTHER_APP = "https://app.example.com", "http://localhost:3000"
CONVERSATION, FILES = "/v1/chatkit/conversation", "/v1/chatkit/files"
NEEDED = {"authorization", "content-type", "accept-language", "last-event-id", "idempotency-key"}
STRANGERS = [
    "null",
    "https://evil.example",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com@evil.example",
    "http://app.example.com",
    "https://sub.app.example.com",
    "https://app.example.co",
    "http://localhost:30000",
    "http://localhost",
    "*",
    "",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadServer]:
    with serving(tmp_path_factory.mktemp("cors"), [echo], allowed_origins=(APP, OTHER_APP)) as running:
        yield running


def preflight(server: ThreadServer, origin: str, path: str = CONVERSATION, method: str = "POST") -> httpx.Response:
    return httpx.options(
        f"{server.url}{path}",
        verify=False,
        headers={
            "origin": origin,
            "access-control-request-method": method,
            "access-control-request-headers": ",".join(sorted(NEEDED)),
        },
    )


def listed(response: httpx.Response, header: str) -> set[str]:
    return {name.strip().lower() for name in response.headers[header].split(",")}


def assert_readable(response: httpx.Response, origin: str = APP) -> None:
    """A browser lets the page at `origin` read this."""
    assert response.headers["access-control-allow-origin"] == origin
    assert "origin" in listed(response, "vary")
    assert "access-control-allow-credentials" not in response.headers


@pytest.mark.parametrize("path", [CONVERSATION, FILES])
@pytest.mark.parametrize("origin", [APP, OTHER_APP])
def test_a_page_that_was_named_may_call_with_what_clients_send(server: ThreadServer, origin: str, path: str) -> None:
    response = preflight(server, origin, path)
    assert response.status_code in {200, 204}
    assert_readable(response, origin)
    assert listed(response, "access-control-allow-headers") >= NEEDED
    assert listed(response, "access-control-allow-methods") == {"post"}
    assert int(response.headers["access-control-max-age"]) >= 60


def test_the_page_reads_the_answer_and_the_headers_that_it_needs(server: ThreadServer) -> None:
    chat = server.backend.chat()
    for response in (
        chat.post("threads.create", {"input": message("hi")}, headers={"origin": APP}),
        chat.post("threads.list", headers={"origin": APP}),
    ):
        assert response.status_code == 200
        assert_readable(response)
        exposed = listed(response, "access-control-expose-headers")
        assert exposed >= {"x-request-id", "retry-after", "x-ratelimit-remaining-requests"}


@pytest.mark.parametrize("origin", STRANGERS)
def test_any_other_origin_is_refused(server: ThreadServer, origin: str) -> None:
    chat = server.backend.chat()
    for response in (
        preflight(server, origin),
        preflight(server, origin, FILES),
        chat.post("threads.list", headers={"origin": origin}),
    ):
        assert "access-control-allow-origin" not in response.headers
        assert "access-control-allow-credentials" not in response.headers
        assert origin in {"", "*"} or origin not in str(response.headers)


def test_other_methods_and_headers_are_not_allowed_across_origins(server: ThreadServer) -> None:
    assert "delete" not in listed(preflight(server, APP, method="DELETE"), "access-control-allow-methods")
    response = httpx.options(
        f"{server.url}{CONVERSATION}",
        verify=False,
        headers={
            "origin": APP,
            "access-control-request-method": "POST",
            "access-control-request-headers": "x-forwarded-for",
        },
    )
    assert response.status_code == 400
    assert "x-forwarded-for" not in listed(response, "access-control-allow-headers")


def test_a_page_can_read_what_went_wrong(server: ThreadServer) -> None:
    chat, headers = server.backend.chat(), {"origin": APP}
    limited = server.backend.chat(limit=1)
    limited.create()
    stranger = server.backend.chat_with("ek_unknown")
    answers = {
        401: stranger.post("threads.list", headers=headers),
        400: chat.post("threads.explode", headers=headers),
        404: chat.post("threads.get_by_id", {"thread_id": "cthr_1"}, headers=headers),
        405: chat.http.get(CONVERSATION, headers=headers),
        429: limited.post("threads.create", {"input": message("hi")}, headers=headers),
    }
    upload = chat.http.post(FILES, files={"file": ("a.txt", b"text", "text/plain")}, headers=headers)
    assert_error(upload, 400, code="file_upload_disabled")
    assert_readable(upload)
    for status, response in answers.items():
        assert response.status_code == status
        assert_readable(response)
    assert "retry-after" in listed(answers[429], "access-control-expose-headers")


@pytest.mark.parametrize(("body", "status"), [(b"x" * 1_048_577, 413), (b"[" * 65, 400)])
def test_a_page_can_read_that_its_body_was_refused(server: ThreadServer, body: bytes, status: int) -> None:
    response = server.backend.chat().http.post(CONVERSATION, content=body, headers={"origin": APP})
    assert_error(response, status)
    assert_readable(response)


def test_a_page_can_read_that_something_broke(server: ThreadServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(server.world.threads, "page", broken)
    response = server.backend.chat().post("threads.list", headers={"origin": APP})
    assert_error(response, 500, kind="server_error")
    assert_readable(response)


def test_rest_is_for_no_page_whatever_its_origin(server: ThreadServer) -> None:
    for path in ("/v1/chatkit/sessions", "/v1/chatkit/threads", "/v1/chatkit/threads/cthr_1/items"):
        assert not [name for name in preflight(server, APP, path).headers if name.startswith("access-control")]
        response = server.backend.http.get(path, headers={"origin": APP})
        assert not [name for name in response.headers if name.startswith("access-control")]


def test_without_a_list_no_page_of_another_origin_may_call(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serving(tmp_path_factory.mktemp("closed"), [echo]) as closed:
        for origin in (APP, closed.url, "null"):
            assert "access-control-allow-origin" not in preflight(closed, origin).headers
            response = closed.backend.chat().post("threads.list", headers={"origin": origin})
            assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    "origin", ["*", "app.example.com", "https://*.example.com", "https://app.example.com/", "null"]
)
def test_a_list_that_is_no_list_of_origins_is_refused_at_the_start(
    tmp_path_factory: pytest.TempPathFactory, origin: str
) -> None:
    with (
        pytest.raises(ValueError, match="is not an origin"),
        serving(tmp_path_factory.mktemp("wrong"), [echo], allowed_origins=(origin,)),
    ):
        pass
