"""The sweep: what is older than it is kept for goes, a few rows in each transaction, so that no run waits for it."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import structlog

from chatdock.errors import Unavailable
from chatdock.logs import going_on
from chatdock.storage import idempotency, runs, sessions, traces

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from chatdock.settings import Settings
    from chatdock.storage.database import Database, Tx
    from chatdock.storage.times import Clock

    Forget = Callable[[Tx, int, int], Awaitable[int]]

log = structlog.get_logger("chatdock.storage")

RECORDS_KEPT_SECONDS = 24 * 3600
"""How long the records of runs are kept, and Idempotency-Keys, after which they are unknown."""
ROWS = 500
"""How many rows of a table one transaction removes."""
BATCHES = 20
"""How many such transactions one round has for each kind; the next round goes on."""
SETTLED_SECONDS = 60
"""How often the log is emptied, which holds what was deleted for as long."""
COMPACTED_TWICE_SECONDS = 60
"""Runs may be stored as ended a moment after the time that their record gives."""


class Sweep:
    """Looks for what is old every `sweep_interval` seconds, in the database and in what is kept in memory."""

    def __init__(
        self, database: Database, settings: Settings, clock: Clock, caches: Iterable[Callable[[], None]]
    ) -> None:
        self._database = database
        self._clock = clock
        self._interval = settings.sweep_interval
        self._caches = list(caches)
        self._compacted = 0
        self._settled = clock.monotonic()
        records_kept = max(RECORDS_KEPT_SECONDS, settings.run_retention)
        self._kinds: list[tuple[Forget, float]] = [
            (self._compact, settings.run_retention),
            (runs.forget, records_kept),
            (traces.forget, settings.trace_retention),
            (idempotency.forget, RECORDS_KEPT_SECONDS),
            (sessions.forget, settings.session_retention),
        ]
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.get_running_loop().create_task(self._keep_sweeping())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def once(self) -> None:
        """One round. `Unavailable` when the database takes no writes; what else goes wrong holds up its own kind."""
        for forget_cached in self._caches:
            forget_cached()
        for forget, kept in self._kinds:
            before = self._clock.micros() - int(kept * 1_000_000)
            try:
                await self._remove(forget, before)
            except Unavailable:
                raise
            except Exception:
                log.exception("sweep_failed", of=forget.__module__)
        await self._give_back()

    async def _give_back(self) -> None:
        """Let the files shrink to what they hold."""
        for _ in range(BATCHES):
            if not await self._database.shrink():
                break
        if self._clock.monotonic() - self._settled >= SETTLED_SECONDS and await self._database.settle():
            self._settled = self._clock.monotonic()

    async def _remove(self, forget: Forget, before: int) -> None:
        for _ in range(BATCHES):
            if await self._database.write(lambda tx: forget(tx, before, ROWS)) < ROWS:
                break

    async def _compact(self, tx: Tx, before: int, rows: int) -> int:
        since = self._compacted - COMPACTED_TWICE_SECONDS * 1_000_000
        removed = await runs.compact(tx, since, before, rows)
        if removed < rows:
            self._compacted = before
        return removed

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(self._interval * random.uniform(0.75, 1.25))  # noqa: S311 - jitter
            with going_on(log, "sweep_failed"):
                await self.once()
