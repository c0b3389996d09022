"""A client's connection: uvicorn's protocol, with an end to everything that a client may let the server wait for.

Each deadline is looked at by one timer for all connections (`Connections.look`): a timer for each would cost every
request more than its deadlines are worth.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from chatdock.api.pace import Part, Sending, Taking
from chatdock.errors import ApiError, HeadTooLarge, InvalidRequest, RequestTimeout, Unavailable
from chatdock.protocol import ids

if TYPE_CHECKING:
    import asyncio

    from uvicorn._types import HTTPScope
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from chatdock.metrics import Metrics
    from chatdock.settings import Settings

log = structlog.get_logger("chatdock.server")

MAX_HEADERS = 100
MAX_PIPELINED = 8
"""Requests that wait for the response to an earlier one on their connection; clients of today send none."""
LEFTOVER_BODIES = 16
"""How many times the largest body is read and dropped behind a response, so that its client gets to see that."""
LOOK_SECONDS = 1.0
LOG_SECONDS = 60.0


class Connections:
    """All connections of a server."""

    def __init__(self, settings: Settings, metrics: Metrics, limit: int) -> None:
        self.settings = settings
        self.limit = limit
        self.interval = min(LOOK_SECONDS, settings.request_timeout / 4, settings.slow_reader_timeout / 4)
        """How often to `look`, in seconds."""
        self._metrics = metrics
        self._open: set[Connection] = set()
        self._without_request: OrderedDict[Connection, None] = OrderedDict()
        self._logged = float("-inf")

    def protocol(self, **options: Any) -> Connection:
        """A new connection, as uvicorn asks for one."""
        return Connection(self, **options)

    def look(self, now: float) -> None:
        """Cut the clients that are too slow."""
        for connection in list(self._open):
            connection.look(now)

    def add(self, connection: Connection, now: float) -> bool:
        """Take a new connection, at the cost of the one that has been longest without a request; False if all have."""
        if len(self._open) >= self.limit:
            if now - self._logged >= LOG_SECONDS:
                self._logged = now
                log.warning("too_many_connections", limit=self.limit)
            if not self._without_request:
                self.count("refused")
                return False
            oldest = next(iter(self._without_request))
            self.count("displaced")
            oldest.transport.abort()
            self.remove(oldest)
        self._open.add(connection)
        self._without_request[connection] = None
        return True

    def remove(self, connection: Connection) -> None:
        """A connection is gone."""
        self._open.discard(connection)
        self._without_request.pop(connection, None)

    def has_request(self, connection: Connection) -> None:
        """A head is complete."""
        self._without_request.pop(connection, None)

    def has_none(self, connection: Connection) -> None:
        """A response is complete, and nothing of another request is there."""
        if connection in self._open:
            self._without_request[connection] = None

    def count(self, reason: str) -> None:
        """Count a connection that is cut."""
        self._metrics.connections_cut.labels(reason).inc()


class Connection(HttpToolsProtocol):
    """One connection."""

    def __init__(self, connections: Connections, **options: Any) -> None:
        super().__init__(**options)
        settings, now = connections.settings, self.loop.time()
        self._connections = connections
        self._settings = settings
        self._sending = Sending(settings.request_timeout, now)
        self._taking = Taking(settings.slow_reader_timeout, now)
        self._between_pieces = 0
        """Bytes that came of a body since the last piece of it: the framing of chunks, or what stands behind them."""
        self._refusal: ApiError | None = None

    def look(self, now: float) -> None:
        """Close the connection when its client is too slow."""
        if self._taking.is_late(self.transport.get_write_buffer_size(), now):
            scope: HTTPScope | None = self.scope
            log.warning("slow_reader_cut", path=scope and scope["path"][:200])
            self._cut("reader")
        elif self.transport.is_closing():
            pass  # as soon as the client has taken the rest
        elif self.flow.read_paused:
            self._sending.begin(self._sending.part, now)  # it is the server that reads no more for now
        elif self._sending.is_late(now):
            self._cut_sender()

    # What asyncio calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        super().connection_made(transport)
        if not self._connections.add(self, self.loop.time()):
            full = Unavailable("The server has too many connections.", code="too_many_connections", retry_after=5)
            self._refuse(full)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something came."""
        self._between_pieces += len(data)
        super().data_received(data)
        sending = self._sending
        sending.received += len(data)
        if sending.part is Part.HEAD:
            if sending.received > self._settings.max_head_bytes:
                self._refuse(self._head_too_large())
        elif sending.part is Part.BODY:
            if self._between_pieces > self._settings.max_head_bytes + len(data):
                self._refuse(InvalidRequest("The request's body is not framed as it should be."))
        elif sending.part is Part.LEFTOVER and sending.received > LEFTOVER_BODIES * self._settings.max_body_bytes:
            self._cut(Part.LEFTOVER.value)

    def resume_writing(self) -> None:
        """The client took most of what waited for it."""
        self._taking.took(self.loop.time())
        super().resume_writing()

    # What the parser calls

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._sending.begin(Part.HEAD, self.loop.time())
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        size = len(self.url) + sum([len(name) + len(value) + 4 for name, value in self.headers])
        if size > self._settings.max_head_bytes or len(self.headers) > MAX_HEADERS:
            self._refusal = self._head_too_large()
        elif len(self.pipeline) >= MAX_PIPELINED:
            self._refusal = InvalidRequest(f"More than {MAX_PIPELINED} requests were sent without waiting.")
        if self._refusal is not None:
            raise self._refusal  # which the parser gives to `send_400_response`
        self._sending.begin(Part.BODY, self.loop.time())
        self._between_pieces = 0
        self._connections.has_request(self)
        super().on_headers_complete()
        self.headers = []  # what stands behind a body is no header of the request

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._between_pieces = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a request."""
        answered = self.cycle.response_complete
        self._sending.begin(Part.REQUEST if answered else Part.NOTHING, self.loop.time())
        if answered:
            self._connections.has_none(self)
        super().on_message_complete()

    # What uvicorn calls

    def on_response_complete(self) -> None:
        """The end of a response."""
        if not self.pipeline:
            if self._sending.part is Part.BODY:
                self._sending.begin(Part.LEFTOVER, self.loop.time())
            elif self._sending.part is Part.NOTHING:
                self._sending.begin(Part.REQUEST, self.loop.time())
                self._connections.has_none(self)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser did not take."""
        self._refuse(self._refusal or InvalidRequest(msg, code="invalid_http"))

    def _head_too_large(self) -> ApiError:
        return HeadTooLarge(
            f"The request's address and headers are more than {self._settings.max_head_bytes} bytes or {MAX_HEADERS} "
            "headers.",
            code="head_too_large",
        )

    def _cut_sender(self) -> None:
        part = self._sending.part
        if part is Part.LEFTOVER:
            self._cut(part.value)
            return
        self._connections.count(part.value)
        if part is Part.REQUEST:
            self.transport.close()
        else:
            self._refuse(RequestTimeout("The request came too slowly.", code="request_timeout"))

    def _cut(self, reason: str) -> None:
        self._connections.count(reason)
        self._connections.remove(self)
        self.transport.abort()

    def _refuse(self, error: ApiError) -> None:
        """Answer with an error, unless an answer has begun, and close."""
        if self.transport.is_closing():
            return
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            if self._sending.part is not Part.BODY or cycle.response_started or self.pipeline:
                self.transport.abort()  # the error is not about the request that is being answered
                return
            cycle.disconnected = True  # whoever answers it speaks to nobody from now on
        body = orjson.dumps(error.envelope())
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
            "x-request-id": ids.request_id(),
            **error.headers,
        }
        head = b"".join(f"{name.lower()}: {value}\r\n".encode() for name, value in headers.items())
        self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[error.status], head, body))
        self.transport.close()
