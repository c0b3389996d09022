"""Servers as processes of their own, on free loopback ports, stopped when the block ends."""

import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.client import Target

ROOT = Path(__file__).resolve().parent.parent
API_KEY = "sk-bench-2f6d0c5b9a7e4183"
HOSTED_KEY = "sk-hosted-test"
START = 60
"""Seconds that a server may take until it answers."""


def reference_command(port: int) -> list[str]:
    """uvicorn's defaults, less its access log: no line is written for a request on either side."""
    app = ["-m", "uvicorn", "bench.reference:app", "--host", "127.0.0.1", "--port", str(port)]
    return [sys.executable, *app, "--no-access-log", "--log-level", "warning"]


def replay_command(port: int) -> list[str]:
    return [sys.executable, "-m", "bench.replay", str(port)]


def chatdock_command(port: int, database: Path) -> list[str]:
    where = ["--host", "127.0.0.1", "--port", str(port), "--database-url", f"sqlite:///{database}"]
    return [sys.executable, "-m", "chatdock", "serve", str(ROOT / "bench" / "workflows.py"), *where]


@contextmanager
def reference(directory: Path) -> Iterator[Target]:
    """chatkit-python's server; it asks for no key and stores in memory."""
    port = free_port()
    with _running(reference_command(port), port, directory / "reference.log") as pid:
        yield Target(url=f"http://127.0.0.1:{port}", path="/chatkit", pid=pid)


@contextmanager
def replay(directory: Path) -> Iterator[Target]:
    """A server that sends the same recorded turn without a thought: what the client can take."""
    port = free_port()
    with _running(replay_command(port), port, directory / "replay.log") as pid:
        yield Target(url=f"http://127.0.0.1:{port}", pid=pid)


@contextmanager
def chatdock(directory: Path, database: Path | None = None) -> Iterator[Target]:
    """Chatdock on a new SQLite file in `directory`, or on the one given; its default settings, but for as many streams
    at once as are measured."""
    port = free_port()
    settings = {"CHATDOCK_API_KEYS": API_KEY, "CHATDOCK_PROJECT_RUN_LIMIT": "100000"}
    command = chatdock_command(port, database or directory / f"chatdock-{port}.db")
    with _running(command, port, directory / "chatdock.log", settings) as pid:
        yield Target(url=f"http://127.0.0.1:{port}", api_key=API_KEY, pid=pid)


@contextmanager
def hosted(directory: Path, threads: int, items: int) -> Iterator[str]:
    """The address of a fake of hosted ChatKit, which fails now and then."""
    port = free_port()
    command = [sys.executable, "-m", "tests.harness.hosted", str(port), str(threads), str(items), "--faults"]
    with _running(command, port, directory / "hosted.log"):
        yield f"http://127.0.0.1:{port}/v1"


def with_workflow(target: Target, workflow: str) -> Target:
    return replace(target, workflow=workflow)


def at(target: Target, path: str) -> Target:
    return replace(target, path=path)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str], port: int, log: Path, settings: dict[str, str] | None = None) -> Iterator[int]:
    """The process id of `command` once it accepts connections on `port`; the process ends with the block."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CHATDOCK_", "OPENAI_"))}
    environment = inherited | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])} | (settings or {})
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=log.parent, env=environment, stdout=output, stderr=output)
    try:
        _wait(process, port, command, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, command: list[str], log: Path) -> None:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    tail = log.read_text(errors="replace")[-2000:]
    raise SystemExit(f"the server did not start: {shlex.join(command)}\n{tail}")
