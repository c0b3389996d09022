"""Sends a stream of frames and knows nothing of what is in them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Send

    from chatdock.chat.turns import Stream

log = structlog.get_logger("chatdock.api")

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


async def send_stream(
    stream: Stream,
    receive: Receive,
    send: Send,
    *,
    headers: list[tuple[bytes, bytes]],
    on_disconnect: Callable[[], Awaitable[None]],
) -> None:
    """Send batch by batch until the run ends or the reader is gone.

    A reader that takes nothing for too long is cut with `SlowReader`; it can resume, and the run never waits for it.
    """
    follower = stream.follower
    gone = asyncio.ensure_future(_disconnected(receive))
    gone.add_done_callback(lambda _: follower.close())
    try:
        await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, *headers]})
        batch: bytes | None = stream.opening or await follower.read()
        while batch is not None and not gone.done():
            await send({"type": "http.response.body", "body": batch, "more_body": True})
            batch = await follower.read()
        if not gone.done():
            await send({"type": "http.response.body", "body": b""})
            return
    except asyncio.CancelledError:
        if not follower.too_slow:
            raise
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        log.warning("slow_reader_cut", run=follower.run_id)
        raise SlowReader from None
    finally:
        follower.close()
        gone.cancel()
    await on_disconnect()


class SlowReader(Exception):
    """The reader was cut; the server closes the connection."""


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
