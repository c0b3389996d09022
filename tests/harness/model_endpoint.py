"""A model's endpoint on loopback that says what a test scripted, over the Responses API or Chat Completions.

Each request takes the next step of the script. What only one of the APIs can say is refused by the other.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.chat.shapes import passed
from tests.harness.asgi import running
from tests.harness.server import eventually

Json = dict[str, Any]
CLOSE = {"connection": "close"}
"""No connection outlives its answer: some libraries never close their clients."""
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Say:
    """A message, word by word."""

    text: str
    annotations: tuple[Json, ...] = ()
    whole: bool = True
    """Whether the model gets to its end."""
    size: int = 0
    """Characters of each piece; words without it."""


@dataclass(frozen=True)
class Refuse:
    """A message that is a refusal."""

    text: str


@dataclass(frozen=True)
class Think:
    """A thought: a summary part of the Responses API, `reasoning_content` of Chat Completions."""

    text: str
    raw: bool = False
    """The model's own words: `reasoning_text`, or `reasoning` of Chat Completions."""


@dataclass(frozen=True)
class Use:
    """A function call."""

    name: str
    arguments: Json = field(default_factory=dict)
    call_id: str = "call_1"


@dataclass(frozen=True)
class Hosted:
    """An output item that the provider makes itself, as it is when it begins and when it is done."""

    item: Json
    between: tuple[Json, ...] = ()


@dataclass(frozen=True)
class Used:
    """The tokens that the answer is said to have cost; without it Responses say one each, Chat Completions nothing."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Full:
    """The answer stops at its length limit."""


@dataclass(frozen=True)
class Cut:
    """The connection breaks."""


@dataclass(frozen=True)
class Wait:
    """Nothing more, until the caller hangs up; not even the head of the answer when nothing was said before."""


@dataclass(frozen=True)
class Hold:
    """Nothing more, until the test opens the gate."""

    gate: threading.Event


@dataclass(frozen=True)
class Status:
    """An error instead of an answer."""

    code: int
    error: Json = field(default_factory=lambda: {"message": "no", "type": "error", "code": None})
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Raw:
    """A stream of these bytes."""

    body: bytes


@dataclass(frozen=True)
class Whole:
    """The answer of another API than those two, such as moderations."""

    body: Json


Part = Say | Refuse | Think | Use | Hosted | Used | Full | Cut | Wait | Hold
Event = Json | Cut | Wait | Hold
Step = list[Part] | Raw | Whole | Status


PATHS = ("responses", "chat/completions", "moderations")


@dataclass
class ModelEndpoint:
    """What it will say, and what it was asked."""

    steps: list[Step]
    url: str = ""
    requests: list[Json] = field(default_factory=list)
    waiting: int = 0
    """Callers at a `Wait`."""
    hung_up: threading.Event = field(default_factory=threading.Event)
    """Set when one of them has hung up."""

    async def answer(self, request: Request) -> Response:
        """The next step."""
        self.requests.append(await request.json())
        step = self.steps.pop(0)
        if isinstance(step, Status):
            return JSONResponse(
                {"error": step.error}, step.code, CLOSE | step.headers | {"x-request-id": "req_scripted"}
            )
        if isinstance(step, Raw):
            return Response(step.body, media_type="text/event-stream", headers=CLOSE)
        if isinstance(step, Whole):
            return JSONResponse(step.body, headers=CLOSE)
        render = _responses if request.url.path.endswith("/responses") else _completions
        events = render(step, len(self.requests))
        if not self.requests[-1].get("stream"):
            whole = list(events)
            if any(isinstance(event, Wait) for event in whole):
                return _Stream(self, iter([Wait()]), b"")
            said = [event for event in whole if isinstance(event, dict)]
            return JSONResponse(_at_once(said) if render is _completions else said[-1]["response"], headers=CLOSE)
        return _Stream(self, events, DONE if render is _completions else b"")


@contextmanager
def model_endpoint(*steps: Step) -> Iterator[ModelEndpoint]:
    """An endpoint that is asked inside the block, for these steps; at its end nobody may wait for more."""
    endpoint = ModelEndpoint(list(steps))
    routes = [Route(f"/v1/{path}", endpoint.answer, methods=["POST"]) for path in PATHS]
    with running(Starlette(routes=routes)) as url:
        endpoint.url = f"{url}/v1"
        yield endpoint
        eventually(lambda: not endpoint.waiting, what="the end of every connection to the model")


class _Stream(Response):
    def __init__(self, endpoint: ModelEndpoint, events: Iterator[Event], end: bytes) -> None:
        super().__init__(media_type="text/event-stream", headers=CLOSE)
        del self.headers["content-length"]
        self._endpoint = endpoint
        self._events = events
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        for event in self._events:
            if isinstance(event, Cut):
                return  # uvicorn breaks off a response that is not complete
            if isinstance(event, Wait):
                self._endpoint.waiting += 1
                while (await receive())["type"] != "http.disconnect":
                    pass
                self._endpoint.waiting -= 1
                self._endpoint.hung_up.set()
                return
            if isinstance(event, Hold):
                await passed(event.gate)
                continue
            if not begun:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                begun = True
            name = f"event: {event['type']}\n" if "type" in event else ""
            data = f"{name}data: {json.dumps(event)}\n\n".encode()
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": self._end})


def _words(text: str, size: int = 0) -> list[str]:
    if size:
        return [text[at : at + size] for at in range(0, len(text), size)]
    return [word + " " for word in text.split(" ")[:-1]] + [text.split(" ")[-1]]


# Responses


def _responses(step: list[Part], number: int) -> Iterator[Event]:
    response: Json = {
        "id": f"resp_{number}", "object": "response", "created_at": 1, "model": "scripted", "output": [],
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "status": "in_progress",
    }  # fmt: skip
    output: list[Json] = []
    used = Used(1, 1)
    ends: Json = {"status": "completed"}
    yield {"type": "response.created", "response": response, "sequence_number": 0}
    for index, part in enumerate(step):
        if isinstance(part, Cut | Wait | Hold):
            yield part
            continue
        if isinstance(part, Used):
            used = part
            continue
        if isinstance(part, Full):
            ends = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
            continue
        for event in _item(part, f"{number}_{index}"):
            if event["type"] == "response.output_item.done":
                output.append(event["item"])
            yield event | {"output_index": index, "sequence_number": 0}
    usage = {
        "input_tokens": used.input, "output_tokens": used.output, "total_tokens": used.input + used.output,
        "input_tokens_details": {"cached_tokens": used.cached},
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
    }  # fmt: skip
    done = response | ends | {"output": output, "usage": usage}
    yield {"type": f"response.{ends['status']}", "response": done, "sequence_number": 0}


def _item(part: Part, name: str) -> Iterator[Json]:
    match part:
        case Say(text, annotations, whole, size):
            events = list(_message(f"msg_{name}", "output_text", "text", text, list(annotations), size))
            yield from events if whole else events[:-3]
        case Refuse(text):
            yield from _message(f"msg_{name}", "refusal", "refusal", text, [])
        case Think(text, raw):
            yield from _thought(f"rs_{name}", text, raw=raw)
        case Use(tool, arguments, call_id):
            item = {
                "type": "function_call", "id": f"fc_{name}", "call_id": call_id, "name": tool,
                "arguments": json.dumps(arguments), "status": "completed",
            }  # fmt: skip
            yield {"type": "response.output_item.added", "item": item | {"arguments": "", "status": "in_progress"}}
            yield {"type": "response.output_item.done", "item": item}
        case Hosted(item, between):
            begun = {key: value for key, value in item.items() if key not in {"action", "results", "result", "output"}}
            yield {"type": "response.output_item.added", "item": begun | {"status": "in_progress"}}
            yield from between
            yield {"type": "response.output_item.done", "item": item}
        case _:
            raise AssertionError(part)


def _message(item_id: str, kind: str, member: str, text: str, annotations: list[Json], size: int = 0) -> Iterator[Json]:
    item = {"type": "message", "id": item_id, "role": "assistant", "content": [], "status": "in_progress"}
    here = {"item_id": item_id, "content_index": 0}
    empty: Json = {"type": kind, member: ""} | ({"annotations": []} if kind == "output_text" else {})
    yield {"type": "response.output_item.added", "item": item}
    yield {"type": "response.content_part.added", "part": empty, **here}
    for word in _words(text, size):
        yield {"type": f"response.{kind}.delta", "delta": word, "logprobs": [], **here}
    for index, annotation in enumerate(annotations):
        yield {
            "type": "response.output_text.annotation.added", "annotation": annotation, "annotation_index": index, **here
        }  # fmt: skip
    whole = empty | {member: text} | ({"annotations": annotations} if kind == "output_text" else {})
    yield {"type": f"response.{kind}.done", member: text, "logprobs": [], **here}
    yield {"type": "response.content_part.done", "part": whole, **here}
    yield {"type": "response.output_item.done", "item": item | {"content": [whole], "status": "completed"}}


def _thought(item_id: str, text: str, *, raw: bool) -> Iterator[Json]:
    item: Json = {"type": "reasoning", "id": item_id, "summary": []}
    yield {"type": "response.output_item.added", "item": item}
    if raw:
        here: Json = {"item_id": item_id, "content_index": 0}
        for word in _words(text):
            yield {"type": "response.reasoning_text.delta", "delta": word, **here}
        yield {"type": "response.reasoning_text.done", "text": text, **here}
        yield {
            "type": "response.output_item.done", "item": item | {"content": [{"type": "reasoning_text", "text": text}]}
        }  # fmt: skip
        return
    here = {"item_id": item_id, "summary_index": 0}
    part = {"type": "summary_text", "text": text}
    if text:
        yield {"type": "response.reasoning_summary_part.added", "part": part | {"text": ""}, **here}
        for word in _words(text):
            yield {"type": "response.reasoning_summary_text.delta", "delta": word, **here}
        yield {"type": "response.reasoning_summary_text.done", "text": text, **here}
        yield {"type": "response.reasoning_summary_part.done", "part": part, **here}
    yield {"type": "response.output_item.done", "item": item | {"summary": [part] if text else []}}


# Chat Completions


def _completions(step: list[Part], number: int) -> Iterator[Event]:
    calls = 0
    finish = ""
    used: Used | None = None
    for part in step:
        match part:
            case Cut() | Wait() | Hold():
                yield part
            case Say(text, (), _, size):
                yield from (_chunk(number, content=word) for word in _words(text, size))
            case Refuse(text):
                yield from (_chunk(number, refusal=word) for word in _words(text))
            case Think(text, raw):
                member = "reasoning" if raw else "reasoning_content"
                yield from (_chunk(number, **{member: word}) for word in _words(text))
            case Use(tool, arguments, call_id):
                call: Json = {"index": calls, "type": "function"}
                yield _chunk(number, tool_calls=[call | {"id": call_id, "function": {"name": tool, "arguments": ""}}])
                for piece in _words(json.dumps(arguments)):
                    yield _chunk(number, tool_calls=[call | {"id": None, "function": {"arguments": piece}}])
                calls += 1
            case Used():
                used = part
            case Full():
                finish = "length"
            case _:
                raise AssertionError(f"Chat Completions cannot say {part}")
    yield _chunk(number, finish=finish or ("tool_calls" if calls else "stop"))
    if used is not None:
        usage = {
            "prompt_tokens": used.input, "completion_tokens": used.output, "total_tokens": used.input + used.output,
            "prompt_tokens_details": {"cached_tokens": used.cached},
            "completion_tokens_details": {"reasoning_tokens": used.reasoning},
        }  # fmt: skip
        yield _chunk(number) | {"choices": [], "usage": usage}


def _at_once(chunks: list[Json]) -> Json:
    """The text of chunks as an answer that is not streamed."""
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return chunks[-1] | {"object": "chat.completion", "choices": [choice], "usage": usage}


def _chunk(number: int, finish: str | None = None, **delta: Any) -> Json:
    choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}
    return {
        "id": f"chatcmpl_{number}", "object": "chat.completion.chunk", "created": 1, "model": "scripted",
        "choices": [choice],
    }  # fmt: skip
