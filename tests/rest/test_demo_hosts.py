"""A demo answers its own names and pages alone, and gives so many anonymous sessions and no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatdock.api.demo import ALL_ADDRESSES
from chatdock.api.hosts import Hosts
from chatdock.errors import Forbidden
from chatdock.settings import Settings
from tests.harness.server import ThreadServer, serving
from tests.rest.envelope import assert_error
from tests.rest.workflows import echo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadServer]:
    origins = ("https://app.example.com",)
    with serving(
        tmp_path_factory.mktemp("demo"), [echo], demo=True, allowed_origins=origins, demo_hosts="Demo.example.com"
    ) as server:
        yield server


def session(demo: ThreadServer, **headers: str) -> httpx.Response:
    return httpx.post(f"{demo.url}/demo/session", json={}, headers=headers, verify=False)


def answers(host: str, name: str, origin: str | None = None, method: str = "POST", **settings: Any) -> bool:
    """Whether a demo at `host` answers a request under `name`, from a page of `origin`."""
    headers = [(b"host", name.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    try:
        Hosts(host, Settings(**settings)).check({"headers": headers, "method": method})
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize("path", ["/", "/embed", "/demo/session", "/v1/chatkit/conversation", "/metrics", "/docs"])
def test_a_name_that_was_made_to_point_here_reaches_nothing(demo: ThreadServer, path: str) -> None:
    for method in ("GET", "POST"):
        response = httpx.request(method, demo.url + path, headers={"host": "evil.example:8000"}, verify=False)
        assert_error(response, 403, code="host_not_allowed", says="evil.example")
        assert "CHATDOCK_DEMO_HOSTS" in response.json()["error"]["message"]


def test_whether_it_lives_is_told_under_any_name(demo: ThreadServer) -> None:
    for path in ("/healthz", "/readyz"):
        assert httpx.get(demo.url + path, headers={"host": "10.0.0.7:8000"}, verify=False).status_code == 200


def test_a_page_elsewhere_gets_no_session_although_it_may_send_the_request(demo: ThreadServer) -> None:
    for origin in ("https://evil.example", "null", "http://localhost:3000", "http://127.0.0.1:1", "x", "http://[::1"):
        assert_error(session(demo, origin=origin), 403, code="origin_not_allowed")


def test_the_demos_own_pages_and_those_of_the_settings_get_one(demo: ThreadServer) -> None:
    own = demo.url.partition("://")[2]
    assert session(demo).status_code == 200
    assert session(demo, origin=demo.url).status_code == 200
    assert session(demo, origin="https://app.example.com").status_code == 200
    assert session(demo, host="app.example.com", origin="https://app.example.com").status_code == 200
    assert session(demo, host="demo.example.com:8443", origin="https://demo.example.com:8443").status_code == 200
    assert session(demo, host=own.replace("127.0.0.1", "localhost")).status_code == 200


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "a.localhost", "localhost."]
)
def test_this_machine_has_these_names(name: str) -> None:
    assert answers("127.0.0.1", name)
    assert answers("0.0.0.0", name)


@pytest.mark.parametrize(
    "name", ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.7", "[::"]
)
def test_it_has_no_others(name: str) -> None:
    assert not answers("127.0.0.1", name)


@pytest.mark.parametrize(("host", "name"), [("0.0.0.0", "192.0.2.7:8000"), ("::", "[2001:db8::1]"), ("box", "box:80")])
def test_where_others_may_come_its_numbers_and_the_name_it_listens_on_are_good(host: str, name: str) -> None:
    assert answers(host, name)
    assert not answers(host, "evil.example")


def test_the_element_may_be_loaded_by_any_page(demo: ThreadServer) -> None:
    for path in ("/chatkit.js", "/deployments/chatkit/chatkit.js"):
        response = httpx.get(demo.url + path, headers={"origin": "https://any.example"}, verify=False)
        assert response.status_code in {200, 503}


def test_without_a_demo_the_name_does_not_matter(tmp_path: Path) -> None:
    with serving(tmp_path, [echo]) as server:
        headers = {"host": "chat.example.com"}
        assert server.backend.http.get("/v1/chatkit/threads", headers=headers).status_code == 200


def test_a_refused_name_is_logged_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(tmp_path, [echo], demo=True) as server:
        for _ in range(5):
            httpx.get(server.url, headers={"host": "evil.example"}, verify=False)
        assert capsys.readouterr().err.count("evil.example") == 1


def test_an_address_gets_so_many_anonymous_sessions_and_no_more(tmp_path: Path) -> None:
    with serving(tmp_path, [echo], demo=True, demo_sessions_per_minute=2) as server:
        assert [session(server).status_code for _ in range(2)] == [200, 200]
        response = session(server)
        assert_error(response, 429, code="rate_limit_exceeded", kind="rate_limit_error", says="2 anonymous sessions")
        assert int(response.headers["retry-after"]) >= 1
        assert response.headers["x-ratelimit-limit-requests"] == "2"


def test_all_addresses_together_have_a_limit_too(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"demo_sessions_per_minute": 1, "trusted_proxies": "127.0.0.1"}
    with serving(tmp_path, [echo], demo=True, **settings) as server:
        addresses = [f"192.0.2.{n}" for n in range(ALL_ADDRESSES + 1)]
        answered = [session(server, **{"x-forwarded-for": address}).status_code for address in addresses]
        assert answered == [200] * ALL_ADDRESSES + [429]
