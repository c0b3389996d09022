"""Threads and their items: for the application's back end (REST) and for the user (the chat protocol)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from chatdock.errors import InvalidRequest, NotFound, clip
from chatdock.protocol import frames, rest
from chatdock.protocol.kinds import HIDDEN_TYPES
from chatdock.protocol.operations import PAGE_DEFAULT
from chatdock.storage import items, runs, threads
from chatdock.storage.page import Bounds, Page
from chatdock.storage.threads import thread_from_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatdock.protocol.operations import ItemsListParams, PageParams
    from chatdock.runs.engine import Engine
    from chatdock.storage.database import Database, Row, Tx
    from chatdock.storage.threads import Order, Scope


class Threads:
    """Everything about threads that starts no run."""

    def __init__(self, database: Database, engine: Engine, page_bytes: int) -> None:
        self._database = database
        self._engine = engine
        self._page_bytes = page_bytes

    # REST

    async def rest_page(
        self, scope: Scope, *, limit: int, order: Order, after: str | None, before: str | None
    ) -> rest.ThreadList:
        """A page of the scope's threads."""

        async def load(tx: Tx) -> Page:
            return await threads.listing(
                tx,
                scope,
                self._bounds(limit),
                order=order,
                after=await _thread_cursor(tx, scope, after, "after"),
                before=await _thread_cursor(tx, scope, before, "before"),
            )

        rows, has_more = await self._database.read(load)
        data = [_rest_thread(row) for row in rows]
        return rest.ThreadList(data=data, first_id=_first(data), last_id=_first(data[::-1]), has_more=has_more)

    async def rest_thread(self, scope: Scope, thread_id: str) -> rest.Thread:
        """One thread."""
        return _rest_thread(await self._database.read(lambda tx: find(tx, scope, thread_id, param="thread_id")))

    async def rest_items(
        self, scope: Scope, thread_id: str, *, limit: int, order: Order, after: str | None, before: str | None
    ) -> rest.ItemList:
        """A page of a thread's items, those that have a REST shape."""

        async def load(tx: Tx) -> Page:
            await find(tx, scope, thread_id, param="thread_id")
            return await items.listing(
                tx,
                thread_id,
                self._bounds(limit),
                order=order,
                after=await _item_cursor(tx, thread_id, after, "after"),
                before=await _item_cursor(tx, thread_id, before, "before"),
                only="rest",
            )

        rows, has_more = await self._database.read(load)
        data = [rest.item_from_wire(orjson.loads(row["data"])) for row in rows]
        return rest.ItemList(data=data, first_id=_first(data), last_id=_first(data[::-1]), has_more=has_more)

    async def delete(self, scope: Scope, thread_id: str, *, param: str = "params.thread_id") -> None:
        """Delete a thread with everything in it; a live run of it ends."""

        async def delete(tx: Tx) -> None:
            await find(tx, scope, thread_id, param=param)
            await threads.remove(tx, thread_id)

        await self._database.write(delete)
        self._engine.forget_thread(thread_id)

    # The chat protocol

    async def get(self, scope: Scope, thread_id: str) -> bytes:
        """A thread with its first page of items, oldest first, and its live run, as JSON."""

        async def load(tx: Tx) -> tuple[Row, Page, dict[str, Any] | None]:
            thread = await find(tx, scope, thread_id)
            page = await items.listing(tx, thread_id, self._bounds(PAGE_DEFAULT), order="asc", only="visible")
            for run in (await runs.unfinished(tx, thread_id))[:1]:
                return thread, page, {"id": run["id"], "sequence": await runs.last_sequence(tx, run)}
            return thread, page, None

        thread, page, active = await self._database.read(load)
        extra = b"" if active is None else b',"active_run":' + orjson.dumps(active)
        return frames.thread_json(thread_from_row(thread), _wire_items(page), extra)

    async def page(self, scope: Scope, wanted: PageParams) -> bytes:
        """A page of the user's threads, without items, as JSON. A session without history lists none."""
        if scope.session_id is not None and scope.recent is None:
            return _wire_page([], Page([], has_more=False))

        async def load(tx: Tx) -> Page:
            after = await _thread_cursor(tx, scope, wanted.after, "params.after")
            return await threads.listing(tx, scope, self._bounds(wanted.page_size), order=wanted.order, after=after)

        page = await self._database.read(load)
        return _wire_page([frames.thread_json(thread_from_row(row)) for row in page.rows], page)

    async def items(self, scope: Scope, wanted: ItemsListParams) -> bytes:
        """A page of a thread's items, without hidden context, as JSON."""

        async def load(tx: Tx) -> Page:
            await find(tx, scope, wanted.thread_id)
            after = await _item_cursor(tx, wanted.thread_id, wanted.after, "params.after")
            bounds = self._bounds(wanted.page_size)
            return await items.listing(tx, wanted.thread_id, bounds, order=wanted.order, after=after, only="visible")

        return _wire_items(await self._database.read(load))

    async def rename(self, scope: Scope, thread_id: str, title: str) -> bytes:
        """Give a thread its user's title; returns the thread as JSON."""

        async def rename(tx: Tx) -> Row:
            await find(tx, scope, thread_id)
            await threads.rename(tx, thread_id, title)
            return await find(tx, scope, thread_id)

        thread = thread_from_row(await self._database.write(rename))
        self._engine.renamed(thread_id, title)
        return frames.thread_json(thread)

    def _bounds(self, records: int) -> Bounds:
        return Bounds(records, self._page_bytes)


async def find(tx: Tx, scope: Scope, thread_id: str, *, param: str = "params.thread_id") -> Row:
    """A thread that the scope may see, or `NotFound`."""
    thread = await threads.by_id(tx, scope, thread_id)
    if thread is None:
        raise NotFound("Thread", thread_id, param=param)
    return thread


async def find_item(tx: Tx, thread_id: str, item_id: str, *, param: str = "params.item_id") -> Row:
    """An item of a thread that its user may see, or `NotFound`."""
    item = await items.by_id(tx, thread_id, item_id)
    if item is None or item["type"] in HIDDEN_TYPES:
        raise NotFound("Item", item_id, param=param)
    return item


async def _thread_cursor(tx: Tx, scope: Scope, cursor: str | None, param: str) -> Row | None:
    if cursor is None:
        return None
    return _known(await threads.by_id(tx, scope, cursor), cursor, param)


async def _item_cursor(tx: Tx, thread_id: str, cursor: str | None, param: str) -> Row | None:
    if cursor is None:
        return None
    row = await items.by_id(tx, thread_id, cursor)
    return _known(None if row is None or row["type"] in HIDDEN_TYPES else row, cursor, param)


def _known(row: Row | None, cursor: str, param: str) -> Row:
    if row is None:
        name = param.rpartition(".")[2]
        raise InvalidRequest(
            f"{name}: no such cursor '{clip(cursor)}'; give the id of an element of this list.",
            param=param,
            code="invalid_cursor",
        )
    return row


def _first(data: Sequence[rest.Thread] | Sequence[rest.Item]) -> str | None:
    return data[0].id if data else None


def _rest_thread(row: Row) -> rest.Thread:
    status: dict[str, Any] = {"type": row["status"]}
    if row["status"] != "active":
        status["reason"] = row["status_reason"]
    return rest.Thread.model_validate(
        {
            "id": row["id"],
            "created_at": row["created_at"] // 1_000_000,
            "title": row["title"],
            "status": status,
            "user": row["user_id"],
        }
    )


def _wire_items(page: Page) -> bytes:
    return _wire_page([row["data"].encode() for row in page.rows], page)


def _wire_page(shown: list[bytes], page: Page) -> bytes:
    """A page as chatkit's `Page`: `after` is the id to go on from."""
    after = b',"after":' + orjson.dumps(page.rows[-1]["id"]) if page.has_more else b""
    more = b"true" if page.has_more else b"false"
    return b'{"data":[%b],"has_more":%b%b}' % (b",".join(shown), more, after)
