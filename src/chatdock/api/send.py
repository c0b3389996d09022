"""Sends a response that is there as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from starlette.types import Send


async def send_json(send: Send, status: int, body: object, headers: dict[str, str]) -> None:
    """A JSON response."""
    await send_body(send, status, orjson.dumps(body), b"application/json", headers)


async def send_body(send: Send, status: int, body: bytes, kind: bytes, headers: dict[str, str] | None = None) -> None:
    """A response that is there as a whole."""
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
