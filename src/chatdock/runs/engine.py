"""The engine: starts runs, keeps their leases, ends those that lost their owner.

A run is executed by whoever holds its lease. `begin` is the way in for a run that was just accepted here, `_claim` for
one that waited; recovery ends orphans through the same conditional updates that everybody uses.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from typing import TYPE_CHECKING

import structlog

from chatdock.errors import Unavailable
from chatdock.logs import going_on
from chatdock.protocol import frames
from chatdock.runs.changes import cancel_note
from chatdock.runs.execution import LOST, Execution, Stop
from chatdock.runs.recorder import Recorder, finish_drafts
from chatdock.runs.work import Unreadable, Work, load_turn
from chatdock.storage import items, runs, threads

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from chatdock.metrics import Metrics
    from chatdock.runs.log import LiveRun, RunLog
    from chatdock.runs.recorder import Standing
    from chatdock.settings import Settings
    from chatdock.storage.database import Database, Op, Row, Tx
    from chatdock.storage.times import Clock
    from chatdock.tracing.tracer import Tracer
    from chatdock.workflows.registry import Registry
    from chatdock.workflows.turn import Turn

log = structlog.get_logger("chatdock.runs")

CANCEL_SECONDS = 8.0
"""How long a cancel waits for the end that it asked for."""
INTERRUPTED = "The answer was interrupted. What was there of it has been kept."


class Engine:
    """Executes the runs of one process."""

    def __init__(
        self,
        database: Database,
        run_log: RunLog,
        registry: Registry,
        settings: Settings,
        metrics: Metrics,
        tracer: Tracer,
        clock: Clock,
    ) -> None:
        self.owner = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(4).hex()}"
        self.draining = False
        self._database = database
        self._log = run_log
        self._registry = registry
        self._settings = settings
        self._metrics = metrics
        self._tracer = tracer
        self._clock = clock
        self._executions: dict[str, Execution] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._let_go: set[str] = set()
        self._strays: set[str] = set()

    @property
    def live_runs(self) -> int:
        """How many runs this process executes now."""
        return len(self._executions)

    async def start(self) -> None:
        """End what an earlier process left behind, start what waits, and keep watch."""
        async with self._database.alone() as alone:
            await self._recover(all_foreign=alone)
        self._spawn(self._keep_leases())
        self._spawn(self._keep_recovering())

    async def drain(self) -> None:
        """Refuse new runs, give live ones `drain_timeout` seconds, then end them and keep what they said."""
        self.draining = True
        deadline = asyncio.get_running_loop().time() + self._settings.drain_timeout
        while self._executions and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.05)
        await self._stop_all(list(self._executions.values()), Stop.SHUTDOWN)

    async def close(self) -> None:
        """Stop at once; runs that are still live end as interrupted."""
        self.draining = True
        await self._stop_all(list(self._executions.values()), Stop.SHUTDOWN)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    def refuse_when_draining(self) -> None:
        """`Unavailable` when the server is stopping."""
        if self.draining:
            raise Unavailable("The server is stopping. Try again in a moment.", code="server_stopping", retry_after=2)

    def begin(self, live: LiveRun, turn: Turn, work: Work, fence: int) -> None:
        """Execute a run that is committed as running under this owner."""
        workflow = self._registry.find(work.workflow_id, work.workflow_version)
        thread_id = turn.thread.id
        turn.tool_call_limit = self._settings.run_tool_call_limit
        turn.models = {} if workflow is None else workflow.models
        turn.trace = self._tracer.begin(
            wanted=work.tracing,
            run_id=live.run_id,
            thread_id=thread_id,
            project_id=work.project_id,
            user_id=work.user_id,
            workflow_id=work.workflow_id,
            workflow_version=work.workflow_version if workflow is None else workflow.version,
        )

        def on_end(outcome: str) -> None:
            self._executions.pop(live.run_id, None)
            self._log.close(live)
            if outcome == LOST:
                self._let_go.add(live.run_id)
            self._metrics.runs_ended.labels(outcome).inc()
            if execution.limit is not None:
                self._metrics.limits_reached.labels(execution.limit).inc()
            self._metrics.runs_live.set(len(self._executions))
            if self._settings.multitask_strategy != "reject":
                self.start_next(thread_id)

        async def on_late_title(title: str) -> None:
            await self._database.write(lambda tx: threads.set_title_once(tx, thread_id, title))

        execution = Execution(
            live.run_id,
            turn,
            work,
            time_limit=(workflow and workflow.time_limit) or self._settings.run_time_limit,
            on_end=on_end,
            on_late_title=on_late_title,
            spawn=self._spawn,
        )
        recorder = Recorder(
            self._database,
            live,
            turn,
            clock=self._clock,
            fence=fence,
            output_limit=self._settings.run_output_limit,
            on_answer=execution.answered,
            on_failure=execution.lost,
        )
        self._executions[live.run_id] = execution
        self._metrics.runs_live.set(len(self._executions))
        execution.start(workflow, recorder)

    async def standing(self, run_id: str) -> Standing | None:
        """What a run adds up to now, all of it stored; None when it is not executed here."""
        execution = self._executions.get(run_id)
        return None if execution is None else await execution.standing()

    def let_go(self, run_id: str) -> None:
        """A run that is ours is not executed: the next looks at our runs end it."""
        self._let_go.add(run_id)

    async def cancel(self, thread_id: str, *, only: str | None = None) -> None:
        """Record that the thread's unfinished runs, or one of them, are to end, and wait until they have."""
        run_ids = await self._database.write(lambda tx: runs.request_cancel(tx, thread_id, only))
        self.stop_here(run_ids)
        deadline = asyncio.get_running_loop().time() + CANCEL_SECONDS
        while run_ids and asyncio.get_running_loop().time() < deadline:
            if not any(run_id in self._executions for run_id in run_ids):
                await self._claim_next(thread_id)
            for run_id in run_ids:
                if execution := self._executions.get(run_id):
                    await execution.ended()
            unfinished = await self._database.read(lambda tx: runs.unfinished(tx, thread_id))
            run_ids = [run["id"] for run in unfinished if run["id"] in run_ids]
            if run_ids and not any(run_id in self._executions for run_id in run_ids):
                await asyncio.sleep(0.02)  # behind another run, or executed by another server

    def stop_here(self, run_ids: list[str]) -> None:
        """Stop those of the runs that this process executes; their cancellation is recorded already."""
        for run_id in run_ids:
            if execution := self._executions.get(run_id):
                execution.stop(Stop.CANCELLED)

    def renamed(self, thread_id: str, title: str) -> None:
        """The user has named the thread: tell its live run, if it is executed here."""
        for execution in self._executions.values():
            if execution.thread_id == thread_id:
                execution.renamed(title)

    def forget_thread(self, thread_id: str) -> None:
        """The thread was deleted: let go of its runs without storing anything."""
        for execution in list(self._executions.values()):
            if execution.thread_id == thread_id:
                execution.stop(Stop.LOST)

    def start_next(self, thread_id: str) -> None:
        """Start the thread's next queued run, unless one is running."""
        if not self.draining:
            self._spawn(self._claim_next(thread_id))

    # Recovery and housekeeping

    async def _claim_next(self, thread_id: str) -> None:
        unfinished = await self._database.read(lambda tx: runs.unfinished(tx, thread_id))
        if unfinished and unfinished[0]["status"] == "queued":
            await self._claim(unfinished[0])

    async def _claim(self, queued: Row) -> None:
        """Take a queued run and execute it: what it answers now stands at the end of its thread."""
        run_id, thread_id = queued["id"], queued["thread_id"]

        async def claim(tx: Tx) -> Row | None:
            claimed = await runs.claim(tx, run_id, thread_id, self.owner, self._settings.lease)
            if claimed is not None:
                # What it answers stands at the end of its thread now, and before what still waits.
                for run in await runs.unfinished(tx, thread_id):
                    answers = Work.read(run["input"])
                    if answers is not None and answers.kind == "message" and answers.item_id:
                        await items.move_to_end(tx, thread_id, answers.item_id)
            return claimed

        claimed = await self._database.write(claim)
        if claimed is None:
            return
        self._let_go.add(run_id)  # until it is executed: what comes in between may fail
        try:
            await self._begin_claimed(claimed)
        except Unavailable:
            raise
        except Exception as error:
            unreadable = isinstance(error, Unreadable)
            log.error("run_not_begun", run=run_id, error=str(error) if unreadable else None, exc_info=not unreadable)
            await self._end(claimed, "it could not be begun")
        self._let_go.discard(run_id)

    async def _begin_claimed(self, claimed: Row) -> None:
        run_id, work = claimed["id"], Work.from_json(claimed["input"])
        turn = await load_turn(self._database, work, claimed["thread_id"], claimed["session_id"])
        if turn is None:
            await self._end(claimed, "its thread is gone")
            return
        stored = await self._log.stored_page(run_id, 0)  # what it was accepted with
        last = stored[-1][0] if stored else 0
        live = self._log.open(run_id, 1, last, b"".join(data for _, data in stored))
        self.begin(live, turn, work, claimed["fence"])
        if claimed["cancel_requested"]:
            self.stop_here([run_id])

    async def _recover(self, *, all_foreign: bool) -> None:
        """End running runs whose owner is gone; start queued ones. One that fails keeps no other from it."""
        for orphan in await self._database.read(lambda tx: runs.orphans(tx, self.owner, all_foreign=all_foreign)):
            await self._end_orphan(orphan)
        for queued in await self._database.read(runs.queued):
            if not self.draining:
                with going_on(log, "run_not_claimed", run=queued["id"]):
                    await self._claim(queued)

    async def _end_orphan(self, orphan: Row) -> None:
        with going_on(log, "run_not_ended", run=orphan["id"]):
            taken = await self._database.write(
                lambda tx: runs.take_over(tx, orphan["id"], orphan["fence"], self.owner, self._settings.lease)
            )
            if taken is not None:
                await self._end(taken, "its server died")

    async def _end(self, taken: Row, why: str) -> None:
        """Keep the partial answer, offer a retry. The model is not asked again: that may have cost and done things."""
        run_id, thread_id = taken["id"], taken["thread_id"]
        finished: list[tuple[bytes, Op[Any] | None]] = []
        try:
            snapshot, _ = await self._log.snapshot(run_id)
            finished = finish_drafts(snapshot, thread_id)
            await self._store_end(taken, why, finished)
        except Unavailable:
            raise
        except Exception:  # what it said cannot be kept, and its thread must be free all the same
            log.exception("answer_not_kept", run=run_id)
            await self._store_end(taken, why, [])

    async def _store_end(self, taken: Row, why: str, finished: list[tuple[bytes, Op[Any] | None]]) -> None:
        run_id, cancelled = taken["id"], bool(taken["cancel_requested"])
        payloads = [payload for payload, _ in finished]
        changes = [change for _, change in finished if change is not None]
        if cancelled:
            changes.append(cancel_note(taken["thread_id"]))
        else:
            payloads.append(frames.error_event(INTERRUPTED, allow_retry=True))
        outcome = "cancelled" if cancelled else "failed"

        async def end(tx: Tx) -> tuple[int, int, bytes] | None:
            first = await runs.last_sequence(tx, taken) + 1
            last = first + len(payloads)
            data = frames.batch(run_id, last - 1, payloads) + frames.terminal(outcome)
            now = self._clock.micros()
            if not await runs.end(
                tx, run_id, taken["fence"], outcome=outcome, first=first, last=last, data=data, now=now, error=why
            ):
                return None
            for change in changes:
                await change(tx)
            return first, last, data

        ended = await self._database.write(end)
        if ended is None:
            return
        if live := self._log.live(run_id):
            live.publish(*ended)
            self._log.close(live)
        self._metrics.runs_ended.labels("orphaned").inc()
        log.warning("run_orphaned", run=run_id, outcome=outcome)

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease / 10)
            if not self._executions and not self._let_go:
                continue
            with going_on(log, "heartbeat_failed"):
                rows = await self._database.write(lambda tx: runs.heartbeat(tx, self.owner, self._settings.lease))
                self.stop_here([row["id"] for row in rows if row["cancel_requested"]])
                await self._end_strays({row["id"] for row in rows} - self._executions.keys())

    async def _end_strays(self, strays: set[str]) -> None:
        """End runs that are ours in the database but that nothing executes: their end could not be stored.

        Seen twice in a row, since a run that was committed a moment ago is not executed yet.
        """
        self._let_go &= strays
        for run_id in strays & self._strays:
            with going_on(log, "run_not_ended", run=run_id):
                if stray := await self._database.read(lambda tx, run_id=run_id: runs.by_id(tx, run_id)):  # type: ignore[misc]
                    await self._end_orphan(stray)
        self._strays = strays

    async def _keep_recovering(self) -> None:
        while True:
            await asyncio.sleep(self._settings.sweep_interval * random.uniform(0.75, 1.25))  # noqa: S311 - jitter
            with going_on(log, "recovery_failed"):
                await self._recover(all_foreign=False)

    async def _stop_all(self, executions: list[Execution], why: Stop) -> None:
        for execution in executions:
            execution.stop(why)
        if executions:
            await asyncio.wait([asyncio.ensure_future(e.ended()) for e in executions], timeout=2)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background_failed", exc_info=error)
