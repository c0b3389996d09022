"""`chatdock serve`, forked off a process that has imported everything: up in a moment, to be killed often."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import httpx

from tests.harness.client import Backend
from tests.harness.server import API_KEY, DEADLINE, eventually, free_port

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [__name__, "chatdock.launch", "chatdock.tracing.opentelemetry_sdk", "uvicorn.protocols.http.httptools_impl"]
)


class ForkedServer:
    """Like `ProcessServer`: can be killed, stopped and started again on the same port and database."""

    def __init__(self, folder: Path, target: Path, **settings: str) -> None:
        self.database = folder / "chatdock.db"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / f"server-{self.port}.log"
        self._arguments = [
            "serve", str(target), "--port", str(self.port), "--database-url", f"sqlite:///{self.database}",
        ]  # fmt: skip
        self._environment = {f"CHATDOCK_{name.upper()}": value for name, value in settings.items()}
        self._environment["CHATDOCK_API_KEYS"] = API_KEY
        self._process: ForkServerProcess | None = None
        self.backend = Backend(self.url, API_KEY)

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def start(self, *, wait: bool = True) -> float:
        """Return once requests are answered: the moment at which that was, by the monotonic clock."""
        self._process = _context.Process(target=_serve, args=(self._arguments, self._environment, self._log))
        self._process.start()
        if wait:
            eventually(self._answers, seconds=60, what="the server's start")
        return time.monotonic()

    def kill(self) -> None:
        """kill -9"""
        if self._process is not None:
            self._process.kill()
            self._process.join(DEADLINE)
            self._process.close()
            self._process = None

    def output(self) -> str:
        """What it printed so far."""
        return self._log.read_text()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.is_alive(), f"the server ended:\n{self.output()}"
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, verify=False).status_code == 200
        except httpx.TransportError:
            return False

    def __enter__(self) -> ForkedServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.backend.close()
        self.kill()


def _serve(arguments: Sequence[str], environment: dict[str, str], log: Path) -> None:
    """The child's whole life."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ.update(environment)
    sys.argv = ["chatdock", *arguments]
    from chatdock.cli import main

    main()
