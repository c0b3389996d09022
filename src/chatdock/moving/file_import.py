"""Threads out of JSON Lines, into the database: each whole or not at all, and none twice."""

from __future__ import annotations

from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import orjson

from chatdock.errors import ApiError, Conflict
from chatdock.moving.archive import (
    AttachmentRecord,
    CheckRecord,
    FeedbackRecord,
    HostedRecord,
    ItemRecord,
    ThreadRecord,
    Unusable,
    read,
)
from chatdock.storage import attachments, feedback, imports, items, threads
from chatdock.storage.threads import Scope

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable
    from typing import BinaryIO

    from chatdock.storage.database import Database, Tx

BATCH = 500
"""How many items one transaction stores."""
AHEAD = 16
"""How many transactions may be on their way to disk: one commit takes several."""

Outcome = Literal["new", "here", "elsewhere", "begun"]


@dataclass(slots=True)
class Tally:
    """What an import did."""

    threads: Counter[Outcome] = field(default_factory=Counter)
    items: int = 0
    """Of new threads."""
    stopped: str | None = None
    """Why nothing was read, or stored, from there on."""


@dataclass(slots=True)
class _Block:
    """A thread on its way in."""

    thread: ThreadRecord
    items: list[ItemRecord] = field(default_factory=list)
    feedback: list[FeedbackRecord] = field(default_factory=list)
    attachments: list[AttachmentRecord] = field(default_factory=list)
    hosted: HostedRecord | None = None
    earlier: int = 0
    """How many items were handed over in earlier transactions."""


async def import_file(
    database: Database,
    source: BinaryIO,
    *,
    project: str = "default",
    report: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Store the threads of a file in `project`. A thread that is there already is left as it is.

    Of a file that was cut or changed, the threads before that place are stored. The tally says what stopped the import.
    """
    tally = Tally()
    on_their_way: deque[tuple[asyncio.Future[Outcome], int]] = deque()

    async def arrive(most: int) -> None:
        while len(on_their_way) > most:
            future, count = on_their_way.popleft()
            try:
                outcome = await future
            except ApiError as error:
                tally.stopped = tally.stopped or str(error)
                continue
            if outcome != "begun":
                tally.threads[outcome] += 1
                tally.items += count if outcome == "new" else 0
                report(tally)

    block: _Block | None = None
    try:
        for record in read(source):
            match record:
                case ThreadRecord():
                    block = _Block(record)
                    continue
                case _ if block is None:
                    raise AssertionError("the archive lets nothing through before a thread")
                case FeedbackRecord():
                    block.feedback.append(record)
                case AttachmentRecord():
                    block.attachments.append(record)
                case HostedRecord():
                    block.hosted = record
                case ItemRecord():
                    block.items.append(record)
                    if len(block.items) < BATCH:
                        continue
                    on_their_way.append((_submit(database, _put, project, block), 0))
                    block = _Block(block.thread, earlier=block.earlier + len(block.items))
                case CheckRecord():
                    on_their_way.append((_submit(database, _finish, project, block), record.items))
                    block = None
            await arrive(AHEAD)
            if tally.stopped is not None:
                break
    except Unusable as error:
        tally.stopped = f"the file cannot be read on: {error}"
    await arrive(0)
    if block is not None:
        unfinished = block.thread.id
        with suppress(ApiError):  # the next import removes it as well
            await database.write(lambda tx: imports.remove_unfinished(tx, unfinished))
    return tally


def _submit(
    database: Database,
    op: Callable[[Tx, str, _Block], Awaitable[Outcome]],
    project: str,
    block: _Block,
) -> asyncio.Future[Outcome]:
    return database.submit(lambda tx: op(tx, project, block))


async def _put(tx: Tx, _project: str, block: _Block) -> Outcome:
    """Some items of a thread that cannot be seen before it is whole."""
    thread_id = block.thread.id
    if not await threads.exists(tx, thread_id):
        if not block.earlier:
            await imports.remove_unfinished(tx, thread_id)
        for item in block.items:
            if not await items.add_missing(tx, thread_id, item.id, item.kind, item.data, position=item.position):
                raise Conflict(f"Another import is storing thread {thread_id}; start again when it has ended.")
    return "begun"


async def _finish(tx: Tx, project: str, block: _Block) -> Outcome:
    """The last items of a thread, and the thread itself."""
    thread = block.thread
    here = await threads.place(tx, thread.id)
    if here is not None:
        return "here" if here["project_id"] == project else "elsewhere"
    await _put(tx, project, block)
    if await items.count(tx, thread.id) != block.earlier + len(block.items):
        raise Conflict(f"Another import is storing thread {thread.id}; start again when it has ended.")
    domains = thread.allowed_image_domains
    await threads.add(
        tx,
        id=thread.id,
        project_id=project,
        user_id=thread.user,
        session_id=thread.session,
        created_at=thread.created_at,
        title=thread.title,
        status=thread.status,
        status_reason=thread.status_reason,
        allowed_image_domains=None if domains is None else orjson.dumps(domains).decode(),
        metadata=orjson.dumps(thread.metadata).decode(),
        state=orjson.dumps(thread.state).decode(),
        next_position=thread.next_position,
    )
    for verdict in block.feedback:
        await feedback.put(
            tx,
            thread_id=thread.id,
            item_id=verdict.item,
            project_id=project,
            user_id=verdict.user,
            kind=verdict.kind,
            now=verdict.created_at,
        )
    for file in block.attachments:
        if await attachments.exists(tx, file.id):
            continue
        await attachments.save(
            tx,
            Scope(project, file.user),
            file.id,
            thread_id=thread.id,
            data=orjson.dumps(file.data).decode(),
            upload=None,
            now=file.created_at,
        )
    if block.hosted is not None:
        await imports.save(
            tx,
            thread.id,
            project,
            last_item_id=block.hosted.last_item_id,
            next_position=block.hosted.next_position,
            stored=True,
            read_at=None,
            left_out=orjson.dumps(block.hosted.left_out).decode(),
        )
    return "new"
