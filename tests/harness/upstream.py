"""A model endpoint that is slow, and that notices when a connection to it is closed."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.harness.server import DEADLINE, eventually

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Call:
    """One request of an agent to the endpoint."""

    said: int = 0
    """How many words it got."""
    closed_at: float | None = None
    """When its connection was closed, on the monotonic clock; None while it is open."""


@dataclass
class Upstream:
    """Speaks Chat Completions and never finishes: it says `words` words, then waits until it is hung up on.

    With `silent` not even the head of the response is sent.
    """

    silent: bool = False
    words: int = 3
    calls: list[Call] = field(default_factory=list)
    url: str = ""
    _threads: list[threading.Thread] = field(default_factory=list)

    def first_call(self, *, words: int) -> Call:
        """Wait until the endpoint was asked, and has said so many words."""
        eventually(lambda: self.calls and self.calls[0].said >= words, what="the call to the model")
        return self.calls[0]

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._answer, args=(connection,))
            thread.start()
            self._threads.append(thread)

    def join(self) -> None:
        """Wait until every connection was closed by its caller."""
        for thread in self._threads:
            thread.join(DEADLINE)
            assert not thread.is_alive(), "an agent left its connection to the model open"

    def _answer(self, connection: socket.socket) -> None:
        call = Call()
        with connection:
            connection.settimeout(DEADLINE)
            received = b""
            while b"\r\n\r\n" not in received:
                part = connection.recv(65536)
                if not part:
                    return  # opened ahead, never used
                received += part
            head, _, body = received.partition(b"\r\n\r\n")
            size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            while len(body) < size:
                body += connection.recv(65536)
            self.calls.append(call)
            if not self.silent:
                connection.sendall(HEAD)
                for number in range(self.words):
                    connection.sendall(_chunk(f"word{number} "))
                    call.said += 1
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""
            call.closed_at = time.monotonic()


@contextmanager
def upstream(*, silent: bool) -> Iterator[Upstream]:
    """An endpoint on a loopback port; at the end of the block nobody may be connected to it."""
    endpoint = Upstream(silent=silent)
    listener = socket.create_server(("127.0.0.1", 0))
    endpoint.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    thread = threading.Thread(target=endpoint.serve, args=(listener,))
    thread.start()
    try:
        yield endpoint
        endpoint.join()
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(DEADLINE)


def _chunk(words: str) -> bytes:
    event: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "slow",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": words}, "finish_reason": None}],
    }
    data = b"data: " + json.dumps(event).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)
