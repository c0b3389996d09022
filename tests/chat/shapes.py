"""Items and events for scripts to yield, and a gate for them to wait at."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from chatkit import types

from chatdock import Turn
from chatdock.workflows.workflow import Emitted

Event = Emitted
Script = AsyncIterator[Event]
GATE_SECONDS = 20.0


async def passed(gate: threading.Event) -> None:
    """Wait, inside a workflow, until the test opens the gate."""
    async with asyncio.timeout(GATE_SECONDS):
        while not gate.is_set():
            await asyncio.sleep(0.005)


def base(turn: Turn, **members: Any) -> dict[str, Any]:
    """What every item has."""
    return {"id": turn.new_id(), "thread_id": turn.thread.id, "created_at": turn.now(), **members}


def answer(turn: Turn, text: str = "", **members: Any) -> types.AssistantMessageItem:
    """An assistant's message; without text it has no content yet."""
    content = [types.AssistantMessageContent(text=text)] if text else []
    return types.AssistantMessageItem(**base(turn, content=content, **members))


def hidden(turn: Turn, content: Any) -> types.HiddenContextItem:
    """Context that only the model sees."""
    return types.HiddenContextItem(**base(turn, content=content))


def sdk_hidden(turn: Turn, content: str) -> types.SDKHiddenContextItem:
    """The same, of the SDK's own kind."""
    return types.SDKHiddenContextItem(**base(turn, content=content))


def call(turn: Turn, name: str = "locate", **arguments: Any) -> types.ClientToolCallItem:
    """A call that the browser answers."""
    return types.ClientToolCallItem(**base(turn, call_id=f"call_{name}", name=name, arguments=arguments))


def widget(turn: Turn, text: str = "a card") -> types.WidgetItem:
    """A card with one line of text."""
    return types.WidgetItem.model_validate(base(turn, widget=card(text)))


def card(text: str) -> dict[str, Any]:
    """A card's JSON."""
    return {"type": "Card", "children": [{"type": "Text", "id": "line", "value": text}]}


def form(turn: Turn) -> types.StructuredInputItem:
    """Three questions: one choice, several choices, free text."""
    options = [{"value": "red"}, {"value": "green"}, {"value": "blue"}]
    inputs = [
        {"type": "multiple_choice", "id": "colour", "question": "Which colour?", "options": options},
        {"type": "multiple_choice", "id": "more", "question": "Which others?", "options": options, "multiple": True},
        {"type": "freeform", "id": "why", "question": "Why?"},
    ]
    return types.StructuredInputItem.model_validate(base(turn, inputs=inputs))


def added(item: types.ThreadItem) -> types.ThreadItemAddedEvent:
    """The event that an item begins."""
    return types.ThreadItemAddedEvent(item=item)


def updated(item_id: str, update: types.ThreadItemUpdate) -> types.ThreadItemUpdatedEvent:
    """The event that an item changes."""
    return types.ThreadItemUpdatedEvent(item_id=item_id, update=update)


def delta(item_id: str, text: str, index: int = 0) -> types.ThreadItemUpdatedEvent:
    """More text of a message."""
    return updated(item_id, types.AssistantMessageContentPartTextDelta(content_index=index, delta=text))


def done(item: types.ThreadItem) -> types.ThreadItemDoneEvent:
    """The event that an item is complete."""
    return types.ThreadItemDoneEvent(item=item)


async def echo(turn: Turn) -> Script:
    """Answers with what was said."""
    yield f"You said {turn.text}"


async def all_of(script: Script) -> Script:
    """A script's events, and its end however this ends."""
    async with aclosing(script) as events:  # type: ignore[type-var]
        async for event in events:
            yield event
