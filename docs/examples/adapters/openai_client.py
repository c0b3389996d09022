"""A plain `openai` client: text as it streams, a tool's calls as steps, what it found as sources."""

import json
import os
from collections.abc import AsyncIterator
from typing import Any

from chatkit.errors import CustomStreamError
from chatkit.types import URLSource
from openai import AsyncOpenAI, OpenAIError

from chatdock import Turn, workflow
from chatdock.workflows.transcript import Said, transcript

MODEL = os.environ.get("OPENAI_DEFAULT_MODEL", "gpt-5-mini")
PAGES = {"tides": URLSource(url="https://example.com/tides", title="High water at nine")}
TOOL = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Search the harbour's pages.",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    },
}


@workflow("wf_client")
async def answer(turn: Turn) -> AsyncIterator[Any]:
    said = [line for line in transcript(await turn.history(20)) if isinstance(line, Said)]
    messages: list[Any] = [{"role": "system", "content": "You help boat owners. Be brief."}]
    messages += [{"role": line.role, "content": line.text} for line in said]
    sources: list[URLSource] = []
    try:
        async with AsyncOpenAI() as client:
            while True:
                calls: dict[int, dict[str, Any]] = {}
                async for delta in ask(client, messages):
                    for call in delta.tool_calls or []:  # a call comes in pieces too
                        known = calls.setdefault(call.index, {"id": call.id, "name": call.function.name, "query": ""})
                        known["query"] += call.function.arguments or ""
                    if delta.content:
                        yield delta.content
                if not calls:
                    break
                async with turn.steps("Searching") as steps:
                    for call in calls.values():
                        query = json.loads(call["query"])["query"]
                        number = await steps.add(f"“{query}”", icon="search")
                        found = PAGES.get(query)
                        sources += [found] if found else []
                        await steps.complete(number)
                        messages += [called(call), result(call, found.title if found else "nothing")]
    except OpenAIError as error:
        raise CustomStreamError("The model could not answer. Please try again.", allow_retry=True) from error
    for source in sources:
        yield turn.cite(source)


async def ask(client: AsyncOpenAI, messages: list[Any]) -> AsyncIterator[Any]:
    """The deltas of one answer; leaving early closes the connection."""
    arguments: Any = {"model": MODEL, "messages": messages, "tools": [TOOL], "stream": True}
    async with await client.chat.completions.create(**arguments) as chunks:
        async for chunk in chunks:
            for choice in chunk.choices:
                yield choice.delta


def called(call: dict[str, Any]) -> dict[str, Any]:
    """The model's call, as it is told again."""
    function = {"name": call["name"], "arguments": call["query"]}
    return {"role": "assistant", "tool_calls": [{"id": call["id"], "type": "function", "function": function}]}


def result(call: dict[str, Any], content: str) -> dict[str, Any]:
    """What came out of it."""
    return {"role": "tool", "tool_call_id": call["id"], "content": content}
