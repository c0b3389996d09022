"""A command says which database it works on, and makes none that nobody asked for."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from chatdock.cli import app


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHATDOCK_DATABASE_URL", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def answered(answer: bytes, *arguments: str) -> tuple[int, str, str]:
    """A command at a terminal, where somebody types `answer`; its exit code, stdout and what the terminal shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "chatdock", *arguments],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "NO_COLOR": "1"},
    )
    os.close(theirs)
    os.write(ours, answer)
    out, _ = process.communicate(timeout=60)
    shown = b""
    try:
        while more := os.read(ours, 4096):
            shown += more
    except OSError:  # the terminal has no other end any more
        pass
    os.close(ours)
    return process.returncode, out.decode(), shown.decode()


def test_a_key_names_the_database_that_it_is_in_and_says_when_that_was_made(folder: Path) -> None:
    first = run("keys", "create")
    assert first.exit_code == 0
    assert f"no database at {folder}/chatdock.db; it is made now" in first.stderr
    again = run("keys", "create")
    assert (
        f"Key ckey_{again.stderr.split('ckey_')[1][:36]} of project 'default', in {folder}/chatdock.db." in again.stderr
    )
    assert "is made now" not in again.stderr
    assert again.stdout.startswith("cdk_")
    assert again.stdout.count("\n") == 1


def test_somebody_at_a_terminal_is_asked_before_a_database_is_made_in_this_folder(folder: Path) -> None:
    code, out, shown = answered(b"n\n", "keys", "create")
    assert (code, out) == (1, "")
    assert f"There is no database at {folder}/chatdock.db. Make one?" in shown
    assert not list(folder.iterdir())
    code, out, _shown = answered(b"\n", "keys", "create")
    assert code == 0
    assert out.startswith("cdk_")


def test_a_database_that_was_named_is_made_without_a_question(folder: Path) -> None:
    code, _out, shown = answered(b"", "keys", "create", "--database-url", f"sqlite:///{folder}/mine.db")
    assert code == 0
    assert "Make one?" not in shown
    assert f"no database at {folder}/mine.db; it is made now" in shown


@pytest.mark.parametrize("command", [["keys", "list"], ["feedback"], ["traces"], ["export", "x.jsonl"]])
def test_commands_that_look_name_the_file_that_is_missing(folder: Path, command: list[str]) -> None:
    done = run(*command)
    assert done.exit_code == 1
    assert f"there is no database at {folder}/chatdock.db" in done.stderr
    assert not list(folder.iterdir())


def test_an_upgrade_names_the_database(folder: Path) -> None:
    assert f"{folder}/chatdock.db is up to date" in run("db", "upgrade").stdout
