"""`make` tells each step in a line, keeps the rest in a file, and shows the cause when one fails."""

from __future__ import annotations

import os
import pty
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLOW = "import time; print('one', flush=True); time.sleep(1.3); print('two')"
FAILS = "print('\\n'.join(map(str, range(50)))); print('No space left on device'); raise SystemExit(3)"


@pytest.fixture
def step(tmp_path: Path) -> list[str]:
    """The beginning of a command line, with a log of its own."""
    (tmp_path / "scripts").mkdir()
    return [sys.executable, str(shutil.copy(ROOT / "scripts" / "step.py", tmp_path / "scripts"))]


def run(step: list[str], name: str, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*step, name, sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_a_step_that_takes_no_time_says_nothing(step: list[str], tmp_path: Path) -> None:
    done = run(step, "Looking", "print('details')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "details" in (tmp_path / ".cache" / "make.log").read_text()


def test_a_step_that_takes_longer_is_one_line(step: list[str], tmp_path: Path) -> None:
    done = run(step, "Building", SLOW)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Building …\n")
    assert "one\ntwo\n" in (tmp_path / ".cache" / "make.log").read_text()


def test_a_terminal_shows_how_far_it_is_in_one_line(step: list[str]) -> None:
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    process = subprocess.Popen(
        [*step, "Building", sys.executable, "-c", SLOW], stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    assert process.wait(60) == 0
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "Building … 1 s  one" in shown
    assert shown.count("\n") == 1


def test_a_step_that_fails_shows_the_cause_and_where_the_rest_is(step: list[str], tmp_path: Path) -> None:
    done = run(step, "Fetching", FAILS)
    assert done.returncode == 3
    lines = done.stderr.splitlines()
    assert lines[0] == "Fetching failed with exit code 3:"
    assert lines[-2:] == ["  No space left on device", f"All that it printed: {tmp_path}/.cache/make.log"]
    assert len(lines) < 30


def test_a_command_that_is_not_there_is_named(step: list[str]) -> None:
    done = subprocess.run([*step, "Trying", "no-such-program"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Trying failed" in done.stderr
    assert "no-such-program" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_log_does_not_grow_for_ever() -> None:
    assert runpy.run_path(str(ROOT / "scripts" / "step.py"))["LARGEST_LOG"] <= 10_000_000


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")
def test_everything_that_serve_installs_or_builds_is_such_a_step(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)  # where nothing is installed or built yet
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "requirements").mkdir()
    for name in ("run", "dev", "node"):
        (tmp_path / "requirements" / f"{name}.txt").touch()
    planned = subprocess.run(["make", "-n", "serve"], cwd=tmp_path, capture_output=True, text=True, timeout=60).stdout
    long = [
        line for line in planned.splitlines() if any(w in line for w in ("pip ", "build.py", "model pull", "-m venv"))
    ]
    assert len(long) >= 4
    for line in long:
        assert "scripts/step.py" in line, line
