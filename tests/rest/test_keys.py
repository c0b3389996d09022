"""API keys: made, listed and ended by command; each opens its own project and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatdock.chat.keys import generate
from tests.harness.client import Backend
from tests.harness.server import ThreadServer, eventually, serving
from tests.rest.envelope import assert_error
from tests.rest.workflows import echo

THREADS = "/v1/chatkit/threads"
KEY = re.compile(r"cdk_([0-9A-Za-z]{43})([0-9A-Za-z]{6})")
KEY_ID = r"ckey_[0-9a-f]{36}"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[ThreadServer]:
    with serving(data, [echo]) as running:
        yield running


@pytest.fixture(scope="module")
def keys(data: Path) -> Command:
    """`chatdock keys …` on the database of the running server."""
    environment = {**os.environ, "CHATDOCK_DATABASE_URL": f"sqlite:///{data}/chatdock.db"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "chatdock", "keys", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    return run


@pytest.fixture(scope="module")
def created(server: ThreadServer, keys: Command) -> dict[str, subprocess.CompletedProcess[str]]:
    """Keys of two projects, made while the server runs."""
    return {name: keys("create", "--project", name, "--name", f"key of {name}") for name in ("red", "blue")}


@pytest.fixture(scope="module")
def backends(
    server: ThreadServer, created: dict[str, subprocess.CompletedProcess[str]]
) -> Iterator[dict[str, Backend]]:
    made = {name: Backend(server.url, done.stdout.strip()) for name, done in created.items()}
    yield made
    for backend in made.values():
        backend.close()


def secret_of(backend: Backend) -> str:
    return backend.http.headers["authorization"].removeprefix("Bearer ")


def checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = DIGITS[digit] + digits
    return digits


def test_a_key_has_a_prefix_256_random_bits_and_a_checksum() -> None:
    made = {generate() for _ in range(200)}
    assert len(made) == 200
    for key in made:
        match = KEY.fullmatch(key)
        assert match is not None
        assert checksum(match[1]) == match[2]
        assert sum(DIGITS.index(c) * 62**n for n, c in enumerate(reversed(match[1]))) < 2**256
    assert 62**43 > 2**256, "43 digits hold all of them"


def test_create_prints_the_key_alone_to_where_scripts_read_it(
    created: dict[str, subprocess.CompletedProcess[str]],
) -> None:
    for done in created.values():
        assert done.returncode == 0
        assert KEY.fullmatch(done.stdout.strip())
        assert re.search(KEY_ID, done.stderr)
        assert done.stdout.strip() not in done.stderr


def test_list_shows_keys_without_their_secrets(backends: dict[str, Backend], keys: Command) -> None:
    listed = keys("list").stdout
    for project, backend in backends.items():
        secret = secret_of(backend)
        [line] = [line for line in listed.splitlines() if f"key of {project}" in line]
        key_id, hint, shown_project, state, *_ = line.split("\t")
        assert key_id.startswith("ckey_")
        assert (shown_project, state) == (project, "live")
        assert hint.startswith("cdk_")
        assert hint.endswith(secret[-4:])
        assert secret not in listed
        assert secret[6:-4] not in listed


def test_only_a_hash_is_stored(backends: dict[str, Backend], data: Path) -> None:
    stored = b"".join(path.read_bytes() for path in data.iterdir())
    for project, backend in backends.items():
        assert f"key of {project}".encode() in stored
        assert secret_of(backend).encode() not in stored
        assert secret_of(backend)[6:-4].encode() not in stored


def test_a_key_sees_its_own_project_alone(backends: dict[str, Backend], server: ThreadServer) -> None:
    red, blue = backends["red"], backends["blue"]
    threads = {name: backend.chat("ada").create(name).thread_id for name, backend in backends.items()}
    for name, backend in backends.items():
        assert [thread["id"] for thread in backend.get("threads", user="ada")["data"]] == [threads[name]]
    foreign = threads["red"]
    for method, path in (("GET", ""), ("GET", "/items"), ("DELETE", "")):
        answer = blue.http.request(method, f"{THREADS}/{foreign}{path}")
        missing = blue.http.request(method, f"{THREADS}/{'x' * len(foreign)}{path}")
        assert_error(answer, 404, param="thread_id")
        assert answer.text.replace(foreign, "x" * len(foreign)) == missing.text
    assert_error(blue.http.get(THREADS, params={"after": foreign}), 400, param="after")
    assert red.get(f"threads/{foreign}")["title"] == "red"
    assert foreign not in server.backend.http.get(THREADS, params={"limit": 100}).text, "nor does the default project"


def test_the_same_user_in_two_projects_is_two_users(backends: dict[str, Backend]) -> None:
    red, blue = backends["red"].chat("twin"), backends["blue"].chat("twin")
    thread_id = red.create("mine").thread_id
    assert blue.call("threads.list")["data"] == []
    assert_error(blue.post("threads.get_by_id", {"thread_id": thread_id}), 404, param="params.thread_id")


@pytest.mark.slow
def test_a_revoked_key_is_refused_by_a_server_that_knew_it(
    created: dict[str, subprocess.CompletedProcess[str]], backends: dict[str, Backend], keys: Command
) -> None:
    backend = backends["red"]
    chat = backend.chat()
    [key_id] = re.findall(KEY_ID, created["red"].stderr)
    assert backend.http.get(THREADS).status_code == 200
    done = keys("revoke", key_id)
    assert done.returncode == 0, done.stderr
    eventually(lambda: backend.http.get(THREADS).status_code != 200, what="the refusal")
    error = assert_error(backend.http.get(THREADS), 401, code="invalid_api_key")
    assert secret_of(backend)[6:-4] not in error["message"]
    assert chat.post("threads.list").status_code == 200, "sessions that the key made live on to their end"
    assert backends["blue"].http.get(THREADS).status_code == 200
    [line] = [line for line in keys("list").stdout.splitlines() if key_id in line]
    assert line.split("\t")[3] == "revoked"
    again = keys("revoke", key_id)
    assert again.returncode == 1
    assert key_id in again.stderr
    assert "Traceback" not in again.stderr
