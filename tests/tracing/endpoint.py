"""A model endpoint that speaks Chat Completions and Responses, and says what a test wrote down."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.harness.asgi import running
from tests.harness.client import Json

CLOSE = {"connection": "close"}
"""No connection outlives its answer: the models of tests have clients that nobody closes."""


class Endpoint:
    """Answers each request with the next of `answers`, and keeps what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Json] = []
        self.answers: deque[Json | int] = deque()

    def text(self, text: str, *, tokens: tuple[int, int], cached: int = 0, reasoning: int = 0) -> None:
        """The next answer says this, and that so many input and output tokens were used."""
        self._answer({"content": text}, "stop", tokens, cached, reasoning)

    def call(self, tool: str, arguments: str = "{}", *, tokens: tuple[int, int]) -> None:
        """The next answer calls a tool, or hands over."""
        function = {"name": tool, "arguments": arguments}
        calls = [{"index": 0, "id": f"call_{len(self.answers)}", "type": "function", "function": function}]
        self._answer({"tool_calls": calls}, "tool_calls", tokens, 0, 0)

    def fail(self, status: int) -> None:
        """The next answer is an error."""
        self.answers.append(status)

    def _answer(self, delta: Json, reason: str, tokens: tuple[int, int], cached: int, reasoning: int) -> None:
        usage = {
            "prompt_tokens": tokens[0],
            "completion_tokens": tokens[1],
            "total_tokens": sum(tokens),
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }
        self.answers.append({"delta": delta, "finish_reason": reason, "usage": usage})

    async def chat(self, request: Request) -> Response:
        """`POST /v1/chat/completions`, streaming."""
        self.asked.append(await request.json())
        answer = self.answers.popleft()
        if isinstance(answer, int):
            return JSONResponse({"error": {"message": "not now", "type": "server_error"}}, answer, CLOSE)
        return StreamingResponse(_chunks(answer), media_type="text/event-stream", headers=CLOSE)

    async def responses(self, request: Request) -> Response:
        """`POST /v1/responses`, streaming."""
        self.asked.append(await request.json())
        answer = self.answers.popleft()
        assert not isinstance(answer, int)
        return StreamingResponse(_response(answer), media_type="text/event-stream", headers=CLOSE)


async def _chunks(answer: Json) -> AsyncIterator[bytes]:
    about = {"id": "chatcmpl_1", "object": "chat.completion.chunk", "created": 1, "model": "scripted-1"}
    said = {"index": 0, "delta": {"role": "assistant", **answer["delta"]}, "finish_reason": None}
    end = {"index": 0, "delta": {}, "finish_reason": answer["finish_reason"]}
    for chunk in ({"choices": [said]}, {"choices": [end]}, {"choices": [], "usage": answer["usage"]}):
        yield _sse({**about, **chunk})
    yield b"data: [DONE]\n\n"


async def _response(answer: Json) -> AsyncIterator[bytes]:
    usage = answer["usage"]
    text = {"type": "output_text", "text": answer["delta"]["content"], "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
    response: Json = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "scripted-1",
        "status": "completed",
        "output": [message],
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "output_tokens": usage["completion_tokens"],
            "total_tokens": usage["total_tokens"],
            "input_tokens_details": usage["prompt_tokens_details"],
            "output_tokens_details": usage["completion_tokens_details"],
        },
    }
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    yield _sse({"type": "response.created", "response": begun, "sequence_number": 0})
    yield _sse({"type": "response.completed", "response": response, "sequence_number": 1})


def _sse(event: Any) -> bytes:
    kind = f"event: {event['type']}\n" if "type" in event else ""
    return f"{kind}data: {json.dumps(event)}\n\n".encode()


@contextmanager
def scripted_endpoint() -> Iterator[Endpoint]:
    """One that listens at `url`."""
    endpoint = Endpoint()
    routes = [
        Route("/v1/chat/completions", endpoint.chat, methods=["POST"]),
        Route("/v1/responses", endpoint.responses, methods=["POST"]),
    ]
    with running(Starlette(routes=routes)) as url:
        endpoint.url = f"{url}/v1"
        yield endpoint
