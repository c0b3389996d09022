"""Threads of hosted ChatKit into this database, each item once, however often the import is interrupted.

What was read is recorded with it, in the same transaction. A thread cannot be seen before it was read to its end; from
then on it is only continued: what was said here, and what was deleted here, is left alone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import orjson

from chatdock.errors import ApiError
from chatdock.moving.hosted import HostedError, Unreadable
from chatdock.protocol.wire import NoWireForm, WireItem, item_from_rest
from chatdock.storage import imports, items, threads
from chatdock.storage.times import to_micros

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatdock.moving.hosted import Hosted, Page
    from chatdock.storage.database import Database, Tx

PASS = 24 * 3600 * 1_000_000
"""An import that was interrupted goes on for so long without asking again for what it read, in microseconds."""
FIRST_POSITION = 1
LATEST = 253_402_300_800
"""The year 10000, in Unix seconds: no later time can be shown."""
LEFT_OUT_PAGE = 1000

Outcome = Literal["new", "newer", "unchanged", "read", "continued", "deleted", "other", "elsewhere", "gone"]


@dataclass(slots=True)
class Tally:
    """What an import did."""

    threads: Counter[Outcome] = field(default_factory=Counter)
    items: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """What could not be carried over, by kind; at the end, of all imports into the project."""
    failed: dict[str, str] = field(default_factory=dict)
    """Threads that could not be read to their end, and why."""
    malformed: int = 0
    """Threads that are not as the API describes them."""
    stopped: str | None = None
    """Why the import ended before it was complete."""

    @property
    def complete(self) -> bool:
        """Whether every thread was read."""
        return not self.failed and not self.malformed and self.stopped is None


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a thread has been read."""

    outcome: Outcome
    """`new` or `newer` when it has to be read on, else why not."""
    last_item_id: str | None = None
    next_position: int = FIRST_POSITION
    stored: bool = False
    left_out: str = "{}"


async def import_hosted(
    database: Database,
    hosted: Hosted,
    *,
    project: str = "default",
    user: str | None = None,
    concurrency: int = 4,
    dry_run: bool = False,
    report: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Read every thread of the hosted project, or of one user, into `project`; a dry run reads and stores nothing.

    `report` hears of progress. What stops the import is told in the tally; starting it again goes on from there.
    """
    tally = Tally()
    waiting: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(maxsize=concurrency)
    reader = _Reader(database, hosted, project, dry_run, tally, report)

    async def work() -> None:
        while (thread := await waiting.get()) is not None:
            await reader.read(thread)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
            async for thread in hosted.threads(user):
                await waiting.put(thread)
            for _ in range(concurrency):
                await waiting.put(None)
    except* (HostedError, ApiError) as errors:
        tally.stopped = str(_first(errors))
    if not dry_run:
        if tally.stopped is None:
            await database.write(lambda tx: imports.pass_over(tx, project))
        tally.left_out = await _all_left_out(database, project)
    return tally


class _Reader:
    """Reads one thread after the other."""

    def __init__(
        self,
        database: Database,
        hosted: Hosted,
        project: str,
        dry_run: bool,
        tally: Tally,
        report: Callable[[Tally], None],
    ) -> None:
        self._database = database
        self._hosted = hosted
        self._project = project
        self._dry_run = dry_run
        self._tally = tally
        self._report = report

    async def read(self, thread: dict[str, Any]) -> None:
        """Store what is new of a thread."""
        try:
            columns = _columns(thread)
        except (KeyError, TypeError, ValueError):
            self._tally.malformed += 1
            return
        try:
            outcome = await self._read(columns)
        except Unreadable as error:
            self._tally.failed[columns["id"]] = str(error)
        else:
            self._tally.threads[outcome] += 1
        self._report(self._tally)

    async def _read(self, columns: dict[str, Any]) -> Outcome:
        thread_id = columns["id"]
        place = await self._database.read(lambda tx: _place(tx, self._project, thread_id))
        if place.outcome not in {"new", "newer"}:
            return place.outcome
        read = 0
        while True:
            try:
                page = await self._hosted.items(thread_id, place.last_item_id)
            except Unreadable as error:
                if error.status not in {400, 404}:
                    raise
                if not await self._hosted.has(thread_id):
                    return "gone"
                if place.last_item_id is None:
                    raise
                # The item that was read last is no more: the user had it answered again. Read from the start.
                place = await self._restart(place, thread_id)
                continue
            carried, left_out = _carried(page)
            read += len(carried)
            after = await self._store(columns, place, page, carried, left_out)
            if after.outcome not in {"new", "newer"}:
                return after.outcome
            self._tally.items += len(carried)
            self._report(self._tally)
            if not page.has_more:
                return "new" if not place.stored else "newer" if read else "unchanged"
            place = after

    async def _store(
        self, columns: dict[str, Any], place: _Place, page: Page, carried: list[WireItem], left_out: Counter[str]
    ) -> _Place:
        """Store a page with how far the thread is read then."""
        if self._dry_run:
            self._tally.left_out += left_out
            return _Place(place.outcome, page.last_id)
        return await self._database.write(lambda tx: self._store_page(tx, columns, place, page, carried, left_out))

    async def _store_page(
        self,
        tx: Tx,
        columns: dict[str, Any],
        place: _Place,
        page: Page,
        carried: list[WireItem],
        left_out: Counter[str],
    ) -> _Place:
        thread_id = columns["id"]
        now = await _place(tx, self._project, thread_id)
        if now != place:  # somebody went on here, or another import did
            return now if now.outcome not in {"new", "newer"} else _Place("read")
        if not place.stored and place.last_item_id is None:
            await items.remove_all(tx, thread_id)  # of another import that was interrupted
        position = place.next_position
        for item in carried:
            added = await items.add_missing(tx, thread_id, item.id, item.type, item.data.decode(), position=position)
            position += added
        ended = not page.has_more
        if place.stored:
            await threads.follow(
                tx,
                thread_id,
                title=columns["title"],
                status=columns["status"],
                reason=columns["status_reason"],
                next_position=position,
            )
        elif ended:
            await threads.add(tx, project_id=self._project, next_position=position, **columns)
        reached = _Place(
            place.outcome,
            page.last_id,
            position,
            place.stored or ended,
            orjson.dumps(Counter(orjson.loads(place.left_out)) + left_out, option=orjson.OPT_SORT_KEYS).decode(),
        )
        await self._record(tx, thread_id, reached, read_at=_now() if ended else None)
        return reached

    async def _restart(self, place: _Place, thread_id: str) -> _Place:
        fresh = _Place(place.outcome, stored=place.stored)
        if self._dry_run:
            return fresh

        async def restart(tx: Tx) -> _Place:
            now = await _place(tx, self._project, thread_id)
            if now != place:
                raise Unreadable("another import, or a user, changed the thread meanwhile")
            await items.remove_all(tx, thread_id)
            await threads.set_next_position(tx, thread_id, FIRST_POSITION)
            await self._record(tx, thread_id, fresh, read_at=None)
            return fresh

        return await self._database.write(restart)

    async def _record(self, tx: Tx, thread_id: str, place: _Place, *, read_at: int | None) -> None:
        await imports.save(
            tx,
            thread_id,
            self._project,
            last_item_id=place.last_item_id,
            next_position=place.next_position,
            stored=place.stored,
            read_at=read_at,
            left_out=place.left_out,
        )


async def _place(tx: Tx, project: str, thread_id: str) -> _Place:
    """How far a thread has been read, and whether it has to be read on."""
    row, here = await imports.by_id(tx, thread_id), await threads.place(tx, thread_id)
    if (here is not None and here["project_id"] != project) or (row is not None and row["project_id"] != project):
        return _Place("elsewhere")
    if row is None:
        return _Place("new" if here is None else "other")
    if row["stored"]:
        if here is None:
            return _Place("deleted")
        if here["next_position"] != row["next_position"]:
            return _Place("continued")
        if row["read_at"] is not None and _now() - row["read_at"] < PASS:
            return _Place("read")
    elif here is not None:
        return _Place("other")
    return _Place(
        "newer" if row["stored"] else "new",
        row["last_item_id"],
        row["next_position"],
        bool(row["stored"]),
        row["left_out"],
    )


def _columns(thread: dict[str, Any]) -> dict[str, Any]:
    """The columns of a hosted thread; an exception when it is not as the API describes it."""
    status = thread["status"]
    if status["type"] not in {"active", "locked", "closed"}:
        raise ValueError(status["type"])
    title, reason, user = thread.get("title"), status.get("reason"), thread["user"]
    if not all(value is None or isinstance(value, str) for value in (title, reason)) or not isinstance(user, str):
        raise TypeError("text expected")
    created_at = int(thread["created_at"])
    if not 0 <= created_at < LATEST:
        raise ValueError(created_at)
    return {
        "id": thread["id"],
        "user_id": user,
        "session_id": "",
        "created_at": created_at * 1_000_000,
        "title": title,
        "status": status["type"],
        "status_reason": reason,
        "allowed_image_domains": None,
        "metadata": "{}",
        "state": "{}",
    }


def _carried(page: Page) -> tuple[list[WireItem], Counter[str]]:
    """A page's items as they are stored, and what of them cannot be."""
    carried: list[WireItem] = []
    left_out: Counter[str] = Counter()
    for rest in page.data:
        try:
            item = item_from_rest(rest)
        except NoWireForm as error:
            left_out[str(error)] += 1
        else:
            carried.append(item)
            left_out += item.left_out
    return carried, left_out


async def _all_left_out(database: Database, project: str) -> Counter[str]:
    found: Counter[str] = Counter()
    after = ""
    while True:
        page = await database.read(
            lambda tx, after=after: imports.left_out(tx, project, after=after, count=LEFT_OUT_PAGE)  # type: ignore[misc]
        )
        for row in page:
            found.update(orjson.loads(row["left_out"]))
        if len(page) < LEFT_OUT_PAGE:
            return found
        after = page[-1]["thread_id"]


def _now() -> int:
    return to_micros(datetime.now(UTC))


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
