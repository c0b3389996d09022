"""What both servers run for a turn: the same generators, imported by `reference.py` and by `workflows.py`."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
)

from bench.turn import RATE, TOKEN, TOKENS


async def tokens(count: int = TOKENS) -> AsyncIterator[str]:
    """`count` pieces of text, as fast as they are taken."""
    for _ in range(count):
        yield TOKEN


async def stamps(seconds: float, rate: int = RATE) -> AsyncIterator[str]:
    """`rate` pieces of text a second, each `<due>:<sent> ` in nanoseconds of the machine's monotonic clock.

    Due times lie on a fixed grid, so a late piece does not delay those after it, and a stream that falls behind
    shows it as the distance from `due`, which the time from `sent` alone would hide.
    """
    start, step = time.monotonic_ns(), 1_000_000_000 // rate
    for number in range(round(seconds * rate)):
        due = start + number * step
        await asyncio.sleep(max(0, due - time.monotonic_ns()) / 1e9)
        yield f"{due}:{time.monotonic_ns()} "


async def message(thread_id: str, text: AsyncIterator[str]) -> AsyncIterator[ThreadStreamEvent]:
    """The events of one assistant message whose text is `text`, one delta for each piece."""
    item_id = f"msg_{uuid4().hex}"
    item = AssistantMessageItem(id=item_id, thread_id=thread_id, created_at=datetime.now(UTC), content=[])
    yield ThreadItemAddedEvent(item=item)
    yield ThreadItemUpdatedEvent(
        item_id=item_id,
        update=AssistantMessageContentPartAdded(content_index=0, content=AssistantMessageContent(text="")),
    )
    whole = []
    async for piece in text:
        whole.append(piece)
        yield ThreadItemUpdatedEvent(
            item_id=item_id, update=AssistantMessageContentPartTextDelta(content_index=0, delta=piece)
        )
    content = AssistantMessageContent(text="".join(whole))
    yield ThreadItemUpdatedEvent(
        item_id=item_id, update=AssistantMessageContentPartDone(content_index=0, content=content)
    )
    yield ThreadItemDoneEvent(item=item.model_copy(update={"content": [content]}))


def respond(thread_id: str) -> AsyncIterator[ThreadStreamEvent]:
    """An unpaced turn: 200 deltas as fast as the server takes them."""
    return message(thread_id, tokens())


def paced(thread_id: str, seconds: float) -> AsyncIterator[ThreadStreamEvent]:
    """A turn of `RATE` deltas a second."""
    return message(thread_id, stamps(seconds))


async def idle_text() -> AsyncIterator[str]:
    """One piece of text, then nothing until cancelled."""
    yield TOKEN
    await asyncio.Event().wait()


def idle(thread_id: str) -> AsyncIterator[ThreadStreamEvent]:
    """A turn that says one word and stays open."""
    return message(thread_id, idle_text())
