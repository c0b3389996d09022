"""chatkit-python's `Store` on Chatdock's own tables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from chatkit.store import NotFoundError, Store, StoreItemType, TContext
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata, UserMessageItem
from pydantic import TypeAdapter
from pydantic_core import to_json

from chatdock.errors import clip
from chatdock.protocol import frames, ids
from chatdock.storage import attachments, items, threads
from chatdock.storage.connect import open_database
from chatdock.storage.threads import Scope, thread_from_row
from chatdock.storage.times import micros_now, to_micros

if TYPE_CHECKING:
    from typing import Self

    from chatdock.storage.database import Database, Row, Tx
    from chatdock.storage.threads import Order

T = TypeVar("T")
_ATTACHMENT: TypeAdapter[Attachment] = TypeAdapter(Attachment)
_NO_SESSION = ""
_LARGEST_PAGE = 2_147_483_646


class SQLStore(Store[TContext]):
    """Threads, items and attachments in Chatdock's database, each user's on their own.

    `database` is a database URL (`sqlite:///./chatdock.db`), opened at the first use on the loop that runs then, or a
    `Database` that is open already and that somebody else closes. `user` takes the user's id out of the context that
    the server passes along; `project` is a name, or takes one out of the context. A thread, item or attachment of
    another user or project is missing to the caller: `NotFoundError`.

    Items stand in the order in which they were added. Hidden items are among them. Times are stored in UTC and come
    back as chatkit makes them: the machine's local time, without a zone.
    """

    def __init__(
        self,
        database: Database | str,
        *,
        user: Callable[[TContext], str],
        project: str | Callable[[TContext], str] = "default",
    ) -> None:
        self._url = database if isinstance(database, str) else None
        self._open = None if isinstance(database, str) else database
        self._opening = asyncio.Lock()
        self._user = user
        self._project = project

    async def close(self) -> None:
        """Close the database if it was given as a URL; the next use opens it again."""
        if self._url is not None and self._open is not None:
            database, self._open = self._open, None
            await database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Ids

    def generate_thread_id(self, context: TContext) -> str:
        """`cthr_…`, with 96 random bits."""
        return ids.thread_id()

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: TContext) -> str:
        """`cti_…`, with 96 random bits; `cfile_…` for an attachment."""
        return ids.attachment_id() if item_type == "attachment" else ids.item_id()

    # Threads

    async def load_thread(self, thread_id: str, context: TContext) -> ThreadMetadata:
        """A thread, or `NotFoundError`."""

        async def load(tx: Tx, scope: Scope) -> ThreadMetadata:
            return _thread_of(await _find(tx, scope, thread_id))

        return await self._read(context, load)

    async def load_threads(self, limit: int, after: str | None, order: str, context: TContext) -> Page[ThreadMetadata]:
        """At most `limit` of the user's threads by the time of their creation; `desc` is the newest first."""
        direction, size = _order(order), _size(limit)

        async def load(tx: Tx, scope: Scope) -> Page[ThreadMetadata]:
            cursor = None if after is None else await _find(tx, scope, after)
            rows = await threads.page(tx, scope, order=direction, count=size + 1, after=cursor)
            return _page([_thread_of(row) for row in rows[:size]], more=len(rows) > size)

        return await self._read(context, load)

    async def save_thread(self, thread: ThreadMetadata, context: TContext) -> None:
        """Create a thread, or store its title, status, image domains and metadata; its creation time is fixed."""
        domains = thread.allowed_image_domains
        changing: dict[str, Any] = {
            "status": thread.status.type,
            "reason": getattr(thread.status, "reason", None),
            "domains": None if domains is None else orjson.dumps(domains).decode(),
            "metadata": to_json(thread.metadata, inf_nan_mode="null").decode(),
        }

        async def save(tx: Tx, scope: Scope) -> None:
            if await threads.by_id(tx, scope, thread.id) is None:
                if await threads.exists(tx, thread.id):
                    raise _missing("Thread", thread.id)
                await _add_thread(tx, scope, thread)
            await threads.save(tx, thread.id, **changing)
            await threads.rename(tx, thread.id, thread.title)

        await self._write(context, save)

    async def delete_thread(self, thread_id: str, context: TContext) -> None:
        """Delete a thread with everything that belongs to it, or `NotFoundError`."""

        async def delete(tx: Tx, scope: Scope) -> None:
            await _find(tx, scope, thread_id)
            await threads.remove(tx, thread_id)

        await self._write(context, delete)

    # Items

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: TContext
    ) -> Page[ThreadItem]:
        """At most `limit` items beyond the one with the id `after`; `desc` is the newest first."""
        direction, size = _order(order), _size(limit)

        async def load(tx: Tx, scope: Scope) -> Page[ThreadItem]:
            await _find(tx, scope, thread_id)
            cursor = None if after is None else await _find_item(tx, thread_id, after)
            rows = await items.page(tx, thread_id, order=direction, count=size + 1, after=cursor)
            return _page([await _item_of(tx, scope, row) for row in rows[:size]], more=len(rows) > size)

        return await self._read(context, load)

    async def load_item(self, thread_id: str, item_id: str, context: TContext) -> ThreadItem:
        """An item, or `NotFoundError`."""

        async def load(tx: Tx, scope: Scope) -> ThreadItem:
            await _find(tx, scope, thread_id)
            return await _item_of(tx, scope, await _find_item(tx, thread_id, item_id))

        return await self._read(context, load)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Put an item at the end of its thread; one whose id is there already takes that one's place."""
        await self.save_item(thread_id, item, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Store an item in place of the one with its id, or at the end."""
        data = _item_json(thread_id, item)

        async def save(tx: Tx, scope: Scope) -> None:
            await _find(tx, scope, thread_id)
            await items.save(tx, thread_id, item.id, item.type, data)

        await self._write(context, save)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: TContext) -> None:
        """Delete an item if it is there; `NotFoundError` is for the thread.

        chatkit deletes items that were shown and never stored: each that is removed before it is done.
        """

        async def delete(tx: Tx, scope: Scope) -> None:
            await _find(tx, scope, thread_id)
            await items.remove(tx, thread_id, item_id)

        await self._write(context, delete)

    # Attachments

    async def load_attachment(self, attachment_id: str, context: TContext) -> Attachment:
        """An attachment, or `NotFoundError`."""

        async def load(tx: Tx, scope: Scope) -> Attachment:
            row = await attachments.by_id(tx, scope, attachment_id)
            if row is None:
                raise _missing("Attachment", attachment_id)
            return _attachment_of(row)

        return await self._read(context, load)

    async def save_attachment(self, attachment: Attachment, context: TContext) -> None:
        """Store an attachment in place of the user's one with its id."""
        data = attachment.model_dump_json(exclude={"upload_descriptor"})
        descriptor = attachment.upload_descriptor
        upload = None if descriptor is None else descriptor.model_dump_json()
        thread_id, now = attachment.thread_id, micros_now()

        async def save(tx: Tx, scope: Scope) -> None:
            if not await attachments.save(
                tx, scope, attachment.id, thread_id=thread_id, data=data, upload=upload, now=now
            ):
                raise _missing("Attachment", attachment.id)

        await self._write(context, save)

    async def delete_attachment(self, attachment_id: str, context: TContext) -> None:
        """Delete an attachment's record, or `NotFoundError`. The bytes are the attachment store's."""

        async def delete(tx: Tx, scope: Scope) -> None:
            if not await attachments.remove(tx, scope, attachment_id):
                raise _missing("Attachment", attachment_id)

        await self._write(context, delete)

    # What `FileStore` needs where it has no context

    async def attachment_uploaded(self, attachment_id: str) -> bool:
        """Drop an attachment's upload descriptor: its bytes are there. False when there is no such attachment."""
        database = await self._database()
        return await database.write(lambda tx: attachments.uploaded(tx, attachment_id))

    async def forget_unsent_attachments(self, before: datetime) -> None:
        """Delete the records of attachments, of all users, that are older than `before` and that no message took."""
        database = await self._database()
        await database.write(lambda tx: attachments.remove_unsent(tx, to_micros(before)))

    async def without_record(self, attachment_ids: Iterable[str]) -> list[str]:
        """Those of the ids under which no user has an attachment."""
        asked = list(attachment_ids)

        async def look(tx: Tx) -> list[str]:
            return [one for one in asked if not await attachments.exists(tx, one)]

        return await (await self._database()).read(look)

    # The database

    async def _read(self, context: TContext, op: Callable[[Tx, Scope], Awaitable[T]]) -> T:
        scope = self._scope(context)
        return await (await self._database()).read(lambda tx: op(tx, scope))

    async def _write(self, context: TContext, op: Callable[[Tx, Scope], Awaitable[T]]) -> T:
        scope = self._scope(context)
        return await (await self._database()).write(lambda tx: op(tx, scope))

    async def _database(self) -> Database:
        if self._open is not None:
            return self._open
        async with self._opening:
            if self._open is None:
                assert self._url is not None
                self._open = await open_database(self._url)
            return self._open

    def _scope(self, context: TContext) -> Scope:
        project = self._project if isinstance(self._project, str) else self._project(context)
        return Scope(named("project", project), user_id=named("user", self._user(context)))


def named(what: str, value: object) -> str:
    """What a caller's function took out of a context. Never nothing: a scope without a user is everybody's."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{what} must be a text that is not empty; it was {value!r}")
    return value


async def _find(tx: Tx, scope: Scope, thread_id: str) -> Row:
    row = await threads.by_id(tx, scope, thread_id)
    if row is None:
        raise _missing("Thread", thread_id)
    return row


async def _find_item(tx: Tx, thread_id: str, item_id: str) -> Row:
    row = await items.by_id(tx, thread_id, item_id)
    if row is None:
        raise _missing("Item", item_id)
    return row


async def _add_thread(tx: Tx, scope: Scope, thread: ThreadMetadata) -> None:
    await threads.add(
        tx,
        id=thread.id,
        project_id=scope.project_id,
        user_id=scope.user_id,
        session_id=_NO_SESSION,
        created_at=to_micros(thread.created_at),
        title=thread.title,
        status="active",
        status_reason=None,
        allowed_image_domains=None,
        metadata="{}",
        state="{}",
        next_position=1,
    )


def _missing(kind: str, identifier: str) -> NotFoundError:
    return NotFoundError(f"{kind} '{clip(identifier)}' not found")


def _order(order: str) -> Order:
    if order == "asc":
        return "asc"
    if order == "desc":
        return "desc"
    raise ValueError(f"order must be 'asc' or 'desc'; it was {order!r}")


def _size(limit: int) -> int:
    if limit < 1:
        raise ValueError(f"limit must be at least 1; it was {limit}")
    return min(limit, _LARGEST_PAGE)


def _page(data: Sequence[Any], *, more: bool) -> Page[Any]:
    return Page(data=list(data), has_more=more, after=data[-1].id if more else None)


def _thread_of(row: Row) -> ThreadMetadata:
    thread = thread_from_row(row)
    thread.created_at = _local(thread.created_at)
    return thread


def _item_json(thread_id: str, item: ThreadItem) -> str:
    """An item as Chatdock's own API reads it: in UTC, without the metadata of attachments, which clients never see."""
    item = item.model_copy(update={"thread_id": thread_id, "created_at": item.created_at.astimezone(UTC)})
    return frames.dump_item(item).decode()


async def _item_of(tx: Tx, scope: Scope, row: Row) -> ThreadItem:
    item = frames.read_item(row["data"])
    item.created_at = _local(item.created_at)
    if isinstance(item, UserMessageItem):
        for attachment in item.attachments:
            if record := await attachments.by_id(tx, scope, attachment.id):
                attachment.metadata = _attachment_of(record).metadata
    return item


def _attachment_of(row: Row) -> Attachment:
    upload = row["upload"]
    descriptor = None if upload is None else orjson.loads(upload)
    return _ATTACHMENT.validate_python({**orjson.loads(row["data"]), "upload_descriptor": descriptor})


def _local(time: datetime) -> datetime:
    # As chatkit makes them: chatkit.agents subtracts a stored time from datetime.now().
    return time.astimezone().replace(tzinfo=None)
