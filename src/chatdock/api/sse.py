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

CHUNK_BYTES = 262_144
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
    slow_reader_timeout: float,
    on_disconnect: Callable[[], Awaitable[None]],
) -> None:
    """Send batch by batch until the run ends or the reader is gone.

    A reader that takes nothing for `slow_reader_timeout` seconds is cut; it can resume, and the run never waits for it.
    """
    await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, *headers]})
    gone = asyncio.ensure_future(_disconnected(receive))
    gone.add_done_callback(lambda _: stream.follower.close())
    try:
        async for batch in stream.batches():
            if gone.done():
                break
            for start in range(0, len(batch), CHUNK_BYTES):
                async with asyncio.timeout(slow_reader_timeout):
                    chunk = batch if len(batch) <= CHUNK_BYTES else batch[start : start + CHUNK_BYTES]
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if not gone.done():
            await send({"type": "http.response.body", "body": b""})
            return
        await on_disconnect()
    except TimeoutError:
        log.warning("slow_reader_cut", run=stream.follower.run_id)
        raise SlowReader from None
    finally:
        gone.cancel()


class SlowReader(Exception):
    """The reader was cut; the server closes the connection."""


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
