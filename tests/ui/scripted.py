"""A peer that says whatever a test writes down: for events that no proper server sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from tests.harness.asgi import running
from tests.harness.pages import Pages

Json = dict[str, Any]
THREAD = {"id": "thr_1", "created_at": "2026-01-01T00:00:00", "items": {"data": []}}


class Scripted:
    """Answers every streaming operation with `frames`; `{"sleep": seconds}` waits."""

    def __init__(self) -> None:
        self.frames: list[Json | bytes] = []
        self.stored: list[Json] = []
        """What `items.list` gives, newest first."""
        self.operations: list[str] = []
        self.url = ""

    def say(self, *frames: Json | bytes) -> None:
        """The next answers: a thread and the user's message first."""
        self.operations.clear()
        self.frames = [
            {"type": "thread.created", "thread": THREAD},
            done({"id": "msg_user", "type": "user_message", "content": [{"type": "input_text", "text": "hello"}]}),
            *frames,
        ]

    async def chatkit(self, request: Request) -> Response:
        """The one endpoint."""
        operation = (await request.json())["type"]
        self.operations.append(operation)
        if operation == "threads.list":
            return JSONResponse({"data": [THREAD], "has_more": False})
        if operation == "items.list":
            return JSONResponse({"data": self.stored, "has_more": False})
        if operation in {"threads.get_by_id", "threads.update"}:
            return JSONResponse({**THREAD, "items": {"data": self.stored[::-1], "has_more": False}})
        if operation in {"items.feedback", "threads.delete"}:
            return JSONResponse({})
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[bytes]:
        for frame in list(self.frames):
            if isinstance(frame, bytes):
                yield frame
            elif "sleep" in frame:
                await asyncio.sleep(frame["sleep"])
            else:
                yield f"data: {json.dumps(frame)}\n\n".encode()


def done(item: Json) -> Json:
    """The event that an item is done."""
    return {"type": "thread.item.done", "item": {"thread_id": "thr_1", "created_at": "2026-01-01T00:00:00", **item}}


def said(text: str, item_id: str = "msg_answer") -> Json:
    """A finished message of the assistant."""
    return done({"id": item_id, "type": "assistant_message", "content": [{"type": "output_text", "text": text}]})


@contextmanager
def scripted(pages: Pages) -> Iterator[Scripted]:
    """A server that answers at `url`, beside the pages."""
    server = Scripted()
    pages.route("/chatkit", server.chatkit, "POST")
    with running(pages) as url:
        server.url = url
        yield server
