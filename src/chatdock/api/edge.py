"""What every request passes: an id, the time it took, a bound on its body, one shape for every error.

Plain ASGI around the application, so that a streamed response costs nothing here but its headers.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import orjson
import structlog

from chatdock.errors import ApiError, InvalidRequest, PayloadTooLarge

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from chatdock.app import World
    from chatdock.metrics import Metrics
    from chatdock.settings import Settings

log = structlog.get_logger("chatdock.api")

_SECURITY_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]


class Edge:
    """The outermost layer.

    `doors` are paths that plain ASGI applications answer; everything else, and the lifespan, is FastAPI's.
    """

    def __init__(self, app: FastAPI, settings: Settings, metrics: Metrics) -> None:
        self.doors: dict[str, ASGIApp] = {}
        self._app = app
        self._settings = settings
        self._metrics = metrics

    @property
    def world(self) -> World:
        """What the application holds once it has started."""
        world: World = self._app.state.world
        return world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = f"req_{os.urandom(16).hex()}"
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                took = int((time.perf_counter() - began) * 1000)
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"openai-processing-ms", str(took).encode()),
                    *_SECURITY_HEADERS,
                ]
                self._metrics.requests.labels(message["status"]).inc()
            await send(message)

        try:
            if scope["method"] == "POST":
                receive = await self._checked_body(scope, receive)
            await self.doors.get(scope["path"], self._app)(scope, receive, send_with_headers)
        except ApiError as error:
            if started:
                raise
            await send_json(send_with_headers, error.status, error.envelope(), error.headers)
        except Exception:
            log.exception("request_failed", request_id=request_id, path=scope["path"])
            if started:
                raise
            hidden = ApiError(f"The server had an error while processing your request ({request_id}).")
            await send_json(send_with_headers, hidden.status, hidden.envelope(), {})

    async def _checked_body(self, scope: Scope, receive: Receive) -> Receive:
        """Read a JSON body within its bounds and hand it on in one piece. Uploads are read by their own route."""
        headers = dict(scope["headers"])
        if headers.get(b"content-type", b"").startswith(b"multipart/"):
            return receive
        body = await read_body(receive, self._settings.max_body_bytes)
        check_depth(body, self._settings.max_json_depth)
        handed = False

        async def receive_again() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": body, "more_body": False}

        return receive_again


async def read_body(receive: Receive, limit: int) -> bytes:
    """The request's body; `PayloadTooLarge` as soon as it is over `limit` bytes."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidRequest("The request broke off.")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise PayloadTooLarge(f"The request body is larger than {limit} bytes.", code="request_too_large")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def check_depth(body: bytes, limit: int) -> None:
    """`InvalidRequest` when JSON is nested deeper than `limit`."""
    if body.count(b"{") + body.count(b"[") <= limit:
        return
    depth, in_string, escaped = 0, False, False
    for byte in body:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"{[":
            depth += 1
            if depth > limit:
                raise InvalidRequest(f"The request's JSON is nested deeper than {limit} levels.", code="json_too_deep")
        elif byte in b"}]":
            depth -= 1


async def send_json(send: Send, status: int, body: object, headers: dict[str, str]) -> None:
    """A JSON response."""
    await send_body(send, status, orjson.dumps(body), b"application/json", headers)


async def send_body(send: Send, status: int, body: bytes, kind: bytes, headers: dict[str, str] | None = None) -> None:
    """A response in one piece."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", kind),
                (b"content-length", str(len(body)).encode()),
                *((name.lower().encode(), value.encode()) for name, value in (headers or {}).items()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
