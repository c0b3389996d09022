"""An ASGI application on a loopback port, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import uvicorn

from tests.harness.prompt import PromptServer
from tests.harness.server import DEADLINE, eventually


@contextmanager
def running(app: Any, *, lifespan: Literal["on", "off"] = "off") -> Iterator[str]:
    """The URL at which the application answers inside the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = PromptServer(
        uvicorn.Config(app, lifespan=lifespan, log_config=None, timeout_graceful_shutdown=1, ws="none")
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), name="test-application")
    thread.start()
    try:
        eventually(lambda: server.started, what="the application's start")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(DEADLINE)
        listener.close()
        assert not thread.is_alive()
