"""A model endpoint that speaks OpenAI's chat completions: the model's name says how it behaves."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any


class Endpoint:
    """`ok` answers in two pieces; `cut` breaks off after the first; `slow` sends one and waits; digits are a status;
    `search` calls that tool first."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        """The requests' bodies."""
        self.hung_up = threading.Event()
        """Set when a client closed the connection of a slow answer."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        asked = json.loads(await _body(receive))
        self.asked.append(asked)
        model = asked["model"]
        if model.isdigit():
            await send({"type": "http.response.start", "status": int(model), "headers": JSON})
            await send({"type": "http.response.body", "body": b'{"error": {"message": "no"}}'})
            return
        await send({"type": "http.response.start", "status": 200, "headers": EVENTS})
        if model == "search" and asked["messages"][-1]["role"] == "user":
            await self._send(send, tool_calls=[_call(id="call_1", name="search", arguments="")])
            await self._send(send, tool_calls=[_call(arguments='{"query": ')])
            await self._send(send, "tool_calls", tool_calls=[_call(arguments='"tides"}')])
            await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
            return
        await self._send(send, content="High ")
        if model == "cut":
            raise ConnectionAbortedError
        if model == "slow":
            while (await receive())["type"] != "http.disconnect":
                pass
            self.hung_up.set()
            return
        await self._send(send, "stop", content="water.")
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async def _send(self, send: Any, finish: str | None = None, **delta: Any) -> None:
        choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        await send({"type": "http.response.body", "body": b"data: %b\n\n" % _json(chunk), "more_body": True})
        await asyncio.sleep(0)


CLOSE = (b"connection", b"close")  # the libraries keep their connections for longer than a test lasts
JSON = [CLOSE, (b"content-type", b"application/json")]
EVENTS = [CLOSE, (b"content-type", b"text/event-stream")]


def _call(**function: Any) -> Any:
    return {"index": 0, "id": function.pop("id", None), "type": "function", "function": function}


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


async def _body(receive: Any) -> bytes:
    body = bytearray()
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            return bytes(body)
