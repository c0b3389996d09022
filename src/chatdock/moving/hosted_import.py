"""Threads of hosted ChatKit into this database, each item once, however often the import is interrupted.

What was read is recorded with it, in the same transaction. A thread cannot be seen before it was read to its end; from
then on it is only continued: what was said here, and what was deleted here, is left alone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import orjson

from chatdock.errors import ApiError, clip
from chatdock.moving.hosted import REFUSED, HostedError, Unreadable, first
from chatdock.protocol.wire import NoWireForm, WireItem, item_from_rest, unknown
from chatdock.storage import imports, items, threads
from chatdock.storage.times import micros_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from chatdock.moving.hosted import Hosted, Page
    from chatdock.storage.database import Database, Op, Row, Tx

FIRST_POSITION = 1
LATEST = 253_402_300_800
"""The year 10000, in Unix seconds: no later time can be shown."""
LEFT_OUT_PAGE = 1000
KNOWN = frozenset({"id", "object", "created_at", "title", "status", "user"})
"""The members of a hosted thread."""

Outcome = Literal["new", "newer", "unchanged", "read", "continued", "parted", "deleted", "other", "elsewhere", "gone"]


@dataclass(slots=True)
class Tally:
    """What an import did."""

    threads: Counter[Outcome] = field(default_factory=Counter)
    items: int = 0
    """Those that were not here before."""
    left_out: Counter[str] = field(default_factory=Counter)
    """What could not be carried over, by kind; at the end, of all imports into the project."""
    parted: list[str] = field(default_factory=list)
    """Threads that were continued here, and at the source too."""
    failed: dict[str, str] = field(default_factory=dict)
    """Threads that could not be read, or not to their end, and why."""
    stopped: str | None = None
    """Why the import ended before it was complete."""

    @property
    def complete(self) -> bool:
        """Whether every thread was read, since this import began."""
        return not self.failed and self.stopped is None


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a thread has been read."""

    last_item_id: str | None = None
    next_position: int = FIRST_POSITION
    stored: bool = False
    read_at: int | None = None
    left_out: str = "{}"


async def import_hosted(
    database: Database,
    hosted: Hosted,
    *,
    project: str = "default",
    user: str | None = None,
    concurrency: int = 4,
    keep_unfinished: bool = False,
    dry_run: bool = False,
    report: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Read every thread of the hosted project, or of one user, into `project`; a dry run reads and stores nothing.

    Threads that an interrupted import has read come last. One that cannot be read to its end is not stored, or with
    `keep_unfinished` as far as it came. `report` hears of progress. What stops the import is told in the tally;
    starting it again goes on from there.
    """
    tally = Tally()
    reader = _Reader(database, hosted, project, keep_unfinished, dry_run, tally, report)

    async def go_over(read: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        waiting: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(maxsize=concurrency)

        async def work() -> None:
            while (thread := await waiting.get()) is not None:
                await read(thread)

        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
            async for thread in hosted.threads(user):
                await waiting.put(thread)
            for _ in range(concurrency):
                await waiting.put(None)

    try:
        await go_over(reader.read)
        if reader.postponed:
            del tally.threads["read"]
            await go_over(reader.read_postponed)
    except* (HostedError, ApiError) as errors:
        tally.stopped = str(first(errors))
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
        keep_unfinished: bool,
        dry_run: bool,
        tally: Tally,
        report: Callable[[Tally], None],
    ) -> None:
        self._database = database
        self._hosted = hosted
        self._project = project
        self._keep_unfinished = keep_unfinished
        self._dry_run = dry_run
        self._tally = tally
        self._report = report
        self.postponed: set[str] = set()
        """Threads that another import has read, by their ids."""

    async def read(self, thread: dict[str, Any], *, again: bool = False) -> None:
        """Store what is new of a thread; `again`: also when another import has read it."""
        try:
            columns, left_out = _columns(thread)
        except ValueError as error:
            self._tally.failed[str(thread.get("id"))] = f"it is not as the API describes it: {error}"
            return
        try:
            outcome = await self._read(columns, left_out, again)
        except Unreadable as error:
            kept = self._keep_unfinished and not self._dry_run and await self._database.write(self._keep(columns))
            self._tally.failed[columns["id"]] = f"{error}; what came before is stored" if kept else str(error)
        else:
            self._tally.threads[outcome] += 1
            if outcome == "read":
                self.postponed.add(columns["id"])
            if outcome == "parted":
                self._tally.parted.append(columns["id"])
        self._report(self._tally)

    async def read_postponed(self, thread: dict[str, Any]) -> None:
        """Store what is new of a thread if it was postponed."""
        if str(thread.get("id")) in self.postponed:
            await self.read(thread, again=True)

    async def _read(self, columns: dict[str, Any], left_out: Counter[str], again: bool) -> Outcome:
        thread_id = columns["id"]
        place, before = await self._database.read(lambda tx: self._look(tx, thread_id))
        if place == "continued" and await self._is_continued_there(thread_id):
            return "parted"
        if not isinstance(place, _Place):
            return place
        if place.read_at is not None and not again:
            return "read"
        try:
            if place.stored:
                return await self._read_newer(columns, place, before)
            return await self._read_new(columns, place, left_out)
        except Unreadable as error:
            if error.status not in REFUSED or await self._hosted.has(thread_id):
                raise
            await self._forget(thread_id)
            return "gone"

    async def _look(self, tx: Tx, thread_id: str) -> tuple[_Place | Outcome, Row | None]:
        """How far a thread has been read, or why it is left alone; and the item before its newest user message."""
        place = await _place(tx, self._project, thread_id)
        stored = isinstance(place, _Place) and place.stored
        return place, await items.before_newest_message(tx, thread_id) if stored else None

    async def _read_new(self, columns: dict[str, Any], place: _Place, left_out: Counter[str]) -> Outcome:
        """Store a thread page by page; it can be seen with the last one."""
        try:
            return await self._read_pages(columns, place, left_out)
        except Unreadable as error:
            if error.status not in REFUSED:
                raise
        # The item that was read last is no more: the user had it answered again. Read from the start.
        await self._forget(columns["id"])
        return await self._read_pages(columns, _Place(), left_out)

    async def _read_pages(self, columns: dict[str, Any], place: _Place, left_out: Counter[str]) -> Outcome:
        if place.last_item_id is not None:
            left_out = Counter()  # it was counted with the first page
        async for page in self._hosted.items(columns["id"], place.last_item_id):
            carried, not_carried = _carried(page.data)
            after = await self._add(columns, place, page, carried, left_out + not_carried)
            if not isinstance(after, _Place):
                return after
            place, left_out = after, Counter()
            self._report(self._tally)
        return "new"

    async def _add(
        self, columns: dict[str, Any], place: _Place, page: Page, carried: list[WireItem], left_out: Counter[str]
    ) -> _Place | Outcome:
        """Store a page of a thread that cannot be seen yet, with how far it is read then."""
        if self._dry_run:
            self._tally.items += len(carried)
            self._tally.left_out += left_out
            return place
        thread_id = columns["id"]

        async def add(tx: Tx) -> _Place | Outcome:
            now = await _place(tx, self._project, thread_id)
            if now != place:
                return _overtaken(now)
            if place.last_item_id is None:
                await imports.remove_unfinished(tx, thread_id)
            position = place.next_position
            for item in carried:
                data = item.data.decode()
                position += await items.add_missing(tx, thread_id, item.id, item.type, data, position=position)
            ended = not page.has_more
            if ended:
                await threads.add(tx, project_id=self._project, next_position=position, **columns)
            reached = _Place(
                page.last_id, position, ended, micros_now() if ended else None, _sum(place.left_out, left_out)
            )
            await self._record(tx, thread_id, reached)
            return reached

        after = await self._database.write(add)
        if isinstance(after, _Place):
            self._tally.items += after.next_position - place.next_position
        return after

    async def _read_newer(self, columns: dict[str, Any], place: _Place, before: Row | None) -> Outcome:
        """Let a thread be as the hosted one is now: from its newest user message on, whose turn may have gone on."""
        thread_id = columns["id"]
        try:
            entries = await self._entries(thread_id, None if before is None else before["id"])
        except Unreadable as error:
            if before is None or error.status not in REFUSED:
                raise
            before, entries = None, await self._entries(thread_id, None)  # that item is no more
        position = FIRST_POSITION if before is None else before["position"] + 1
        run = self._database.read if self._dry_run else self._database.write
        outcome, added, left_out = await run(lambda tx: self._follow(tx, columns, place, position, entries))
        self._tally.items += added
        self._tally.left_out += left_out
        return outcome

    async def _entries(self, thread_id: str, after: str | None) -> list[dict[str, Any]]:
        return [entry async for page in self._hosted.items(thread_id, after) for entry in page.data]

    async def _follow(
        self, tx: Tx, columns: dict[str, Any], place: _Place, position: int, entries: list[dict[str, Any]]
    ) -> tuple[Outcome, int, Counter[str]]:
        """Let these be the thread's items from a position on; how many are new, and what of them is left out."""
        thread_id = columns["id"]
        now = await _place(tx, self._project, thread_id)
        if now != place:
            return _overtaken(now), 0, Counter()
        here = {row["id"]: row["data"] for row in await items.after(tx, thread_id, position - 1)}
        ids = [str(entry.get("id")) for entry in entries]
        read = ids[: ids.index(place.last_item_id) + 1] if place.last_item_id in ids else []
        carried, left_out = _carried(entries, counted={*here, *read})
        # One that stands before the position as well stays there.
        there = {one.id: one for one in carried if one.id in here or not await items.by_id(tx, thread_id, one.id)}
        if here and next(iter(here)) not in there:
            raise Unreadable("messages that are here are no more at the source; they stay, and nothing newer comes")
        changed = here != {item.id: item.data.decode() for item in there.values()}
        if not self._dry_run:
            if changed:
                await items.remove_after(tx, thread_id, position - 1)
                for number, item in enumerate(there.values(), position):
                    await items.add(tx, thread_id, item.id, item.type, item.data.decode(), position=number)
            reached = _Place(
                ids[-1] if ids else place.last_item_id,
                position + len(there) if changed else place.next_position,
                True,
                micros_now(),
                _sum(place.left_out, left_out),
            )
            await threads.follow(
                tx,
                thread_id,
                title=columns["title"],
                status=columns["status"],
                reason=columns["status_reason"],
                next_position=reached.next_position,
            )
            await self._record(tx, thread_id, reached)
        return "newer" if changed else "unchanged", len(there.keys() - here.keys()), left_out

    def _keep(self, columns: dict[str, Any]) -> Op[bool]:
        """Let what was read of a thread be seen, if anything was."""

        async def keep(tx: Tx) -> bool:
            place = await _place(tx, self._project, columns["id"])
            if not isinstance(place, _Place) or place.stored or place.next_position == FIRST_POSITION:
                return False
            await threads.add(tx, project_id=self._project, next_position=place.next_position, **columns)
            await self._record(tx, columns["id"], replace(place, stored=True))
            return True

        return keep

    async def _is_continued_there(self, thread_id: str) -> bool:
        row = await self._database.read(lambda tx: imports.by_id(tx, thread_id))
        try:
            return bool(row and await self._entries(thread_id, row["last_item_id"]))
        except Unreadable as error:
            if error.status not in REFUSED:
                raise
            return await self._hosted.has(thread_id)  # what was read last is no more: it was answered again

    async def _forget(self, thread_id: str) -> None:
        """Remove what was read of a thread that was not stored."""
        if not self._dry_run:
            await self._database.write(lambda tx: imports.remove_unfinished(tx, thread_id))

    async def _record(self, tx: Tx, thread_id: str, place: _Place) -> None:
        await imports.save(tx, thread_id, self._project, **asdict(place))


async def _place(tx: Tx, project: str, thread_id: str) -> _Place | Outcome:
    """How far a thread has been read, or why it is left alone."""
    row, here = await imports.by_id(tx, thread_id), await threads.place(tx, thread_id)
    if (here is not None and here["project_id"] != project) or (row is not None and row["project_id"] != project):
        return "elsewhere"
    if row is None:
        return _Place() if here is None else "other"
    if row["stored"]:
        if here is None:
            return "deleted"
        if here["next_position"] != row["next_position"]:
            return "continued"
    elif here is not None:
        return "other"
    return _Place(row["last_item_id"], row["next_position"], bool(row["stored"]), row["read_at"], row["left_out"])


def _overtaken(now: _Place | Outcome) -> Outcome:
    """What became of a thread that was stored, or changed, by somebody else while it was read."""
    return "read" if isinstance(now, _Place) else now


def _columns(thread: dict[str, Any]) -> tuple[dict[str, Any], Counter[str]]:
    """The columns of a hosted thread, and what of it is left out; `ValueError` when it cannot be stored at all."""
    for name in ("id", "user"):
        if not isinstance(thread.get(name), str):
            raise ValueError(f"its {name} is no text")
    created_at = thread.get("created_at")
    if not isinstance(created_at, int | float) or not 0 <= created_at < LATEST:
        raise ValueError("its created_at is no time in Unix seconds")
    left_out = Counter(unknown(thread, KNOWN, "threads"))
    match thread.get("status"):
        case {"type": "active" | "locked" | "closed" as status, **more}:
            reason = more.get("reason")
        case other:
            status, reason = "active", None
            left_out[f"status {clip(str(other))} of threads, which became 'active'"] += 1
    return {
        "id": thread["id"],
        "user_id": thread["user"],
        "session_id": "",
        "created_at": int(created_at) * 1_000_000,
        "title": _text(thread.get("title")),
        "status": status,
        "status_reason": _text(reason),
        "allowed_image_domains": None,
        "metadata": "{}",
        "state": "{}",
    }, left_out


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _carried(page: list[dict[str, Any]], counted: Collection[str] = ()) -> tuple[list[WireItem], Counter[str]]:
    """Items as they are stored, and what of them cannot be, as far as it was not counted before."""
    carried: list[WireItem] = []
    left_out: Counter[str] = Counter()
    for rest in page:
        try:
            item = item_from_rest(rest)
        except NoWireForm as error:
            missing = Counter([str(error)])
        else:
            carried.append(item)
            missing = item.left_out
        if missing and str(rest.get("id")) not in counted:
            left_out += missing
    return carried, left_out


def _sum(one: str, other: Counter[str]) -> str:
    """JSON of two counts together."""
    return orjson.dumps(Counter(orjson.loads(one)) + other, option=orjson.OPT_SORT_KEYS).decode()


async def _all_left_out(database: Database, project: str) -> Counter[str]:
    found: Counter[str] = Counter()
    after = ""
    while True:
        page = await database.read(
            lambda tx, after=after: imports.page(tx, project, after=after, count=LEFT_OUT_PAGE)  # type: ignore[misc]
        )
        for row in page:
            found.update(orjson.loads(row["left_out"]))
        if len(page) < LEFT_OUT_PAGE:
            return found
        after = page[-1]["thread_id"]
