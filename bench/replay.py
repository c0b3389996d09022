"""The ceiling of the client: a server that answers each request with the bytes of one recorded turn.

`python -m bench.replay PORT`. `/frames` sends every frame as a chunk and a write of its own, the way the reference
does; any other path sends the turn in one piece.
"""

import asyncio
import sys
from typing import cast

import orjson

from bench.respond import respond


async def turn() -> list[bytes]:
    """The frames of a turn of `respond()`, with the two that come before it."""
    thread = {"id": "cthr_0", "created_at": "2026-01-01T00:00:00Z", "status": {"type": "active"}}
    user = {"id": "cti_0", "thread_id": "cthr_0", "type": "user_message", "content": [], "inference_options": {}}
    first = [{"type": "thread.created", "thread": thread}, {"type": "thread.item.done", "item": user}]
    events = [orjson.dumps(event) for event in first]
    events += [event.model_dump_json(exclude_none=True).encode() async for event in respond("cthr_0")]
    return [b"data: " + event + b"\n\n" for event in events]


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Replay(asyncio.Protocol):
    def __init__(self, frames: list[bytes]) -> None:
        self.frames = [chunk(frame) for frame in frames]
        self.whole = chunk(b"".join(frames))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting from it

    def data_received(self, data: bytes) -> None:
        self.transport.write(HEAD)
        if data.startswith(b"POST /frames"):
            for frame in self.frames:
                self.transport.write(frame)
        else:
            self.transport.write(self.whole)
        self.transport.write(b"0\r\n\r\n")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def main(port: int) -> None:
    frames = await turn()
    server = await asyncio.get_running_loop().create_server(lambda: Replay(frames), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1])))
