"""Begins traces, stores them in batches beside the runs, and hands them to the exporter."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import orjson
import structlog

from chatdock.storage import traces
from chatdock.tracing import sources
from chatdock.tracing.export import open_exporter
from chatdock.tracing.trace import Span, Trace, Whose

if TYPE_CHECKING:
    from typing import Any, Unpack

    from chatdock.settings import Settings
    from chatdock.storage.database import Database, Tx
    from chatdock.storage.times import Clock

log = structlog.get_logger("chatdock.tracing")

BATCH_SECONDS = 0.2
MAX_BATCH = 256
"""How many records go into one operation of the database, which runs wait for."""
MAX_WAITING = 20_000
"""How many changes may wait to be stored; what comes on top is lost."""


class Tracer:
    """Traces the turns of one world. Nothing that goes wrong here reaches a run: it is logged, once."""

    def __init__(self, database: Database, settings: Settings, clock: Clock) -> None:
        self.clock = clock
        self._database = database
        self._stores = settings.trace_retention > 0
        self._content = settings.trace_content
        self._exporter = open_exporter()
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Trace | Span] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._storing: asyncio.Task[None] | None = None
        self._closed = False
        self._complained = False
        sources.prepare()

    @property
    def keeps(self) -> bool:
        """Whether traces are stored or exported."""
        return self._stores or self._exporter is not None

    def begin(self, *, wanted: bool, **whose: Unpack[Whose]) -> Trace | None:
        """The trace of a turn that begins now; None when it is not `wanted`, or would be kept nowhere."""
        sources.connect()
        if not wanted or not self.keeps:
            return None
        return Trace(self, content=self._content, **whose)

    async def close(self) -> None:
        """Store and export what there is."""
        if self._timer is not None:
            self._timer.cancel()
        if self._storing is not None:
            await self._storing
        await self._store()
        self._closed = True
        if self._exporter is not None:
            await self._exporter.close()

    def changed(self, record: Trace | Span) -> None:
        """Let it be stored, soon."""
        if self._closed or not self._stores:
            return
        if len(self._waiting) >= MAX_WAITING:
            self._complain("more waits than can be stored")
            return
        self._waiting.append(record)
        if self._timer is None:
            self._loop.call_soon_threadsafe(self._schedule)

    def ended(self, record: Trace | Span) -> None:
        """Let it be stored and exported."""
        self.changed(record)
        if self._exporter is not None and not self._closed:
            self._exporter.export(record)

    def _schedule(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = self._loop.call_later(BATCH_SECONDS, self._begin_storing)

    def _begin_storing(self) -> None:
        self._storing = self._loop.create_task(self._store())

    async def _store(self) -> None:
        """Write what waits, a batch at a time; a record that changed more than once is written once."""
        while self._waiting:
            batch: dict[Trace | Span, None] = {}
            while self._waiting and len(batch) < MAX_BATCH:
                batch[self._waiting.popleft()] = None
            rows = [(isinstance(record, Trace), record.columns()) for record in batch]
            for is_trace, columns in rows:
                if not is_trace:
                    columns["attributes"] = orjson.dumps(columns["attributes"]).decode()

            async def save(tx: Tx, rows: list[tuple[bool, dict[str, Any]]] = rows) -> None:
                for is_trace, columns in rows:
                    await (traces.save_trace if is_trace else traces.save_span)(tx, columns)

            try:
                await self._database.write(save)
                self._complained = False
            except Exception as error:
                self._complain(error)
        self._timer = None
        if self._waiting:  # from another thread, a moment ago
            self._schedule()

    def _complain(self, why: Exception | str) -> None:
        if not self._complained:
            self._complained = True
            log.error("traces_lost", error=why)
