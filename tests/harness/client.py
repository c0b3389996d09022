"""Clients: an application's back end, and a user's browser as far as the protocol goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

Json = dict[str, Any]
TIMEOUT = 30.0
# Clients of plain HTTP are made with `verify=False`: to load the certificates takes longer than a request.

CANARY = "canaryQ7xN3kVw0Zp5Ls8"
"""Lies in every chat's state variables and wherever tests plant it, as in hidden context. No client may see it."""

LEAKS: list[str] = []
"""What showed the canary to a client; the suite fails when anything stands here."""


@dataclass(frozen=True)
class Frame:
    """One frame of a stream: its SSE id, as far as the stream has told it, its event, or the comment that it is."""

    id: str | None
    event: Json | None
    comment: str | None = None

    @property
    def sequence(self) -> int:
        """The number behind the run's id."""
        assert self.id is not None
        return int(self.id.rpartition(":")[2])

    @property
    def run_id(self) -> str:
        """The run that sent it."""
        assert self.id is not None
        return self.id.rpartition(":")[0]


class ApiFailure(Exception):
    """An answer that is an error envelope."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.error: Json = response.json()["error"]
        super().__init__(f"{self.status} {self.error}")


class Leak(AssertionError):
    """A client was shown what is hidden."""


class Watched(httpx.BaseTransport):
    """Looks for the canary in every byte that a client receives."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        self._transport = transport or httpx.HTTPTransport(verify=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """A response whose headers were searched, and whose body is searched as it comes."""
        response = self._transport.handle_request(request)
        where = f"{request.method} {request.url.path} {request.read()[:200]!r}"
        look_for_canary(b"\n".join(name + b": " + value for name, value in response.headers.raw), where)
        assert isinstance(response.stream, httpx.SyncByteStream)
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_WatchedStream(response.stream, where),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


class _WatchedStream(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, where: str) -> None:
        self._stream = stream
        self._where = where

    def __iter__(self) -> Iterator[bytes]:
        kept = b""
        for chunk in self._stream:
            look_for_canary(kept + chunk, self._where)
            kept = (kept + chunk)[1 - len(CANARY) :]
            yield chunk

    def close(self) -> None:
        self._stream.close()


def look_for_canary(received: bytes, where: str) -> None:
    """`Leak` when the canary is in what a client received."""
    if CANARY.encode() in received:
        LEAKS.append(where)
        raise Leak(f"what is hidden was shown to a client: {where}")


class Backend:
    """Calls REST with an API key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.http = httpx.Client(
            base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=TIMEOUT, verify=False
        )
        self._chats: list[Chat] = []

    def close(self) -> None:
        """Close its connections and those of its users."""
        self.http.close()
        for chat in self._chats:
            chat.http.close()

    def session(self, user: str = "user_1", workflow: str = "wf_test", **members: Any) -> Json:
        """Create a session; `limit` is `max_requests_per_1_minute`, so large by default that no test meets it."""
        limit = members.pop("limit", 1_000_000)
        workflow_members = members.pop("workflow_members", {})
        body = {
            "user": user,
            "workflow": {"id": workflow, **workflow_members},
            "rate_limits": {"max_requests_per_1_minute": limit},
            **members,
        }
        return json_of(self.http.post("/v1/chatkit/sessions", json=body))

    def chat(self, user: str = "user_1", workflow: str = "wf_test", **members: Any) -> Chat:
        """A user's client with a session of its own, whose state variables hold the canary unless others are given."""
        members.setdefault("workflow_members", {"state_variables": {"canary": CANARY}})
        return self.chat_with(self.session(user, workflow, **members)["client_secret"])

    def chat_with(self, secret: str) -> Chat:
        """A client with this secret, whatever it is."""
        chat = Chat(self.url, secret)
        self._chats.append(chat)
        return chat

    def get(self, path: str, **parameters: Any) -> Json:
        """GET below /v1/chatkit."""
        return json_of(self.http.get(f"/v1/chatkit/{path}", params=parameters))

    def delete(self, path: str) -> Json:
        """DELETE below /v1/chatkit."""
        return json_of(self.http.delete(f"/v1/chatkit/{path}"))


class Chat:
    """Calls the conversation endpoint with a client secret."""

    def __init__(self, url: str, secret: str) -> None:
        self.secret = secret
        self.http = httpx.Client(
            base_url=url, headers={"authorization": f"Bearer {secret}"}, timeout=TIMEOUT, transport=Watched()
        )

    def post(self, operation: str, params: Json | None = None, **options: Any) -> httpx.Response:
        """The raw response."""
        body = {"type": operation, "params": params or {}, **options.pop("members", {})}
        return self.http.post("/v1/chatkit/conversation", json=body, **options)

    def call(self, operation: str, **params: Any) -> Json:
        """A JSON operation's answer; `ApiFailure` for an error."""
        return json_of(self.post(operation, params))

    @contextmanager
    def open(
        self, operation: str, params: Json, headers: dict[str, str] | None = None, members: Json | None = None
    ) -> Iterator[Iterator[Frame]]:
        """A streaming operation's frames as they come; leaving the block drops the connection."""
        body = {"type": operation, "params": params, **(members or {})}
        with self.http.stream("POST", "/v1/chatkit/conversation", json=body, headers=headers) as response:
            if response.status_code != 200:
                response.read()
                raise ApiFailure(response)
            assert response.headers["content-type"].startswith("text/event-stream")
            yield frames_of(response.iter_bytes())

    def stream(self, operation: str, headers: dict[str, str] | None = None, **params: Any) -> list[Frame]:
        """All frames of a streaming operation."""
        with self.open(operation, params, headers) as frames:
            return list(frames)

    def create(self, text: str = "hello", **options: Any) -> Turn:
        """`threads.create` to its end."""
        return Turn(self.stream("threads.create", input=message(text), **options))

    def send(self, thread_id: str, text: str = "hello", **options: Any) -> Turn:
        """`threads.add_user_message` to its end."""
        return Turn(self.stream("threads.add_user_message", thread_id=thread_id, input=message(text), **options))

    def items(self, thread_id: str) -> list[Json]:
        """Every item that the user can see, oldest first."""
        found: list[Json] = []
        after = None
        while True:
            page = self.call("items.list", thread_id=thread_id, order="asc", limit=100, after=after)
            found += page["data"]
            if not page["has_more"]:
                return found
            after = page["after"]


class Turn:
    """What one turn streamed."""

    def __init__(self, frames: list[Frame]) -> None:
        self.frames = frames
        self.events = [frame.event for frame in frames if frame.event is not None]

    @property
    def types(self) -> list[str]:
        """The events' types in order; updates by the kind of update."""
        return [e["update"]["type"] if e["type"] == "thread.item.updated" else e["type"] for e in self.events]

    @property
    def thread_id(self) -> str:
        """The thread that was created or whose item was stored."""
        for event in self.events:
            if event["type"] == "thread.created":
                return str(event["thread"]["id"])
            if "item" in event:
                return str(event["item"]["thread_id"])
        raise AssertionError("the stream names no thread")

    @property
    def run_id(self) -> str:
        """The run that streamed."""
        return self.frames[0].run_id

    @property
    def outcome(self) -> str | None:
        """`completed`, `failed`, `cancelled`, `waiting`; None when the stream was cut."""
        return self.frames[-1].comment if self.frames else None

    def of(self, kind: str) -> list[Json]:
        """Events of a type, or updates of a kind."""
        return [event for event, name in zip(self.events, self.types, strict=True) if name == kind]

    def done(self, kind: str) -> list[Json]:
        """Items of a type that were finished, in order."""
        return [event["item"] for event in self.of("thread.item.done") if event["item"]["type"] == kind]

    @property
    def text(self) -> str:
        """The assistant's text, by its deltas."""
        return "".join(event["update"]["delta"] for event in self.of("assistant_message.content_part.text_delta"))


def message(text: str) -> Json:
    """A user's message."""
    return {"content": [{"type": "input_text", "text": text}], "attachments": [], "inference_options": {}}


def frames_of(chunks: Iterator[bytes]) -> Iterator[Frame]:
    """Frames out of bytes, wherever they were cut. An id names the last of the frames above it, the others with it."""
    rest, unnamed = b"", list[Json]()
    for chunk in chunks:
        *complete, rest = (rest + chunk).split(b"\n\n")
        for block in complete:
            field, _, value = block.decode().partition(": ")
            assert "\n" not in value, f"more than one line in a block: {block!r}"
            if field == "data":
                unnamed.append(json.loads(value))
            elif field == "id":
                assert unnamed, f"an id that names nothing: {block!r}"
                run_id, _, last = value.rpartition(":")
                first = int(last) - len(unnamed) + 1
                yield from (Frame(f"{run_id}:{number}", event) for number, event in enumerate(unnamed, first))
                unnamed.clear()
            else:
                assert field == "", f"an unexpected field {field!r}"
                yield Frame(None, None, value)
    yield from (Frame(None, event) for event in unnamed)
    assert not rest, f"the stream ended inside a frame: {rest!r}"


def json_of(response: httpx.Response) -> Json:
    """A successful response's JSON; `ApiFailure` for an error."""
    if response.status_code != 200:
        raise ApiFailure(response)
    body: Json = response.json()
    return body
