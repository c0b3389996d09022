"""Where a run stood when its last tool came to an end.

A model may fail, and a server may be killed, after a tool has paid money back. So what tools come to is stored in the
thread, as hidden context, before the model is asked again; it goes when the run is over. A retry of the question goes
on from there. Another message lets the model know what has been done.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from chatkit.types import HiddenContextItem, ThreadItemDoneEvent, UserMessageItem

from chatdock.workflows.turn import KEPT, REACHED, reached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted

log = structlog.get_logger("chatdock.workflows")

MAX_BYTES = 4 * 1024 * 1024
"""How large what is stored of a run may be; it holds the conversation so far."""
LATEST_ITEMS = 100
"""Among so many of the thread's latest items what a run left is looked for."""
TOLD = "An answer before this broke off, but these tools had been called, and this is what each of them came to:"


class Checkpoint:
    """Of the run that the turn executes; or, with `item`, of one that broke off."""

    def __init__(self, turn: Turn, item: HiddenContextItem | None = None) -> None:
        self._turn = turn
        self._item = item
        self.left: dict[str, Any] = (None if item is None else reached(item)) or {}
        """What it holds: the `message` it answers, the turn's `state`, items that stay `shown`, what `ran`, and what
        the adapter keeps."""
        self.describe: Callable[[], dict[str, Any]] = dict
        """What the adapter keeps now; `ran`, a line for each call; `shown`, the ids of items that show them."""
        self._writing = asyncio.Lock()

    @property
    def exists(self) -> bool:
        """Whether it stands in the thread."""
        return self._item is not None

    async def keep(self) -> None:
        """Store how far the run has come, below all that it has said so far; on return it is durable."""
        turn = self._turn
        async with self._writing:  # tools may end at once
            message = self.left.get("message") or await _question(turn)
            left = {"message": message, "state": _state(turn), **self.describe()}
            content = {KEPT: {REACHED: left}}
            if len(orjson.dumps(content)) > MAX_BYTES:
                log.warning("checkpoint_too_large", workflow=turn.workflow_id, thread=turn.thread.id, limit=MAX_BYTES)
            else:
                before, self.left = self._item, left
                self._item = HiddenContextItem(**turn.place(), content=content)
                if before is not None:
                    await turn.emit(turn.remove(before.id))
                await turn.emit(ThreadItemDoneEvent(item=self._item))
            if turn.stored is not None:
                await turn.stored()

    async def keep_shown(self, item_ids: Iterable[str]) -> None:
        """The run broke off: what shows its tools stays when the question is tried again."""
        if self._item is not None:
            self.left["shown"] = [*self.left["shown"], *item_ids]
            await self._turn.emit(self._turn.replace(self._item))

    def restore(self) -> None:
        """Give the turn the state that the run's tools had left."""
        state = self.left.get("state")
        if state is not None:
            self._turn.state.clear()
            self._turn.state.update(state)

    async def drop(self) -> None:
        """The run is over, or waits."""
        if self._item is not None:
            item, self._item = self._item, None
            await self._turn.emit(self._turn.remove(item.id))

    def told(self) -> Emitted:
        """In its place, what the model is to know of it from here on."""
        assert self._item is not None
        return told(self._turn, self._item, self.left["ran"])


def told(turn: Turn, item: HiddenContextItem, ran: list[str]) -> Emitted:
    """What tools came to, as context of the model in the place of what a run had left; nothing when none was called."""
    if not ran:
        return turn.remove(item.id)
    lines = "".join(f"\n- {line}" for line in ran)
    return turn.replace(item.model_copy(update={"content": TOLD + lines}))


def _state(turn: Turn) -> dict[str, Any] | None:
    """The turn's state as it is now; None when it is no JSON, by which the turn is going to fail."""
    try:
        state: dict[str, Any] = orjson.loads(orjson.dumps(turn.state))
    except TypeError:
        return None
    return state


async def _question(turn: Turn) -> str | None:
    """The id of the user's message that the run answers."""
    if turn.message is not None:
        return turn.message.id
    latest = [] if turn.load_items is None else await turn.load_items(LATEST_ITEMS, None)
    return next((item.id for item in reversed(latest) if isinstance(item, UserMessageItem)), None)
