"""Servers for tests: in a thread of this process, or as the `chatdock` command in one of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from chatdock.app import create_app
from chatdock.model.endpoint import ModelEndpoint
from chatdock.server import Server, listen
from chatdock.settings import Settings
from chatdock.storage.times import Clock
from chatdock.workflows.workflow import Workflow
from chatdock.world import World
from tests.harness.client import Backend
from tests.harness.openai_client import close_clients
from tests.harness.prompt import PromptServer

T = TypeVar("T")

API_KEY = "cdk_test_key_of_the_default_project"
DEADLINE = 20.0
FIRST_LOOK = 0.001
"""Seconds, as everywhere."""


def eventually(check: Callable[[], T], *, seconds: float = DEADLINE, what: str = "the state", every: float = 0.01) -> T:
    """Wait until `check` returns something true, and return it; `every` is the longest time between two looks."""
    deadline = time.monotonic() + seconds
    pause = FIRST_LOOK
    while True:
        if result := check():
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {seconds:g} s")
        time.sleep(pause)
        pause = min(every, 1.5 * pause)


class _Server(PromptServer, Server):
    """As in production, but for its end."""


class ThreadServer:
    """A server in a thread: its workflows may be closures of the test, and its world can be looked into."""

    def __init__(
        self,
        settings: Settings,
        workflows: Iterable[Workflow],
        *,
        demo: bool = False,
        host: str = "127.0.0.1",
        model: ModelEndpoint | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings
        self._listener = listen("127.0.0.1", 0, settings)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.app = create_app(settings, workflows, demo=demo, host=host, model=model, clock=clock)
        self._server = _Server(self.app, settings, "127.0.0.1", 0)
        self._thread = threading.Thread(target=self._run, name="test-server")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._error: BaseException | None = None
        self.backend = Backend(self.url, API_KEY)

    @property
    def world(self) -> World:
        """What the server holds."""
        return self.app.world

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the server's loop and wait for it."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(DEADLINE)

    def start(self) -> None:
        """Return once requests are answered."""
        self._thread.start()

        def started() -> bool:
            if self._error is not None:
                raise self._error
            return self._server.started

        eventually(started, what="the server's start")

    def stop(self) -> None:
        """End it as SIGTERM would, without waiting for live runs."""
        self.backend.close()
        self._server.should_exit = True
        self._thread.join(DEADLINE)
        self._listener.close()
        assert not self._thread.is_alive()

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            # Signals belong to the process, not to this thread.
            await self._server._serve([self._listener])

        try:
            asyncio.run(serve())
        except BaseException as error:
            self._error = error


@contextmanager
def serving(
    tmp_path: Path,
    workflows: Iterable[Workflow],
    *,
    demo: bool = False,
    host: str = "127.0.0.1",
    model: ModelEndpoint | None = None,
    clock: Clock | None = None,
    **settings: Any,
) -> Iterator[ThreadServer]:
    """A running server whose database lies in `tmp_path`; the same path again finds the same database.

    `host` is what a demo believes to be served at.
    """
    values: dict[str, Any] = {"database_url": f"sqlite:///{tmp_path}/chatdock.db", "api_keys": (API_KEY,), **settings}
    server = ThreadServer(Settings(**values), workflows, demo=demo, host=host, model=model, clock=clock)
    server.start()
    try:
        yield server
    finally:
        server.call(close_clients)
        server.stop()


class ProcessServer:
    """The `chatdock serve` command; can be killed, stopped and started again on the same port and database."""

    def __init__(self, tmp_path: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.database = tmp_path / "chatdock.db"
        self._log = tmp_path / "server.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [
            sys.executable, "-m", "chatdock", "serve", *arguments,
            "--port", str(self.port), "--database-url", f"sqlite:///{self.database}",
        ]  # fmt: skip
        self._environment = {**os.environ, "CHATDOCK_API_KEYS": API_KEY, **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None
        self.backend = Backend(self.url, API_KEY)

    def start(self) -> None:
        """Return once requests are answered."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)
        eventually(self._answers, seconds=60, what="the server's start")

    def kill(self) -> None:
        """kill -9"""
        assert self.process is not None
        self.process.kill()
        self.process.wait(DEADLINE)

    def terminate(self) -> float:
        """SIGTERM; returns the seconds until it was gone."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE)
        return time.monotonic() - began

    def output(self) -> str:
        """What it printed so far."""
        return self._log.read_text()

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.output()}")
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, verify=False).status_code == 200
        except httpx.TransportError:
            return False

    def __enter__(self) -> ProcessServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.backend.close()
        if self.process is not None and self.process.poll() is None:
            self.kill()


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
