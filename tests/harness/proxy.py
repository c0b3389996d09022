"""A TCP proxy on loopback that breaks connections where a test says so."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK = 4096
STREAM = b"content-type: text/event-stream"


class Proxy:
    """Passes bytes to `port` and back. What is set holds from then on, also for connections that are open."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.cuts = 0
        """Connections that were cut in a response so far."""
        self._cuts_ahead: list[int] = []
        self._lost_answers = 0
        self._refusing = False
        self._passing = threading.Event()
        self._passing.set()
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def cut_streams(self, *after: int) -> None:
        """Reset the next event streams after so many bytes of their bodies, one after another."""
        with self._lock:
            self._cuts_ahead = list(after)

    def lose_answers(self, count: int) -> None:
        """Pass the next requests for an event stream on, but reset their connections before a byte comes back."""
        with self._lock:
            self._lost_answers = count

    def refuse(self, refusing: bool = True) -> None:
        """Reset new connections, and all that are open; or take them again."""
        self._refusing = refusing
        if refusing:
            self.drop()

    def pause(self) -> None:
        """Hold back every byte that comes from the server."""
        self._passing.clear()

    def resume(self) -> None:
        """Let them through again."""
        self._passing.set()

    def drop(self) -> None:
        """Reset every open connection."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            _reset(connection)

    def run(self) -> None:
        """Take connections until `close`."""
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                _reset(client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                _reset(client)
                continue
            with self._lock:
                self._connections |= {client, server}
            for work in (self._send_up, self._send_down):
                thread = threading.Thread(target=work, args=(client, server), name="test-proxy", daemon=True)
                thread.start()
                self._threads.append(thread)

    def close(self) -> None:
        """Reset everything and wait for the threads."""
        self._closed = True
        self._passing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        for thread in self._threads:
            thread.join(5)

    def _send_up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while sent := client.recv(CHUNK):
                server.sendall(sent)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _send_down(self, client: socket.socket, server: socket.socket) -> None:
        passed: int | None = None
        """Bytes of the event stream's body that went through; None while no stream is passing."""
        with suppress(OSError):
            while received := server.recv(CHUNK):
                self._passing.wait()
                if received.startswith(b"HTTP/1.1 "):
                    passed = None
                    head, _, body = received.partition(b"\r\n\r\n")
                    if STREAM in head.lower():
                        if self._loses_answer():
                            break
                        client.sendall(head + b"\r\n\r\n")
                        passed, received = 0, body
                if passed is not None:
                    if (left := self._left(passed, len(received))) is not None:
                        client.sendall(received[:left])
                        break
                    passed += len(received)
                client.sendall(received)
            else:
                client.shutdown(socket.SHUT_WR)
                return
        self._end(client, server)

    def _left(self, passed: int, received: int) -> int | None:
        """Bytes until the cut when it lies within those just received; then it counts as made."""
        with self._lock:
            if not self._cuts_ahead or passed + received < self._cuts_ahead[0]:
                return None
            self.cuts += 1
            return max(0, self._cuts_ahead.pop(0) - passed)

    def _loses_answer(self) -> bool:
        with self._lock:
            if self._lost_answers == 0:
                return False
            self._lost_answers -= 1
            self.cuts += 1
            return True

    def _end(self, *connections: socket.socket) -> None:
        with self._lock:
            self._connections -= set(connections)
        for connection in connections:
            _reset(connection)


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """A proxy in front of the server at `url`."""
    proxy = Proxy(int(url.rpartition(":")[2]))
    thread = threading.Thread(target=proxy.run, name="test-proxy-accept", daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(5)


def _reset(connection: socket.socket) -> None:
    """Close at once and tell the other end that it was no orderly end."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        connection.close()
