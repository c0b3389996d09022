"""The store of a hosted `ChatKitServer`: Chatdock's database, as the turn that is being answered may see it.

One server answers all turns, and its store gets whatever context the server was written for. So that context is not
asked whose threads these are: the adapter notes the turn for everything that it calls, and tasks that start there keep
the note.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chatkit.store import Store, StoreItemType

from chatdock.stores.sql import SQLStore

if TYPE_CHECKING:
    from chatkit.types import Page, ThreadItem, ThreadMetadata, ThreadStreamEvent

    from chatdock.storage.database import Database
    from chatdock.workflows.turn import Turn


@dataclass(slots=True)
class Call:
    """A turn in a server's hands."""

    turn: Turn
    context: Any
    """What the server's methods get."""
    unfinished: set[str] = field(default_factory=set)
    """Items that were shown and are not done."""
    kept: dict[str, ThreadItem] = field(default_factory=dict)
    """Those of them that the server has put into its store itself."""
    noted: bool = False
    """Whether the server has left a note of chatkit's own kind for the model."""

    def watch(self, event: ThreadStreamEvent) -> None:
        """Keep `unfinished` as it is once the event is shown."""
        match event.type:
            case "thread.item.added":
                self.unfinished.add(event.item.id)
            case "thread.item.done" | "thread.item.replaced":
                self.unfinished.discard(event.item.id)
            case "thread.item.removed":
                self.unfinished.discard(event.item_id)

    def left_open(self) -> list[ThreadItem]:
        """What the server has stored and not shown as done."""
        return [item for item in self.kept.values() if item.id in self.unfinished]


current_call: ContextVar[Call] = ContextVar("current_call")


class ServerStore(SQLStore[Any]):
    """Takes the place of the store that a server was made with; ids are that one's, if it makes its own.

    What is written is stored at once. Items are shown when the server yields them, as with any store; the thread is
    shown as it is saved.
    """

    def __init__(self, replaced: Store[Any] | None) -> None:
        super().__init__("", user=lambda _context: _turn().user, project=lambda _context: _turn().project)
        self._replaced = replaced

    def generate_thread_id(self, context: Any) -> str:
        """The server's own, or `cthr_…`."""
        own = self._replaced
        if getattr(type(own), "generate_thread_id", Store.generate_thread_id) is not Store.generate_thread_id:
            assert own is not None
            return own.generate_thread_id(context)
        return super().generate_thread_id(context)

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: Any) -> str:
        """The server's own, or `cti_…`."""
        own = self._replaced
        if getattr(type(own), "generate_item_id", Store.generate_item_id) is not Store.generate_item_id:
            assert own is not None
            return own.generate_item_id(item_type, thread, context)
        return super().generate_item_id(item_type, thread, context)

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        """A thread; the turn's as the server has it in hand."""
        if live := await _live(thread_id):
            return live.turn.thread.model_copy(deep=True)
        return await super().load_thread(thread_id, context)

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        """Store a thread. The turn's is shown too, and stays gone when its user has deleted it."""
        own = _turn().thread
        if thread.id == own.id:
            await super().load_thread(own.id, context)
        await super().save_thread(thread, context)
        if thread.id == own.id and thread is not own:
            saved = thread.model_copy(deep=True)
            own.title, own.status, own.metadata = saved.title, saved.status, saved.metadata
            own.allowed_image_domains = saved.allowed_image_domains
        await _live(thread.id)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        """A page of items, with what the turn has said; messages that wait for a turn of their own are left out."""
        live = await _live(thread_id)
        page = await super().load_thread_items(thread_id, after, limit, order, context)
        if live is not None and live.turn.waiting is not None:
            waiting = await live.turn.waiting()
            page.data = [item for item in page.data if item.id not in waiting]
        return page

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        """An item, or `NotFoundError`."""
        await _live(thread_id)
        return await super().load_item(thread_id, item_id, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        """Store an item in place of the one with its id, or at the end, after what the turn has said."""
        live = await _live(thread_id)
        await super().save_item(thread_id, item, context)
        if live is not None and item.id in live.unfinished:
            live.kept[item.id] = item.model_copy(deep=True)
        if item.type == "sdk_hidden_context":
            current_call.get().noted = True

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        """Delete an item if it is there."""
        if live := await _live(thread_id):
            live.kept.pop(item_id, None)
        await super().delete_thread_item(thread_id, item_id, context)

    async def _database(self) -> Database:
        database = _turn().database
        assert database is not None
        return database


def _turn() -> Turn:
    call = current_call.get(None)
    if call is None:
        raise RuntimeError(
            "a hosted ChatKitServer's store belongs to the turn that is answered: use it in the server's methods, and "
            "in tasks that start there"
        )
    return call.turn


async def _live(thread_id: str) -> Call | None:
    """The call when its turn is being executed on this thread, once what it said is stored."""
    call = current_call.get(None)
    if call is None or call.turn.thread.id != thread_id or call.turn.stored is None:
        return None
    await call.turn.stored()
    return call
