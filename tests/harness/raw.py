"""A client on a bare socket that sends whatever bytes it is given."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any
from urllib.parse import urlsplit

from tests.harness.server import DEADLINE


class Raw:
    """One connection."""

    def __init__(self, url: str, *, receive_buffer: int | None = None) -> None:
        parts = urlsplit(url)
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect((parts.hostname, parts.port))

    def send(self, data: bytes) -> bool:
        """Send; False when the server has closed."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> None:
        """Send a whole request."""
        self.send(head(method, path, {**(headers or {}), **_length(body)}) + (body or b""))

    def response(self) -> tuple[int, dict[str, Any]]:
        """The status and the JSON of a response; 0 when the connection is closed without one."""
        received = b""
        while b"\r\n\r\n" not in received:
            if not (more := self._receive()):
                return 0, {}
            received += more
        top, _, body = received.partition(b"\r\n\r\n")
        status, *lines = top.decode().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length"))
        while len(body) < length and (more := self._receive()):
            body += more
        return int(status.split(" ")[1]), json.loads(body[:length])

    def rest(self) -> bytes:
        """What comes until the server closes."""
        received = bytearray()
        while more := self._receive():
            received += more
        return bytes(received)

    def close(self) -> None:
        """Let go."""
        self.socket.close()

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self) -> bytes:
        with contextlib.suppress(ConnectionError):
            return self.socket.recv(65536)
        return b""


def head(method: str, path: str, headers: dict[str, str] | None = None) -> bytes:
    """A request's head."""
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", *(f"{k}: {v}" for k, v in (headers or {}).items()), "", ""]
    return "\r\n".join(lines).encode()


def _length(body: bytes | None) -> dict[str, str]:
    return {} if body is None else {"content-length": str(len(body))}
