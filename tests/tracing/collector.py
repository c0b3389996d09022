"""A collector of traces that speaks OTLP over HTTP, and a check that needs one."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.harness.asgi import running


class Collector:
    """Keeps every span that it is sent."""

    def __init__(self) -> None:
        self.url = ""
        self.requests = 0
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.status = 200

    async def receive(self, request: Request) -> Response:
        """`POST /v1/traces`"""
        self.requests += 1
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {a.value.string_value for a in group.resource.attributes if a.key == "service.name"}
            self.spans += [span for scope in group.scope_spans for span in scope.spans]
        return Response(status_code=self.status, media_type="application/x-protobuf", headers={"connection": "close"})


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens at `url`."""
    collector = Collector()
    with running(Starlette(routes=[Route("/v1/traces", collector.receive, methods=["POST"])])) as url:
        collector.url = url
        yield collector


def said(span: Span) -> dict[str, object]:
    """A span's attributes."""

    def plain(value: AnyValue) -> object:
        return getattr(value, value.WhichOneof("value") or "string_value")

    return {attribute.key: plain(attribute.value) for attribute in span.attributes}
