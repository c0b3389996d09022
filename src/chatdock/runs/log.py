"""The event log of runs, as followers see it: what is stored, then live, then the end.

A batch is published here after its commit, never before. The tail of a live run is kept in memory for those who follow
along; whoever comes late or falls behind reads from the database.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Literal

from chatdock.protocol.frames import KEEP_ALIVE, split
from chatdock.storage import runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chatdock.storage.database import Database, Tx

TAIL_BYTES = 262_144
POLL_SECONDS = 0.25


class LiveRun:
    """The committed tail of a run that this process executes."""

    def __init__(self, run_id: str, first: int, last: int, data: bytes) -> None:
        self.run_id = run_id
        self.ended = False
        self.last = last
        self._batches: deque[tuple[int, int, bytes]] = deque([(first, last, data)])
        self._bytes = len(data)
        self._changed = asyncio.Event()

    def publish(self, first: int, last: int, data: bytes) -> None:
        """Show a committed batch to the followers."""
        self._batches.append((first, last, data))
        self.last = last
        self._bytes += len(data)
        while self._bytes > TAIL_BYTES and len(self._batches) > 1:
            self._bytes -= len(self._batches.popleft()[2])
        self.wake()

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        self.wake()

    def wake(self) -> None:
        """Let every follower look again."""
        self._changed.set()
        self._changed = asyncio.Event()

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

    async def changed(self, seconds: float) -> bool:
        """Wait for more; False when there was none for so long."""
        changed = self._changed
        try:
            async with asyncio.timeout(seconds):
                await changed.wait()
        except TimeoutError:
            return False
        return True


class RunLog:
    """All runs of a database."""

    def __init__(self, database: Database, *, keepalive: float) -> None:
        self._database = database
        self._keepalive = keepalive
        self._live: dict[str, LiveRun] = {}

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
        while True:
            position = after
            rows = await self._database.read(lambda tx, after=after: runs.frames(tx, run_id, after))  # type: ignore[misc]
            for row in rows:
                yield row["last"], _above(row["first"], row["data"], position)
                position = row["last"]
            if position == after:
                return
            after = position

    def follow(self, run_id: str, after: int = 0) -> Follower:
        """A follower of the frames with a sequence number above `after`."""
        return Follower(self, self._database, run_id, after, self._keepalive)


class Follower:
    """One reader of a run: what is stored, then live, then the end; batches oldest first, without gaps."""

    def __init__(self, log: RunLog, database: Database, run_id: str, after: int, keepalive: float) -> None:
        self.run_id = run_id
        self._log = log
        self._database = database
        self._position = after
        self._keepalive = keepalive
        self._live: LiveRun | None = log.live(run_id)
        self._closed = False

    def close(self) -> None:
        """Stop following, also while waiting."""
        self._closed = True
        if self._live:
            self._live.wake()

    async def batches(self) -> AsyncIterator[bytes]:
        """Frames as they are committed; a comment after `keepalive` seconds of silence."""
        while not self._closed:
            live = self._live = self._live or self._log.live(self.run_id)
            data = live.since(self._position) if live else None
            if live and data:
                self._position = live.last
                yield data
            elif live and data is not None:
                if live.ended:
                    return
                if not await live.changed(self._keepalive):
                    yield KEEP_ALIVE
            else:
                progressed = False
                async for last, stored in self._log.stored(self.run_id, self._position):
                    self._position = last
                    progressed = True
                    yield stored
                if progressed or live:
                    continue
                state = await self._look_elsewhere()
                if state == "ended":
                    return
                if state == "silent":
                    yield KEEP_ALIVE

    async def _look_elsewhere(self) -> Literal["more", "silent", "ended"]:
        """Look for frames of a run that another process executes, for at most `keepalive` seconds."""
        for _ in range(max(1, round(self._keepalive / POLL_SECONDS))):
            state = await self._database.read(self._state)
            if state == "more" or self._log.live(self.run_id):
                return "more"
            if state == "ended" or self._closed:
                return "ended"
            await asyncio.sleep(POLL_SECONDS)
        return "silent"

    async def _state(self, tx: Tx) -> Literal["more", "silent", "ended"]:
        run = await runs.by_id(tx, self.run_id)
        if run is None:
            return "ended"
        if await runs.last_sequence(tx, run) > self._position:
            return "more"
        return "ended" if run["status"] in runs.ENDED else "silent"


def _above(first: int, data: bytes, after: int) -> bytes:
    """The frames of a batch that begins with number `first` whose numbers are above `after`."""
    return data if after < first else b"".join(split(data)[after - first + 1 :])
