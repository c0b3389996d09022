"""Reads a JSON body within its bounds."""

from __future__ import annotations

import asyncio
from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar

from chatdock.errors import InvalidRequest, PayloadTooLarge

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import Message, Receive

    from chatdock.settings import Settings

T = TypeVar("T")

_OTHERS = bytes(set(range(256)) - set(b"{}[]"))
_STEPS = bytes.maketrans(b"{[}]", b"\x01\x01\xff\xff")
"""One level down, one level up, as signed bytes."""


async def read_json(receive: Receive, settings: Settings) -> bytes:
    """The request's body, no larger and no deeper nested than the settings allow."""
    body = await read_body(receive, settings.max_body_bytes)
    check_depth(body, settings.max_json_depth)
    return body


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


async def admit(admission: Awaitable[T], receive: Receive) -> tuple[T, Receive]:
    """The outcome of `admission`, and how to receive the body, of which next to nothing is read before.

    The piece that comes with the head is taken meanwhile: a client that goes away takes with it what was not received.
    """
    arriving: list[asyncio.Future[Message]] = [asyncio.ensure_future(receive())]
    try:
        admitted = await admission
    except BaseException:
        arriving[0].cancel()
        raise

    async def receive_on() -> Message:
        return await (arriving.pop() if arriving else receive())

    return admitted, receive_on


def check_depth(body: bytes, limit: int) -> None:
    """`InvalidRequest` when JSON is nested deeper than `limit`."""
    if body.count(b"{") + body.count(b"[") <= limit:
        return
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside_strings = b"".join(body.split(b'"')[::2])
    steps = memoryview(outside_strings.translate(_STEPS, delete=_OTHERS)).cast("b")
    if max(accumulate(steps), default=0) > limit:
        raise InvalidRequest(f"The request's JSON is nested deeper than {limit} levels.", code="json_too_deep")
