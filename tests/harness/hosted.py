"""Hosted ChatKit as far as an import asks it: threads and items that are made up on the fly, with scripted faults.

python -m tests.harness.hosted PORT THREADS ITEMS [--faults]
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs

import orjson
import uvicorn

from tests.harness.asgi import running

Json = dict[str, Any]
Fault = Literal["429", "500", "cut", "drop", "empty", "trickle"]
KEY = "sk-hosted-test"
FIRST = 1_760_000_000
"""When the first thread was made, in Unix seconds."""


def thread_of(number: int) -> Json:
    """A thread; every fifth has no title, every seventh is locked."""
    locked = {"type": "locked", "reason": "Paid off"}
    return {
        "id": f"cthr_{number:08x}{'a' * 40}",
        "object": "chatkit.thread",
        "created_at": FIRST + number,
        "title": None if number % 5 == 4 else f"Thread {number}",
        "status": locked if number % 7 == 6 else {"type": "active"},
        "user": f"user_{number % 100}",
    }


def made(count: int) -> dict[str, Json]:
    """So many threads by id, oldest first."""
    return {thread["id"]: thread for thread in map(thread_of, range(count))}


def item_of(thread_id: str, number: int) -> Json:
    """An item; its kind goes round by its number."""
    common = {
        "id": f"cti_{number:08x}{thread_id[5:]}",
        "object": "chatkit.thread_item",
        "created_at": FIRST + number,
        "thread_id": thread_id,
    }
    return {**common, **_KINDS[number % len(_KINDS)](number)}


def _user(number: int) -> Json:
    return {
        "type": "chatkit.user_message",
        "content": [{"type": "quoted_text", "text": "As I said"}, {"type": "input_text", "text": f"Question {number}"}],
        "attachments": [
            {
                "type": "image",
                "id": f"cfile_{number}",
                "name": "photo.png",
                "mime_type": "image/png",
                "preview_url": "https://files.example.com/photo.png?signature=1",
            }
        ]
        if number == 0
        else [],
        "inference_options": {"tool_choice": None, "model": "large"} if number % 2 else None,
    }


def _assistant(number: int) -> Json:
    return {
        "type": "chatkit.assistant_message",
        "content": [
            {
                "type": "output_text",
                "text": f"Answer {number}: " + "word " * 20,
                "annotations": [
                    {"type": "file", "source": {"type": "file", "filename": "report.pdf"}},
                    {"type": "url", "source": {"type": "url", "url": "https://example.com/page"}},
                ],
            }
        ],
    }


def _call(number: int) -> Json:
    return {
        "type": "chatkit.client_tool_call",
        "status": "completed",
        "call_id": f"call_{number}",
        "name": "locate",
        "arguments": '{"near":"Zürich"}',
        "output": '{"found":true}',
    }


def _widget(_number: int) -> Json:
    card = {"type": "Card", "children": [{"type": "Text", "value": "A title"}]}
    return {"type": "chatkit.widget", "widget": orjson.dumps(card).decode()}


def _task(_number: int) -> Json:
    return {"type": "chatkit.task", "task_type": "custom", "heading": "Looked", "summary": "Nothing"}


def _group(_number: int) -> Json:
    return {"type": "chatkit.task_group", "tasks": [{"type": "thought", "heading": None, "summary": "Hm"}]}


_KINDS: tuple[Callable[[int], Json], ...] = (_user, _assistant, _call, _widget, _task, _group, _assistant)


@dataclass
class FakeHosted:
    """The ASGI application. `faults` are given one after the other, at every `every`th request."""

    threads: dict[str, Json] = field(default_factory=dict)
    """By id, oldest first."""
    count: int = 0
    """Items of a thread that is not in `items`."""
    items: dict[str, list[Json]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    every: int = 10
    failing: set[str] = field(default_factory=set)
    """Threads whose items cannot be read."""
    down: bool = False
    """Nothing is answered but 500."""
    limit: int | None = None
    """Requests that are allowed for the time of a `reset`; each answer tells how many are left."""
    reset: float = 0.1
    requests: Counter[str] = field(default_factory=Counter)
    """By path."""
    refused: int = 0
    url: str = ""
    first_pages: Counter[str] = field(default_factory=Counter)
    """Of a thread's items, by path."""
    on_request: Callable[[int], None] = lambda number: None
    instead: Callable[[str, dict[str, str]], tuple[int, Any] | None] = lambda path, query: None
    """Another answer for a path and its query: status and JSON, or bytes."""
    files: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """What is behind signed links, by path: status and bytes."""
    fetched: list[str] = field(default_factory=list)
    escape: tuple[str, str] = ("", "")
    """Text of the answers' JSON, and what stands there instead."""
    _left: int = 0
    _reset_at: float = 0.0

    def items_of(self, thread_id: str) -> list[Json]:
        """All items of a thread, oldest first."""
        if thread_id not in self.items:
            return [item_of(thread_id, number) for number in range(self.count)]
        return self.items[thread_id]

    def total(self) -> int:
        """How many requests came."""
        return self.requests.total()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        if scope["path"].startswith("/files/"):
            assert b"authorization" not in headers
            self.fetched.append(scope["path"])
            await self._send(send, *self.files[scope["path"]])
            return
        assert headers[b"openai-beta"] == b"chatkit_beta=v1"
        path = scope["path"].removeprefix("/v1/chatkit/")
        number = self.total()
        self.requests[path] += 1
        self.on_request(number)
        extra: list[tuple[bytes, bytes]] = []
        if headers[b"authorization"] != f"Bearer {KEY}".encode():
            await self._send(send, 401, _error("Incorrect API key provided."))
            return
        if self.limit is not None:
            now = asyncio.get_running_loop().time()
            if now >= self._reset_at:
                self._left, self._reset_at = self.limit, now + self.reset
            wait = f"{1000 * (self._reset_at - now):.0f}ms".encode()
            if self._left == 0:
                self.refused += 1
                await self._send(send, 429, _error("Slow down."), [(b"x-ratelimit-reset-requests", wait)])
                return
            self._left -= 1
            extra = [
                (b"x-ratelimit-remaining-requests", b"%d" % self._left),
                (b"x-ratelimit-reset-requests", wait),
            ]
        fault = self.faults[number // self.every % len(self.faults)] if self.faults and number % self.every == 3 else ""
        if fault == "429":
            self.refused += 1
            await self._send(send, 429, _error("Slow down."), [(b"retry-after-ms", b"30")])
        elif self.down or fault == "500" or (path.split("/")[1:2] and path.split("/")[1] in self.failing):
            await self._send(send, 500, _error("Something broke."), [(b"retry-after-ms", b"1")])
        elif fault == "drop":
            return  # uvicorn answers 500 in our place and hangs up
        elif fault == "empty":
            await self._send(send, 200, b"")
        else:
            query = {k: v[0] for k, v in parse_qs(scope["query_string"].decode()).items()}
            self.first_pages[path] += path.endswith("/items") and "after" not in query
            status, body = self._answer(path, query)
            if other := self.instead(path, query):
                status, body = other[0], other[1] if isinstance(other[1], bytes) else orjson.dumps(other[1])
            if self.escape[0]:
                body = body.replace(self.escape[0].encode(), self.escape[1].encode())
            if fault == "cut":
                await send({"type": "http.response.start", "status": 200, "headers": [_length(body)]})
                await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
                return  # uvicorn hangs up
            if fault == "trickle":
                await send({"type": "http.response.start", "status": 200, "headers": [_length(body)]})
                for byte in body[:100]:
                    await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
                    await asyncio.sleep(0.01)
                return
            await self._send(send, status, body, extra)

    def _answer(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        match path.split("/"):
            case ["threads"]:
                wanted = [thread for thread in self.threads.values() if query.get("user") in {None, thread["user"]}]
                return _page(wanted, query)
            case ["threads", thread_id]:
                found = self.threads.get(thread_id)
                return (200, orjson.dumps(found)) if found else (404, _error("Thread not found."))
            case ["threads", thread_id, "items"]:
                if thread_id not in self.threads:
                    return 404, _error("Thread not found.")
                return _page(self.items_of(thread_id), query)
        return 404, _error("Invalid URL.")

    async def _send(self, send: Any, status: int, body: bytes, extra: Any = ()) -> None:
        headers = [(b"content-type", b"application/json"), _length(body), *extra]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % len(body)


def _error(message: str) -> bytes:
    return orjson.dumps({"error": {"message": message, "type": "x", "param": None, "code": None}})


def _page(everything: list[Json], query: dict[str, str]) -> tuple[int, bytes]:
    assert query["order"] == "asc"
    limit = int(query["limit"])
    assert limit <= 100
    start = 0
    if after := query.get("after"):
        places = (number for number, entry in enumerate(everything) if entry["id"] == after)
        if (place := next(places, None)) is None:
            return 400, _error("No such cursor.")
        start = place + 1
    data = everything[start : start + limit]
    ids = [entry["id"] for entry in data]
    page = {
        "object": "list",
        "data": data,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
        "has_more": len(everything) > start + limit,
    }
    return 200, orjson.dumps(page)


@contextmanager
def hosted(threads: int, items: int, **options: Any) -> Iterator[FakeHosted]:
    """The server in a thread of this process."""
    app = FakeHosted(made(threads), items, **options)
    with running(app) as url:
        app.url = f"{url}/v1"
        yield app


def main() -> None:
    """Serve until killed."""
    port, threads, items = map(int, sys.argv[1:4])
    faults: tuple[Fault, ...] = ("429", "cut", "500") if "--faults" in sys.argv else ()
    app = FakeHosted(made(threads), items, faults=faults, every=200)
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, log_level="critical", lifespan="off")


if __name__ == "__main__":
    main()
