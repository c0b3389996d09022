"""Threads out of the database, into JSON Lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from chatdock.moving.archive import AttachmentRecord, FeedbackRecord, HostedRecord, ThreadRecord, Writer
from chatdock.storage import attachments, feedback, imports, items, threads
from chatdock.storage.times import to_micros

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import BinaryIO

    from chatdock.storage.database import Database, Row, Tx
    from chatdock.storage.threads import Scope

THREADS = 100
"""How many threads are looked up at once."""
ITEMS = 500
"""How many items of a thread are held at once."""


async def export_threads(
    database: Database,
    scope: Scope,
    sink: BinaryIO,
    *,
    since: datetime | None = None,
    report: Callable[[Writer], None] = lambda writer: None,
) -> Writer:
    """Write the scope's threads, oldest first, with all that belongs to them; `since`: those made then or later.

    A server may write meanwhile: each thread is written as it was at one moment. Returns the writer, which has counted.
    """
    writer = Writer(sink)
    # Every id sorts behind the empty one.
    after: Row | None = None if since is None else {"created_at": to_micros(since), "id": ""}
    while True:
        page = await database.read(
            lambda tx, after=after: threads.page(tx, scope, order="asc", count=THREADS, after=after)  # type: ignore[misc]
        )
        for row in page:
            await database.read(lambda tx, thread_id=row["id"]: _write(tx, scope, thread_id, writer))  # type: ignore[misc]
            report(writer)
        if len(page) < THREADS:
            writer.end()
            return writer
        after = page[-1]


async def _write(tx: Tx, scope: Scope, thread_id: str, writer: Writer) -> None:
    """One thread, read in one transaction; nothing when it was deleted meanwhile."""
    thread = await threads.by_id(tx, scope, thread_id)
    if thread is None:
        return
    domains = thread["allowed_image_domains"]
    writer.record(
        ThreadRecord(
            id=thread_id,
            user=thread["user_id"],
            session=thread["session_id"],
            created_at=thread["created_at"],
            title=thread["title"],
            status=thread["status"],
            status_reason=thread["status_reason"],
            allowed_image_domains=None if domains is None else orjson.loads(domains),
            metadata=orjson.loads(thread["metadata"]),
            state=orjson.loads(thread["state"]),
            next_position=thread["next_position"],
        )
    )
    after = None
    while page := await items.page(tx, thread_id, order="asc", count=ITEMS, after=after):
        for item in page:
            writer.item(item["position"], item["data"])
        after = page[-1]
    for row in await feedback.of_thread(tx, thread_id):
        writer.record(
            FeedbackRecord(item=row["item_id"], user=row["user_id"], kind=row["kind"], created_at=row["created_at"])
        )
    for row in await attachments.of_thread(tx, thread_id):
        writer.record(
            AttachmentRecord(
                id=row["id"], user=row["user_id"], data=orjson.loads(row["data"]), created_at=row["created_at"]
            )
        )
    hosted = await imports.by_id(tx, thread_id)
    if hosted is not None and hosted["stored"] and hosted["project_id"] == scope.project_id:
        writer.record(
            HostedRecord(
                last_item_id=hosted["last_item_id"],
                next_position=hosted["next_position"],
                left_out=orjson.loads(hosted["left_out"]),
            )
        )
    writer.end_thread()
