"""What an agent's tools receive: chatkit's `AgentContext`, over a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from chatkit.agents import AgentContext
from chatkit.store import NotFoundError, Store, StoreItemType
from chatkit.types import (
    Attachment,
    Page,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadMetadata,
)

from chatdock.protocol import ids

if TYPE_CHECKING:
    from chatkit.types import ThreadStreamEvent

    from chatdock.workflows.turn import Turn


def agent_context(turn: Turn) -> AgentContext[Any]:
    """The context of a turn: `ctx.context.request_context` is the `Turn`."""
    return AgentContext(thread=turn.thread, store=TurnStore(turn), request_context=turn)


def connect(context: AgentContext[Any], turn: Turn) -> None:
    """Let what its methods say come out as the turn's.

    They all end in `_events.put()`. The queue behind it is read by `stream_agent_response` alone, beside the run, which
    loses the order of things; so the turn stands in its place, and a subclass of an author's works as well.
    """
    context._events = cast("Any", _TurnEvents(turn))


class _TurnEvents:
    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    async def put(self, event: ThreadStreamEvent) -> None:
        await self._turn.emit(event)


class TurnStore(Store[Any]):
    """What tools written for chatkit-python may ask of a store: their own thread, and its items."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def generate_thread_id(self, context: Any) -> str:
        """A thread's id."""
        return ids.thread_id()

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: Any) -> str:
        """An item's id."""
        return ids.item_id()

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        """The turn's thread."""
        self._own(thread_id)
        return self._turn.thread

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        """Take over title, status, allowed image domains and metadata."""
        self._own(thread.id)
        own = self._turn.thread
        own.title, own.status = thread.title, thread.status
        own.allowed_image_domains, own.metadata = thread.allowed_image_domains, thread.metadata

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        """A page of the thread's items."""
        self._own(thread_id)
        if order == "desc":
            items = await self._turn.history(limit + 1, before=after)
            items.reverse()
        else:
            items = await self._turn.history()
            if after is not None:
                items = items[next((n + 1 for n, item in enumerate(items) if item.id == after), len(items)) :]
        page, more = items[:limit], len(items) > limit
        return Page(data=page, has_more=more, after=page[-1].id if more else None)

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        """One item; `NotFoundError` when the thread has none with this id."""
        self._own(thread_id)
        for item in await self._turn.history():
            if item.id == item_id:
                return item
        raise NotFoundError(f"thread {thread_id} has no item {item_id}")

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Show and store an item."""
        self._own(thread_id)
        await self._turn.emit(ThreadItemDoneEvent(item=item))

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Show and store an item in its place."""
        self._own(thread_id)
        await self._turn.emit(ThreadItemReplacedEvent(item=item))

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        """Take an item out of the thread."""
        self._own(thread_id)
        await self._turn.emit(ThreadItemRemovedEvent(item_id=item_id))

    async def load_threads(self, limit: int, after: str | None, order: str, context: Any) -> Page[ThreadMetadata]:
        """Refused: other threads are none of a turn's business."""
        raise _unsupported("load_threads")

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        """Refused: the turn runs in it."""
        raise _unsupported("delete_thread")

    async def save_attachment(self, attachment: Attachment, context: Any) -> None:
        """Refused."""
        raise _unsupported("save_attachment")

    async def load_attachment(self, attachment_id: str, context: Any) -> Attachment:
        """Refused."""
        raise _unsupported("load_attachment")

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        """Refused."""
        raise _unsupported("delete_attachment")

    def _own(self, thread_id: str) -> None:
        if thread_id != self._turn.thread.id:
            raise NotFoundError(f"a turn reaches its own thread only, not {thread_id}")


def _unsupported(name: str) -> NotImplementedError:
    return NotImplementedError(f"{name}() is not available to an agent's turn")
