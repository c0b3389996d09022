"""Options and variables that say nothing, or nothing that is known, are named instead of taken for something else."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chatdock.cli import app
from chatdock.server import CannotListen, listen
from chatdock.settings import Settings, unknown_variables

BLANK = [
    ["keys", "create", "--project", ""],
    ["keys", "create", "--project", " "],
    ["feedback", "--project", ""],
    ["traces", "--project", ""],
    ["export", "--project", ""],
    ["export", "--user", ""],
    ["import", "x.jsonl", "--project", ""],
    ["import", "openai", "--project", ""],
    ["import", "openai", "--user", ""],
    ["serve", "--host", ""],
]


@pytest.mark.parametrize("command", BLANK, ids=" ".join)
def test_an_option_that_is_blank_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert command[-2] in done.stderr
    assert "it is empty" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_that_is_in_use_is_named_with_the_way_out(tmp_path: Path, taken: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chatdock", "serve", "--port", str(taken)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert f"port {taken} of 127.0.0.1 is in use" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_an_address_that_this_machine_has_not_is_named(host: str) -> None:
    with pytest.raises(CannotListen, match=f"'{host}' is no address of this machine"):
        listen(host, 0, Settings())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("CHATDOCK_DATABSE_URL", "is CHATDOCK_DATABASE_URL meant?"),
        ("chatdock_allowed_origin", "is CHATDOCK_ALLOWED_ORIGINS meant?"),
        ("CHATDOCK_API_KEY", "CHATDOCK_API_KEYS"),
        ("CHATDOCK_REDIS_URL", "has no effect in this version"),
        ("CHATDOCK_FILES_URL", "has no effect in this version"),
        ("CHATDOCK_PORT", "--port"),
        ("CHATDOCK_WEATHER", "CHATDOCK_WEATHER is set, and nothing reads it."),
    ],
)
def test_a_variable_that_nothing_reads_is_named(name: str, said: str) -> None:
    [sentence] = unknown_variables({name: "secret-value"})
    assert sentence.startswith(name)
    assert said in sentence
    assert "secret-value" not in sentence


def test_variables_that_are_read_are_not_named() -> None:
    settings = {f"CHATDOCK_{name}".upper(): "1" for name in Settings.model_fields}
    elsewhere = {"CHATDOCK_MODEL": "x", "CHATDOCK_MODEL_DIR": "x", "CHATDOCK_TEST_X": "1", "CHATDOCK_CHAOS_KILLS": "9"}
    kubernetes = {
        "CHATDOCK_PORT": "tcp://10.0.0.1:8000",
        "CHATDOCK_SERVICE_HOST": "10.0.0.1",
        "CHATDOCK_SERVICE_PORT_HTTP": "8000",
        "CHATDOCK_PORT_8000_TCP_ADDR": "10.0.0.1",
    }
    assert not list(unknown_variables(settings | elsewhere | kubernetes | {"PATH": "/"}))


def test_a_command_names_them_on_stderr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHATDOCK_DATABSE_URL", "sqlite:///elsewhere.db")
    done = CliRunner().invoke(app, ["keys", "create"])
    assert "is CHATDOCK_DATABASE_URL meant?" in done.stderr
    assert done.stdout.startswith("cdk_")
