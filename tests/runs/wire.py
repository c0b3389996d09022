"""A client on a bare socket: reads exactly so many bytes, hangs up anywhere, or does not read at all."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, ClassVar
from urllib.parse import urlsplit

from tests.harness.client import Chat, Frame, Turn, frames_of, message
from tests.harness.server import eventually

TIMEOUT = 30.0


class Wire:
    """One streaming request."""

    def __init__(
        self,
        chat: Chat,
        operation: str,
        *,
        headers: dict[str, str] | None = None,
        receive_buffer: int | None = None,
        **params: Any,
    ) -> None:
        url = urlsplit(str(chat.http.base_url))
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(TIMEOUT)
        self._connection = HTTPConnection(url.hostname or "", url.port)
        self._connection.sock = self._socket
        self._response: HTTPResponse | None = None
        self._received = bytearray()
        body = json.dumps({"type": operation, "params": params}).encode()
        sent = {"Authorization": f"Bearer {chat.secret}", "Content-Type": "application/json", **(headers or {})}
        try:
            self._socket.connect((url.hostname, url.port))
            self._connection.request("POST", "/v1/chatkit/conversation", body, sent)
        except OSError:
            self.close()
            raise

    @property
    def received(self) -> bytes:
        """What was read of the body so far."""
        return bytes(self._received)

    def begin(self) -> int:
        """Wait for the head of the response; returns the status."""
        if self._response is None:
            self._response = self._connection.getresponse()
        return self._response.status

    def read(self, size: int) -> bytes:
        """So many bytes of the body, fewer at its end."""
        self.begin()
        assert self._response is not None
        data = self._response.read(size)
        self._received += data
        return data

    def read_some(self) -> bytes:
        """What is there, or the next that comes; nothing at the end."""
        self.begin()
        assert self._response is not None
        data = self._response.read1(65536)
        self._received += data
        return data

    def rest(self) -> bytes:
        """The rest of the body."""
        while self.read_some():
            pass
        return self.received

    def hang_up(self) -> None:
        """Drop the connection, also while another thread reads from it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the socket."""
        if self._response is not None:
            self._response.close()
        self._connection.close()
        self._socket.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Reader:
    """Reads a stream in the background, to its end or until it is dropped."""

    running: ClassVar[set[Reader]] = set()

    def __init__(self, chat: Chat, operation: str, **options: Any) -> None:
        self._wire = Wire(chat, operation, **options)
        self.broken: Exception | None = None
        self.status = 0
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        self.running.add(self)

    @property
    def received(self) -> bytes:
        """The body so far, as far as its frames are complete."""
        return complete(self._wire.received)

    @property
    def frames(self) -> list[Frame]:
        """The frames so far, as far as their ids are known."""
        return frames_in(named(self._wire.received))

    @property
    def turn(self) -> Turn:
        """What the stream told so far."""
        return Turn(self.frames)

    @property
    def ended(self) -> bool:
        """Whether the stream is over, properly or not."""
        return not self._thread.is_alive()

    def wait_for(self, seen: Callable[[Turn], Any], what: str = "the frame") -> Turn:
        """Wait until `seen` is true of what was streamed."""

        def check() -> bool:
            if self.frames and seen(self.turn):
                return True
            assert not self.ended, f"the stream ended before {what} came: {self._wire.received!r} {self.broken!r}"
            return False

        eventually(check, what=what)
        return self.turn

    def wait(self, seconds: float = TIMEOUT) -> Turn:
        """Wait for the end of the stream."""
        self._thread.join(seconds)
        assert self.ended, f"the stream did not end within {seconds:g} s"
        self._wire.close()
        self.running.discard(self)
        return self.turn

    def drop(self) -> Turn:
        """Hang up; returns what came until then."""
        self._wire.hang_up()
        return self.wait()

    def _read(self) -> None:
        try:
            self.status = self._wire.begin()
            self._wire.rest()
        except (OSError, HTTPException, AttributeError) as error:  # AttributeError: http.client, when closed meanwhile
            self.broken = error


def creating(chat: Chat, text: str, **options: Any) -> Reader:
    """`threads.create` in the background."""
    return Reader(chat, "threads.create", input=message(text), **options)


def sending(chat: Chat, thread_id: str, text: str, **options: Any) -> Reader:
    """`threads.add_user_message` in the background."""
    return Reader(chat, "threads.add_user_message", thread_id=thread_id, input=message(text), **options)


def resuming(chat: Chat, thread_id: str, after: str | None = None, **options: Any) -> Reader:
    """`threads.resume` in the background."""
    params = {} if after is None else {"starting_after": after}
    return Reader(chat, "threads.resume", thread_id=thread_id, **params, **options)


def complete(data: bytes) -> bytes:
    """Without a frame that was cut."""
    return data[: data.rfind(b"\n\n") + 2] if b"\n\n" in data else b""


def frames_in(data: bytes) -> list[Frame]:
    """The complete frames of a stream, without keep-alive comments."""
    return [frame for frame in frames_of(iter([complete(data)])) if frame.comment != "keep-alive"]


def named(data: bytes) -> bytes:
    """Without frames whose id has not come yet."""
    blocks = complete(data).split(b"\n\n")
    while len(blocks) > 1 and blocks[-2].startswith(b"data: "):
        del blocks[-2]
    return b"\n\n".join(blocks)


def last_id(data: bytes) -> str | None:
    """The last complete SSE id, as a browser would remember it."""
    return next((frame.id for frame in reversed(frames_in(named(data))) if frame.id), None)


def joined(seen: bytes, again: bytes) -> bytes:
    """What a client has that was cut after `seen` and resumed after `last_id(seen)`: it skips what it had read."""
    unnamed = complete(seen)[len(named(seen)) :].count(b"\n\n")
    return complete(seen) + again.split(b"\n\n", unnamed)[-1]
