"""What concerns the operator alone is told to the operator, and is not where strangers are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog

from chatdock import launch
from chatdock.app import create_app
from chatdock.settings import Settings
from tests.harness.server import ProcessServer, ThreadServer, free_port, serving
from tests.rest.workflows import echo

OPERATORS = ["/metrics", "/docs", "/docs/assets/swagger-ui.css", "/openapi.json"]
CONVERSATION = "/v1/chatkit/conversation"
ASK = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


async def status(path: str, *, public: bool, **settings: object) -> int:
    app = create_app(Settings.model_validate(settings), [echo], public=public)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client:
        return (await client.get(path)).status_code


@pytest.mark.parametrize("path", ["/docs", "/docs/assets/swagger-ui.css", "/openapi.json"])
@pytest.mark.parametrize(
    ("settings", "public", "there"),
    [
        ({}, False, True),
        ({}, True, False),
        ({"operator_paths": "open"}, True, True),
        ({"operator_paths": "closed"}, False, False),
        ({"operator_port": 9000}, False, False),
        ({"operator_port": 9000, "operator_paths": "open"}, True, True),
    ],
    ids=str,
)
@pytest.mark.anyio
async def test_they_are_on_the_servers_port_only_where_strangers_are_not(
    path: str, settings: dict[str, object], public: bool, there: bool
) -> None:
    assert await status(path, public=public, **settings) == (200 if there else 404)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.0.0.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("192.168.1.2", False), ("chat.example.com", False)],
)  # fmt: skip
def test_an_address_that_others_reach_is_public(host: str, loopback: bool) -> None:
    assert launch._is_loopback(host) is loopback


@pytest.mark.slow
def test_a_server_that_others_reach_has_them_on_the_operators_port_alone(tmp_path: Path) -> None:
    port = free_port()
    target = tmp_path / "target.py"
    target.write_text("from tests.rest.workflows import echo\n")
    environment = {"CHATDOCK_OPERATOR_PORT": str(port)}
    with ProcessServer(tmp_path, str(target), "--host", "0.0.0.0", environment=environment) as server:
        own = f"http://127.0.0.1:{port}"
        for path in OPERATORS:
            assert httpx.get(f"{server.url}{path}").status_code == 404
            assert httpx.get(f"{own}{path}").status_code == 200
        for path in ("/healthz", "/readyz"):
            assert httpx.get(f"{server.url}{path}").status_code == 200
            assert httpx.get(f"{own}{path}").status_code == 200
        hidden = httpx.get(f"{server.url}/metrics").json()["error"]
        missing = httpx.get(f"{server.url}/nothing").json()["error"]
        assert hidden == {**missing, "message": missing["message"].replace("/nothing", "/metrics")}
        for path in ("/v1/chatkit/threads", CONVERSATION, "/"):
            assert httpx.post(f"{own}{path}").status_code == 404
        assert server.terminate() < 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadServer]:
    with serving(tmp_path_factory.mktemp("operator"), [echo], allowed_origins=("https://app.example.com",)) as running:
        yield running


def ask(server: ThreadServer, origin: str, path: str = CONVERSATION) -> int:
    return server.backend.http.options(path, headers={**ASK, "Origin": origin}).status_code


def test_an_origin_that_is_refused_is_told_once(server: ThreadServer) -> None:
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            assert ask(server, "https://other.example.com") == 400
            assert ask(server, "https://app.example.com") == 200
    assert logs == [
        {
            "event": "origin_refused",
            "log_level": "warning",
            "origin": "https://other.example.com",
            "setting": "CHATDOCK_ALLOWED_ORIGINS",
        }
    ]


def test_origins_that_somebody_makes_up_do_not_fill_the_log(server: ThreadServer) -> None:
    with structlog.testing.capture_logs() as logs:
        for number in range(300):
            ask(server, f"https://{number}.example.com" + "x" * 500)
    told = [line["origin"] for line in logs if line["event"] == "origin_refused"]
    assert 90 < len(told) <= 100
    assert max(map(len, told)) <= 101
    assert [line["event"] for line in logs].count("origins_refused") == 1


def test_a_credential_that_is_not_known_names_the_database_once_a_minute(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs, serving(tmp_path, [echo]) as server:
        for _ in range(5):
            refused = {"Authorization": "Bearer cdk_made_elsewhere"}
            assert server.backend.http.get("/v1/chatkit/threads", headers=refused).status_code == 401
            refused = {"Authorization": "Bearer ek_made_elsewhere"}
            assert server.backend.http.post(CONVERSATION, headers=refused, json={}).status_code == 401
    told = [line for line in logs if line["event"] == "unknown_credential"]
    assert [(line["kind"], line["refused"]) for line in told] == [("api_key", 1), ("client_secret", 1)]
    assert {line["database"] for line in told} == {f"{tmp_path}/chatdock.db"}
    assert "made_elsewhere" not in str(logs)
