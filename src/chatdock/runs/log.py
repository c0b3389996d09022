"""The event log of runs, as followers see it: what is stored, then live, then the end.

A batch is published here after its commit, never before. The tail of a live run is kept in memory for those who follow
along; whoever comes late or falls behind reads from the database.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from chatdock.protocol.frames import KEEP_ALIVE, outcome, upgraded, without
from chatdock.protocol.snapshot import Snapshot
from chatdock.storage import runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chatdock.storage.database import Database, Tx

TAIL_BYTES = 262_144
POLL_SECONDS = 0.25
TICK_SECONDS = 1.0


class LiveRun:
    """The committed tail of a run that this process executes."""

    def __init__(self, run_id: str, first: int, last: int, data: bytes) -> None:
        self.run_id = run_id
        self.ended = False
        self.last = last
        self.followers: set[Follower] = set()
        self._batches: deque[tuple[int, int, bytes]] = deque([(first, last, data)])
        self._bytes = len(data)

    def publish(self, first: int, last: int, data: bytes) -> None:
        """Show a committed batch to the followers."""
        self._batches.append((first, last, data))
        self.last = last
        self._bytes += len(data)
        while self._bytes > TAIL_BYTES and len(self._batches) > 1:
            self._bytes -= len(self._batches.popleft()[2])
        self._wake()

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        self._wake()

    def since(self, after: int) -> bytes | None:
        """The frames above `after`; None when some of them are only in the database by now."""
        if after >= self.last:
            return b""
        if after + 1 < self._batches[0][0]:
            return None
        parts: list[bytes] = []
        for first, last, data in reversed(self._batches):
            if last <= after:
                break
            parts.append(_above(first, data, after))
        return b"".join(reversed(parts))

    def _wake(self) -> None:
        for follower in self.followers:
            follower.wake()


class RunLog:
    """All runs of a database."""

    def __init__(self, database: Database, *, keepalive: float, slow_reader_timeout: float) -> None:
        self.slow_reader_timeout = slow_reader_timeout
        self.keepalive = keepalive
        self.database = database
        self._live: dict[str, LiveRun] = {}
        self._followers: set[Follower] = set()
        self._ticking: asyncio.TimerHandle | None = None

    def open(self, run_id: str, first: int, last: int, data: bytes) -> LiveRun:
        """Begin to publish a run whose first batch is committed."""
        live = self._live[run_id] = LiveRun(run_id, first, last, data)
        return live

    def live(self, run_id: str) -> LiveRun | None:
        """The run, if this process publishes it."""
        return self._live.get(run_id)

    def close(self, live: LiveRun) -> None:
        """Publish no more; followers finish with what they have."""
        self._live.pop(live.run_id, None)
        live.end()

    async def stored(self, run_id: str, after: int = 0) -> AsyncIterator[tuple[int, bytes]]:
        """The committed frames above `after`: batches of (last sequence number, frames), oldest first."""
        while batches := await self.stored_page(run_id, after):
            for last, data in batches:
                yield last, data
                after = last

    async def stored_page(self, run_id: str, after: int) -> list[tuple[int, bytes]]:
        """The next few of them."""
        rows = await self.database.read(lambda tx: runs.frames(tx, run_id, after))
        return [(row["last"], _above(row["first"], upgraded(row["data"]), after)) for row in rows]

    async def snapshot(self, run_id: str) -> tuple[Snapshot, int]:
        """What the stored frames of a run add up to, and the number of the last event; folded beside the loop."""
        snapshot, position = Snapshot(), 0
        async for last, data in self.stored(run_id):
            await asyncio.to_thread(snapshot.apply, data)
            # The last frame of a run that has ended is no event: it is left to those who follow.
            position = last - 1 if outcome(data) else last
        return snapshot, position

    def follow(self, run_id: str, after: int = 0) -> Follower:
        """A follower of the frames with a sequence number above `after`; close it when done."""
        follower = Follower(self, run_id, after)
        self._followers.add(follower)
        if self._ticking is None:
            self._tick()
        return follower

    def forget(self, follower: Follower) -> None:
        """The follower follows no more."""
        self._followers.discard(follower)

    def _tick(self) -> None:
        """One timer for all followers: a timer for every frame and reader would cost more than sending it."""
        loop = asyncio.get_running_loop()
        for follower in list(self._followers):
            follower.tick(loop.time())
        seconds = min(TICK_SECONDS, self.keepalive / 2, self.slow_reader_timeout / 2)
        self._ticking = loop.call_later(seconds, self._tick) if self._followers else None


class Follower:
    """One reader of a run: what is stored, then live, then the end; batches oldest first, without gaps."""

    def __init__(self, log: RunLog, run_id: str, after: int) -> None:
        self.run_id = run_id
        self.too_slow = False
        """The reader took nothing for `slow_reader_timeout` seconds and was cut."""
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._position = after
        self._live: LiveRun | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._reader: asyncio.Task[object] | None = None
        self._since = self._loop.time()
        self._silent = False
        self._closed = False

    async def read(self) -> bytes | None:
        """The next frames, a comment after `keepalive` seconds of silence, or None at the end.

        Between two calls the reader is taken to be busy with what it got; see `too_slow`.
        """
        self._reader = None
        self._since = self._loop.time()
        batch = await self._next()
        self._since = self._loop.time()
        self._reader = asyncio.current_task()
        return batch

    def wake(self) -> None:
        """There may be something new."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def close(self) -> None:
        """Stop following, also while waiting."""
        self._closed = True
        self._reader = None
        if self._live is not None:
            self._live.followers.discard(self)
        self._log.forget(self)
        self.wake()

    def tick(self, now: float) -> None:
        """Speak up when it was silent for too long; cut a reader that was busy for too long."""
        if self._reader is not None:
            if now - self._since >= self._log.slow_reader_timeout:
                self.too_slow = True
                self._reader.cancel()
        elif now - self._since >= self._log.keepalive:
            self._silent = True
            self.wake()

    async def _next(self) -> bytes | None:
        while not self._closed:
            if self._silent:
                self._silent = False
                return KEEP_ALIVE
            live = self._live or self._join()
            data = None if live is None else live.since(self._position)
            if live is not None and data is not None:
                if data:
                    self._position = live.last
                    return data
                if live.ended:
                    return None
                await self._wait()
                continue
            batches = await self._log.stored_page(self.run_id, self._position)
            if batches:
                self._position = batches[-1][0]
                return b"".join(data for _, data in batches)
            if live is not None or not await self._more_elsewhere():
                return None  # a run that is executed here and has neither: its thread was deleted
        return None

    def _join(self) -> LiveRun | None:
        live = self._live = self._log.live(self.run_id)
        if live is not None:
            live.followers.add(self)
        return live

    async def _wait(self) -> None:
        self._waiting = self._loop.create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    async def _more_elsewhere(self) -> bool:
        """Wait for frames of a run that another process executes; False when it has ended and no more are kept."""

        async def state(tx: Tx) -> bool | None:
            if await runs.frames(tx, self.run_id, self._position, 1):
                return True
            run = await runs.by_id(tx, self.run_id)
            return False if run is None or run["status"] in runs.ENDED else None

        while not (self._closed or self._silent or self._log.live(self.run_id)):
            more = await self._log.database.read(state)
            if more is not None:
                return more
            await asyncio.sleep(POLL_SECONDS)
        return True


def _above(first: int, data: bytes, after: int) -> bytes:
    """The frames of a batch that begins with number `first` whose numbers are above `after`."""
    return data if after < first else without(data, after - first + 1)
