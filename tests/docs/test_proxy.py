"""The page on proxies: nginx's configuration says what the page says, and does it where nginx is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatdock.settings import Settings
from tests.harness.client import Backend, message
from tests.harness.server import API_KEY, ThreadServer, eventually, free_port, serving
from tests.runs.stage import Stage

PAGE = (Path(__file__).parents[2] / "docs" / "proxy.md").read_text()
PLACES = f"{os.environ['PATH']}:/usr/sbin:{Path(__file__).parents[2]}/.cache/nginx/usr/sbin"
NGINX = os.environ.get("NGINX") or shutil.which("nginx", path=PLACES)
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def configuration() -> str:
    found = re.search(r"```nginx\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def directive(name: str) -> str:
    found = re.search(rf"^ *{name} (.*);$", configuration(), re.MULTILINE)
    assert found is not None, name
    return found[1]


def test_its_limits_fit_those_of_the_server() -> None:
    settings = Settings()
    assert directive("client_max_body_size") == "1m"
    assert settings.max_body_bytes == 1024 * 1024
    assert directive("client_header_timeout") == directive("client_body_timeout") == f"{settings.request_timeout:g}s"
    assert directive("send_timeout") == f"{settings.slow_reader_timeout:g}s"
    assert directive("large_client_header_buffers") == "4 8k"
    assert settings.max_head_bytes == 4 * 8 * 1024
    assert int(directive("proxy_read_timeout").rstrip("s")) > settings.keepalive * 2
    assert directive("proxy_buffering") == "off"
    assert directive("proxy_next_upstream") == "off"


@contextmanager
def proxied(tmp_path: Path, workflows: Any, **settings: Any) -> Iterator[tuple[ThreadServer, str]]:
    """A server, and the address of an nginx in front of it."""
    assert NGINX is not None
    with serving(tmp_path, workflows, **settings) as server:
        port = free_port()
        text = configuration().replace("listen 443 ssl http2", f"listen 127.0.0.1:{port}")
        text = re.sub(r" *ssl_.*\n", "", text).replace("http://127.0.0.1:8000", server.url)
        whole = tmp_path / "nginx.conf"
        temporary = "".join(
            f"{name}_temp_path {tmp_path}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        whole.write_text(
            f"daemon off;\nmaster_process off;\npid {tmp_path}/nginx.pid;\nerror_log {tmp_path}/error.log;\n"
            f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{text}}}\n"
        )
        process = subprocess.Popen([NGINX, "-p", str(tmp_path), "-c", str(whole), "-e", str(tmp_path / "error.log")])
        try:
            url = f"http://127.0.0.1:{port}"

            def answers() -> bool:
                assert process.poll() is None, (tmp_path / "error.log").read_text()
                try:
                    return httpx.get(f"{url}/healthz", verify=False).status_code == 200
                except httpx.TransportError:
                    return False

            eventually(answers, what="nginx")
            yield server, url
        finally:
            process.terminate()
            process.wait(10)


@needs_nginx
def test_a_stream_comes_through_it_as_it_is_said(tmp_path: Path) -> None:
    stage = Stage()
    with proxied(tmp_path, [stage.workflow]) as (_, url):
        backend = Backend(url, API_KEY)
        with backend.chat().open("threads.create", {"input": message("hello")}) as frames:
            stage.say("hello", "first")
            assert any("first" in str(frame.event) for frame in frames)
            stage.end("hello", " second")
            assert any("second" in str(frame.event) for frame in frames)
        backend.close()


@needs_nginx
def test_it_keeps_out_what_is_not_for_strangers_and_what_is_too_large(tmp_path: Path) -> None:
    with proxied(tmp_path, [], operator_paths="open") as (server, url):
        for path in ("/metrics", "/docs", "/docs/assets/swagger-ui.css", "/openapi.json", "/readyz"):
            assert httpx.get(server.url + path, verify=False).status_code == 200
            assert httpx.get(url + path, verify=False).status_code == 404
        assert httpx.post(f"{url}/v1/chatkit/sessions", content=b"x" * 1_048_577, verify=False).status_code == 413


@needs_nginx
def test_a_client_cannot_say_that_it_is_another(tmp_path: Path) -> None:
    with proxied(tmp_path, [], trusted_proxies="127.0.0.1", address_requests_per_minute=2) as (_, url):
        answers = [httpx.get(f"{url}/", headers={"x-forwarded-for": f"192.0.2.{n}"}, verify=False) for n in range(3)]
        assert [response.status_code for response in answers] == [404, 404, 429]
