"""Commands about the turn and the thread: progress, notices, status, errors, and turns that do not end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from chatkit.errors import CustomStreamError, ErrorCode, StreamError
from chatkit.types import (
    ClientEffectEvent,
    ClosedStatus,
    ErrorEvent,
    LockedStatus,
    NoticeEvent,
    Page,
    ProgressUpdateEvent,
    StreamOptions,
    StreamOptionsEvent,
    Thread,
    ThreadUpdatedEvent,
)

from chatdock.workflows.showcase.arguments import pause
from chatdock.workflows.showcase.messages import text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from chatdock.workflows.showcase.arguments import Arguments
    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted

NOTICES = (
    NoticeEvent(level="info", message="A notice that informs."),
    NoticeEvent(
        level="warning", title="Nearly full", message="A notice with a title and [a link](https://example.com)."
    ),
    NoticeEvent(level="danger", title="Stopped", message="A notice about **danger**."),
)
PARTIAL = "This much was said before it went wrong."


async def progress(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Steps with and without an icon, then an answer, which takes their place."""
    pace = given.pace(0.5)
    yield ProgressUpdateEvent(icon="search", text="Looking around…")
    await pause(pace)
    yield ProgressUpdateEvent(icon="lucide:anchor", text="Dropping the anchor…")
    await pause(pace)
    yield ProgressUpdateEvent(text="Nearly there…")
    await pause(pace)
    yield "Progress is made."


async def notice(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """One notice, or one of each level."""
    for event in NOTICES:
        if not given.words or event.level in given.words:
            yield event
    yield "Notices were sent."


async def effect(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Something for the page to do."""
    name = given.name("showcase")
    yield ClientEffectEvent(name=name, data=given.data({"number": 1, "list": ["a", "b"]}))
    yield f"The effect {name} was sent to the page."


async def title(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """The thread's title, set through the turn."""
    turn.thread.title = given.text or "A title from the showcase"
    yield f"The title is now: {turn.thread.title}"


async def images(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Where images may come from, set with an event, as chatkit-python servers do."""
    changed = turn.thread.model_copy(update={"allowed_image_domains": given.words or None})
    yield ThreadUpdatedEvent(thread=Thread(**changed.model_dump(), items=Page(data=[])))
    yield f"Images may come from: {', '.join(given.words) or 'anywhere the page allows'}."


async def lock(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """A locked thread stays readable and takes no message."""
    turn.thread.status = LockedStatus(reason=given.text or None)
    yield "This thread is locked now."


async def close(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """A closed thread stays readable and takes no message."""
    turn.thread.status = ClosedStatus(reason=given.text or None)
    yield "This thread is closed now."


async def nocancel(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Text without a stop button."""
    yield StreamOptionsEvent(stream_options=StreamOptions(allow_cancel=False))
    async for word in text(turn, given):
        yield word


async def error(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Each way to fail on purpose."""
    retry = "retry" in given.words
    if "partial" in given.words:
        yield PARTIAL
    if "event" in given.words:
        yield ErrorEvent(message="An error that the workflow yielded.", allow_retry=retry)
    elif "stream" in given.words:
        raise StreamError(ErrorCode.STREAM_ERROR, allow_retry="no-retry" not in given.words)
    else:
        raise CustomStreamError("An error that the workflow raised.", allow_retry=retry)


async def crash(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """A fault in the workflow; its message is for the operator alone."""
    if "partial" in given.words:
        yield PARTIAL
    raise RuntimeError("The showcase crashed, as it was told to.")


async def hang(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Begins to answer and waits until the user presses stop, or the time is up."""
    yield "Waiting until somebody stops this…"
    await asyncio.Event().wait()
