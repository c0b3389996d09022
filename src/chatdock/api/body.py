"""Reads a JSON body within its bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatdock.errors import InvalidRequest, PayloadTooLarge

if TYPE_CHECKING:
    from starlette.types import Receive

    from chatdock.settings import Settings


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
