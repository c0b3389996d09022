"""What every request passes: an id, the time it took, one shape for every error.

Plain ASGI around the application, so that a streamed response costs nothing here but its headers.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog
from starlette.middleware.cors import CORSMiddleware

from chatdock.api.address import address
from chatdock.api.operator import BESIDE, OperatorPaths
from chatdock.api.origins import RefusedOrigins
from chatdock.api.send import send_json
from chatdock.chat.limits import Allowance
from chatdock.chat.responses import Responses
from chatdock.errors import ApiError
from chatdock.protocol import ids
from chatdock.redaction import Content

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from chatdock.api.hosts import Hosts
    from chatdock.metrics import Metrics
    from chatdock.settings import Settings
    from chatdock.world import World

log = structlog.get_logger("chatdock.api")

PIECE_BYTES = 65_536
"""What is handed to a connection at once; the next piece goes when most of it has been taken."""
ALWAYS_ANSWERED = BESIDE | {"/metrics"}
"""Paths that are answered however many responses are under way."""
_SECURITY_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]


class Failures:
    """Turns what goes wrong into the envelope, as long as nothing was sent.

    Around everything, and once more inside FastAPI, whose own last resort answers in plain text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except ApiError as error:
            if "chatdock.started" in scope:
                raise
            await send_json(send, error.status, error.envelope(), error.headers)
        except Exception:
            request_id = scope["chatdock.request_id"]
            route = getattr(scope.get("route"), "path", None) or Content(scope["path"])
            log.exception("request_failed", request_id=request_id, path=route)
            if "chatdock.started" in scope:
                raise
            hidden = ApiError(f"The server had an error while processing your request ({request_id}).")
            await send_json(send, hidden.status, hidden.envelope(), {})


class Edge:
    """The outermost layer.

    `hosts` are the names under which requests are answered, where that is limited. `doors` are paths that plain ASGI
    applications answer and that pages of the allowed origins may call; everything else, and the lifespan, is FastAPI's.
    """

    def __init__(
        self, app: FastAPI, settings: Settings, metrics: Metrics, *, public: bool, hosts: Hosts | None = None
    ) -> None:
        self._hosts = hosts
        self.doors: dict[str, ASGIApp] = {}
        self.refused: Exception | None = None
        """Why there was no start, where that is for the operator to read rather than a fault of ours."""
        self._app = app
        self._settings = settings
        self.metrics = metrics
        self.responses = Responses(settings, metrics)
        self._plain = Failures(self._answer)
        self._cors = _cors(self._plain, settings)
        self._operator = OperatorPaths(settings, public=public)
        self._refused_origins = RefusedOrigins(settings.allowed_origins)

    @property
    def world(self) -> World:
        """What the application holds once it has started."""
        world: World = self._app.state.world
        return world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, self._briefly(send))
            return
        began = time.perf_counter()
        request_id = scope["chatdock.request_id"] = ids.request_id()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["chatdock.started"] = True
                took = int((time.perf_counter() - began) * 1000)
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"openai-processing-ms", str(took).encode()),
                    *_SECURITY_HEADERS,
                ]
                self.metrics.requests.labels(message["status"]).inc()
            elif len(body := message.get("body", b"")) > PIECE_BYTES:
                for start in range(0, len(body), PIECE_BYTES):
                    piece = body[start : start + PIECE_BYTES]
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                # Nothing, but sent when the last piece was taken: until then the response counts as under way.
                message = {**message, "body": b""}
            await send(message)

        app: ASGIApp = self._plain
        if scope["path"] in self.doors and not self._operator.is_own_port(scope):
            self._refused_origins.look(scope)
            app = self._cors
        await app(scope, receive, send_with_headers)

    def _briefly(self, send: Send) -> Send:
        """Leave out the traceback of a start that was refused."""

        async def send_briefly(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed" and self.refused is not None:
                message = {"type": message["type"], "message": ""}
            await send(message)

        return send_briefly

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        self._operator.check(scope)
        app = self.doors.get(scope["path"]) or self._app
        if self._hosts is not None and scope["path"] not in BESIDE and not self._operator.is_own_port(scope):
            self._hosts.check(scope)
        if scope["path"] in ALWAYS_ANSWERED:
            await app(scope, receive, send)
            return
        with self.responses.of_process():
            if limit := self._settings.address_requests_per_minute:
                self.world.limiter.count(Allowance(("address", address(scope)), limit, "this address"))
            await app(scope, receive, send)


def _cors(app: ASGIApp, settings: Settings) -> CORSMiddleware:
    """Let pages of exactly these origins call; no credentials beside the bearer token."""
    return CORSMiddleware(
        app,
        allow_origins=settings.allowed_origins,
        allow_methods=["POST"],
        allow_headers=[
            "authorization",
            "content-type",
            "accept-language",
            "last-event-id",
            "idempotency-key",
            *settings.turn_headers,
        ],
        expose_headers=[
            "x-request-id",
            "retry-after",
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-reset-requests",
        ],
        max_age=600,
    )
