"""A store in memory that keeps to everything, and stores that each break one promise."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from chatkit.store import NotFoundError, Store, StoreItemType
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata, UserMessageItem

from chatdock.protocol import ids

T = TypeVar("T", ThreadItem, ThreadMetadata, Attachment)
Context = dict[str, str]


class MemoryStore(Store[Context]):
    """As simple as it can be: dicts of copies."""

    def __init__(self) -> None:
        self.threads: dict[str, tuple[str, ThreadMetadata]] = {}
        self.items: dict[str, dict[str, ThreadItem]] = {}
        self.attachments: dict[str, tuple[str, Attachment]] = {}

    def generate_thread_id(self, context: Context) -> str:
        return ids.thread_id()

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: Context) -> str:
        return ids.item_id()

    def mine(self, thread_id: str, context: Context) -> ThreadMetadata:
        user, thread = self.threads.get(thread_id, (None, None))
        if thread is None or user != context["user_id"]:
            raise NotFoundError(thread_id)
        return thread

    def copy(self, model: T) -> T:
        return model.model_copy(deep=True)

    def cut(self, everything: Sequence[T], after: str | None, limit: int) -> Page[T]:
        start = 0
        if after is not None:
            names = [entry.id for entry in everything]
            if after not in names:
                raise NotFoundError(after)
            start = names.index(after) + 1
        data = everything[start : start + limit]
        more = len(everything) > start + limit
        return Page(data=[self.copy(entry) for entry in data], has_more=more, after=data[-1].id if more else None)

    def ordered(self, thread_id: str) -> list[ThreadItem]:
        return list(self.items[thread_id].values())

    async def load_thread(self, thread_id: str, context: Context) -> ThreadMetadata:
        return self.copy(self.mine(thread_id, context))

    async def save_thread(self, thread: ThreadMetadata, context: Context) -> None:
        if thread.id in self.threads:
            self.mine(thread.id, context)
        self.threads[thread.id] = context["user_id"], self.copy(thread)
        self.items.setdefault(thread.id, {})

    async def load_threads(self, limit: int, after: str | None, order: str, context: Context) -> Page[ThreadMetadata]:
        own = [thread for user, thread in self.threads.values() if user == context["user_id"]]
        own.sort(key=lambda thread: (thread.created_at, thread.id), reverse=order == "desc")
        return self.cut(own, after, limit)

    async def delete_thread(self, thread_id: str, context: Context) -> None:
        self.mine(thread_id, context)
        del self.threads[thread_id], self.items[thread_id]

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Context
    ) -> Page[ThreadItem]:
        self.mine(thread_id, context)
        items = self.ordered(thread_id)
        return self.cut(items if order == "asc" else items[::-1], after, limit)

    async def load_item(self, thread_id: str, item_id: str, context: Context) -> ThreadItem:
        self.mine(thread_id, context)
        if item_id not in self.items[thread_id]:
            raise NotFoundError(item_id)
        return self.copy(self.items[thread_id][item_id])

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Context) -> None:
        await self.save_item(thread_id, item, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: Context) -> None:
        self.mine(thread_id, context)
        self.items[thread_id][item.id] = self.copy(item)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Context) -> None:
        self.mine(thread_id, context)
        self.items[thread_id].pop(item_id, None)

    async def load_attachment(self, attachment_id: str, context: Context) -> Attachment:
        user, attachment = self.attachments.get(attachment_id, (None, None))
        if attachment is None or user != context["user_id"]:
            raise NotFoundError(attachment_id)
        return self.copy(attachment)

    async def save_attachment(self, attachment: Attachment, context: Context) -> None:
        if attachment.id in self.attachments:
            await self.load_attachment(attachment.id, context)
        self.attachments[attachment.id] = context["user_id"], self.copy(attachment)

    async def delete_attachment(self, attachment_id: str, context: Context) -> None:
        await self.load_attachment(attachment_id, context)
        del self.attachments[attachment_id]


class ForgetsTheUser(MemoryStore):
    """Anyone reads anyone's threads."""

    def mine(self, thread_id: str, context: Context) -> ThreadMetadata:
        if thread_id not in self.threads:
            raise NotFoundError(thread_id)
        return self.threads[thread_id][1]


class ListsEverybodysThreads(MemoryStore):
    """Threads of others are in the list."""

    async def load_threads(self, limit: int, after: str | None, order: str, context: Context) -> Page[ThreadMetadata]:
        threads = [thread for _, thread in self.threads.values()]
        threads.sort(key=lambda thread: (thread.created_at, thread.id), reverse=order == "desc")
        return self.cut(threads, after, limit)


class LetsAnyoneDeleteAThread(MemoryStore):
    """A foreign thread can be deleted by its id."""

    async def delete_thread(self, thread_id: str, context: Context) -> None:
        self.threads.pop(thread_id, None)
        self.items.pop(thread_id, None)


class TakesOverForeignAttachments(MemoryStore):
    """Saving under another user's id replaces theirs."""

    async def save_attachment(self, attachment: Attachment, context: Context) -> None:
        self.attachments[attachment.id] = context["user_id"], self.copy(attachment)


class PagesByNumber(MemoryStore):
    """A page is a distance from the newest item, so that what is written meanwhile shifts it."""

    def __init__(self) -> None:
        super().__init__()
        self.distances: dict[str, int] = {}

    def cut(self, everything: Sequence[T], after: str | None, limit: int) -> Page[T]:
        if after is not None and after not in {entry.id for entry in everything}:
            raise NotFoundError(after)
        start = 0 if after is None else self.distances.get(after, 0)
        data = everything[start : start + limit]
        if data:
            self.distances[data[-1].id] = start + len(data)
        more = len(everything) > start + limit
        return Page(data=[self.copy(entry) for entry in data], has_more=more, after=data[-1].id if more else None)


class StartsAgainAtAnUnknownCursor(MemoryStore):
    """An unknown `after` is taken for none."""

    def cut(self, everything: Sequence[T], after: str | None, limit: int) -> Page[T]:
        known = after in {entry.id for entry in everything}
        return super().cut(everything, after if known else None, limit)


class SaysMoreWhenAPageIsFull(MemoryStore):
    """A full last page claims another one."""

    def cut(self, everything: Sequence[T], after: str | None, limit: int) -> Page[T]:
        page: Page[T] = super().cut(everything, after, limit)
        full = len(page.data) == limit
        return Page(data=page.data, has_more=full, after=page.data[-1].id if full else None)


class IncludesTheCursor(MemoryStore):
    """A page begins with the item that it should begin after."""

    def cut(self, everything: Sequence[T], after: str | None, limit: int) -> Page[T]:
        names = [entry.id for entry in everything]
        if after in names:
            place = names.index(after)
            after = names[place - 1] if place else None
        return super().cut(everything, after, limit)


class OrdersItemsByTime(MemoryStore):
    """Items are sorted by `created_at`."""

    def ordered(self, thread_id: str) -> list[ThreadItem]:
        return sorted(super().ordered(thread_id), key=lambda item: item.created_at)


class MovesReplacedItemsToTheEnd(MemoryStore):
    """A replaced item loses its place."""

    async def save_item(self, thread_id: str, item: ThreadItem, context: Context) -> None:
        self.mine(thread_id, context)
        self.items[thread_id].pop(item.id, None)
        self.items[thread_id][item.id] = self.copy(item)


class RefusesToDeleteWhatIsNotThere(MemoryStore):
    """A removed item that was never stored ends the stream with an error."""

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Context) -> None:
        await self.load_item(thread_id, item_id, context)
        del self.items[thread_id][item_id]


class HidesHiddenItems(MemoryStore):
    """Hidden context is left out, so that the model never sees it."""

    def ordered(self, thread_id: str) -> list[ThreadItem]:
        return [item for item in super().ordered(thread_id) if "hidden" not in item.type]


class LosesConcurrentWrites(MemoryStore):
    """Reads, waits, and writes back what it read."""

    async def save_item(self, thread_id: str, item: ThreadItem, context: Context) -> None:
        self.mine(thread_id, context)
        items = dict(self.items[thread_id])
        await asyncio.sleep(0)
        items[item.id] = self.copy(item)
        self.items[thread_id] = items


class KeepsItemsOfDeletedThreads(MemoryStore):
    """Only the thread's own record goes."""

    async def delete_thread(self, thread_id: str, context: Context) -> None:
        self.mine(thread_id, context)
        del self.threads[thread_id]


class ReturnsItsOwnObjects(MemoryStore):
    """What a caller changes is changed in the store."""

    def copy(self, model: T) -> T:
        return model


class LeavesOutNulls(MemoryStore):
    """Stores items without nulls, hidden context of None included."""

    async def save_item(self, thread_id: str, item: ThreadItem, context: Context) -> None:
        await super().save_item(thread_id, type(item).model_validate(item.model_dump(exclude_none=True)), context)


class DropsAttachmentMetadata(MemoryStore):
    """Messages lose what the application wrote about their files."""

    async def save_item(self, thread_id: str, item: ThreadItem, context: Context) -> None:
        item = self.copy(item)
        if isinstance(item, UserMessageItem):
            for attachment in item.attachments:
                attachment.metadata = None
        await super().save_item(thread_id, item, context)


class ShiftsTimes(MemoryStore):
    """Takes local times for UTC, an hour off."""

    async def load_item(self, thread_id: str, item_id: str, context: Context) -> ThreadItem:
        item = await super().load_item(thread_id, item_id, context)
        item.created_at += timedelta(hours=1)
        return item


class DropsFractionsOfSeconds(MemoryStore):
    """Times in whole seconds."""

    async def save_thread(self, thread: ThreadMetadata, context: Context) -> None:
        await super().save_thread(
            thread.model_copy(update={"created_at": thread.created_at.replace(microsecond=0)}), context
        )


class CutsLongTexts(MemoryStore):
    """A column with a limit."""

    async def save_item(self, thread_id: str, item: ThreadItem, context: Context) -> None:
        item = self.copy(item)
        if isinstance(item, UserMessageItem):
            for part in item.content:
                part.text = part.text[:65535]
        await super().save_item(thread_id, item, context)


class ForgetsWhyAThreadIsLocked(MemoryStore):
    """Only the type of a status is kept."""

    async def save_thread(self, thread: ThreadMetadata, context: Context) -> None:
        bare: Any = type(thread.status)()
        await super().save_thread(thread.model_copy(update={"status": bare}), context)


class RepeatsIds(MemoryStore):
    """Ids of four digits."""

    made = 0

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: Context) -> str:
        RepeatsIds.made += 1
        return f"item_{RepeatsIds.made % 1000:04}"
