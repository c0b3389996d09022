"""A light HTTP client: keep-alive sockets on asyncio, httptools for HTTP, and the check that a turn is whole.

Nothing is parsed while bytes arrive, so that one process keeps up with any server it measures; its own share of a
core is part of every result (`Load.client_cpu`).
"""

import asyncio
import re
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast
from urllib.parse import urlsplit

import httptools
import orjson


class ReplyError(Exception):
    """The server answered, and the answer is not the one that the benchmark counts."""


@dataclass
class Reply:
    status: int = 0
    pieces: list[bytes] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    """When each piece of the body came in, nanoseconds of the monotonic clock."""

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def json(self) -> Any:
        """The body of a successful reply; `ReplyError` with status and body otherwise."""
        if self.status != 200:
            raise ReplyError(f"status {self.status}: {self.body[:300]!r}")
        return orjson.loads(self.body)


class Connection(asyncio.Protocol):
    """One keep-alive connection: a request, then its whole reply, then the next."""

    def __init__(self) -> None:
        self.reply = Reply()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._done: asyncio.Future[Reply] | None = None
        self._marker = b""
        self._seen: asyncio.Future[None] | None = None
        self._now = 0

    @classmethod
    async def open(cls, url: str) -> "Connection":
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    def start(self, request: bytes, marker: bytes = b"") -> "asyncio.Future[Reply]":
        """Sends the request; the future is its reply. `seen()` waits for the first body that contains `marker`."""
        if self._transport is None or self._transport.is_closing():
            raise ReplyError("the server closed the connection")
        loop = asyncio.get_running_loop()
        self.reply, self._parser = Reply(), httptools.HttpResponseParser(self)
        self._done, self._marker = loop.create_future(), marker
        self._seen = loop.create_future() if marker else None
        self._transport.write(request)
        return self._done

    async def seen(self) -> None:
        assert self._seen is not None
        assert self._done is not None
        await asyncio.wait((self._seen, self._done), return_when=asyncio.FIRST_COMPLETED)
        if not self._seen.done():
            reply = await self._done
            raise ReplyError(f"the reply ended without {self._marker!r}: {reply.status} {reply.body[:300]!r}")

    @property
    def closed(self) -> bool:
        """Whether the server has ended the reply or the connection."""
        return self._transport is None or self._transport.is_closing() or self._done is None or self._done.done()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting from it

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(ReplyError(f"connection lost in the middle of a reply: {exc}"))
            self._done.exception()  # whoever still waits gets it; nobody is told when nobody does

    def data_received(self, data: bytes) -> None:
        self._now = time.monotonic_ns()
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.reply.pieces.append(body)
        self.reply.times.append(self._now)
        if self._marker and self._marker in self.reply.body:
            self._marker = b""
            if self._seen is not None and not self._seen.done():
                self._seen.set_result(None)

    def on_message_complete(self) -> None:
        self.reply.status = self._parser.get_status_code()
        if self._done is not None and not self._done.done():
            self._done.set_result(self.reply)


@dataclass(frozen=True)
class Target:
    """A server to load: the reference, a Chatdock, or anything that answers one of them's requests."""

    url: str
    path: str = "/v1/chatkit/conversation"
    api_key: str = ""
    """Empty: requests go without authorization, as to the reference."""
    workflow: str = ""
    pid: int = 0
    """The server's process on this machine, when its memory and processor time are to be read; 0: neither is."""

    def request(self, method: str, path: str, body: object = None, token: str = "") -> bytes:
        data = b"" if body is None else orjson.dumps(body)
        lines = [f"{method} {path} HTTP/1.1", f"host: {urlsplit(self.url).netloc}", "accept: */*"]
        if token:
            lines.append(f"authorization: Bearer {token}")
        if body is not None:
            lines += ["content-type: application/json", f"content-length: {len(data)}"]
        return "\r\n".join([*lines, "", ""]).encode() + data

    def session_request(self, user: str) -> bytes:
        body = {
            "user": user,
            "workflow": {"id": self.workflow},
            "rate_limits": {"max_requests_per_1_minute": 1_000_000},
        }
        return self.request("POST", "/v1/chatkit/sessions", body, self.api_key)

    async def session(self, connection: Connection, user: str) -> str:
        """The client secret of a new session; empty where the server wants none."""
        if not self.api_key:
            return ""
        reply = await connection.start(self.session_request(user))
        return str(reply.json()["client_secret"])

    def turn_request(self, token: str, text: str, thread: str = "") -> bytes:
        """A message that begins a thread, or one in the thread with this id."""
        content = [{"type": "input_text", "text": text}]
        params: dict[str, object] = {"input": {"content": content, "attachments": [], "inference_options": {}}}
        operation = "threads.create"
        if thread:
            operation = "threads.add_user_message"
            params["thread_id"] = thread
        return self.request("POST", self.path, {"type": operation, "params": params}, token)


FRAME = re.compile(rb"(?:^|\n)data: ([^\n]*)\n(?=\n)")
ID = re.compile(rb"\nid: [^\n]*:(\d+)\n(?=\n)")


def events(body: bytes) -> list[Any]:
    """The server-sent events of a body."""
    # One document for the parser: two hundred calls for a turn cost the client twice as much.
    found: list[Any] = orjson.loads(b"[%b]" % b",".join(FRAME.findall(body)))
    return found


@dataclass
class TurnShape:
    """What a turn looked like on the wire."""

    frames: int
    deltas: int
    pieces: int
    """Chunks of the body: how often the server called send."""
    size: int


def whole_turn(reply: Reply, text: str, first: bool = True) -> TurnShape:
    """The shape of a reply that is a turn, a thread's `first`, with the answer `text`.

    `ReplyError` says what is missing otherwise.

    Deltas may be merged, their text may not be lost, doubled or out of order; ids, where there are any, rise to the
    number of frames.
    """
    if reply.status != 200:
        raise ReplyError(f"status {reply.status}: {reply.body[:300]!r}")
    body = reply.body
    count = deltas = 0
    streamed, kinds, stored = [], [], None
    for event in events(body):
        count += 1
        match event["type"]:
            case "thread.item.updated":
                update = event["update"]
                if update["type"] == "assistant_message.content_part.text_delta":
                    deltas += 1
                    streamed.append(update["delta"])
            case "thread.item.done":
                kinds.append(event["item"]["type"])
                if kinds[-1] == "assistant_message":
                    stored = event["item"]["content"][0]["text"]
            case "thread.created":
                kinds.append("thread")
            case "error":
                raise ReplyError(f"error frame: {event}")
    numbers = [int(number) for number in ID.findall(body)]
    if numbers and (numbers[-1] != count or any(later <= number for number, later in pairwise(numbers))):
        raise ReplyError(f"{count} frames were numbered {numbers}")
    if kinds != ["thread"] * first + ["user_message", "assistant_message"]:
        raise ReplyError(f"the turn's items were {kinds}: {body[-300:]!r}")
    if (got := "".join(streamed)) != text:
        raise ReplyError(f"{len(got)} characters of streamed text where {len(text)} were expected")
    if stored != text:
        raise ReplyError("the item at the end has another text than its deltas")
    return TurnShape(frames=count, deltas=deltas, pieces=len(reply.pieces), size=len(body))
