"""One execution of a run: the workflow's events into the recorder, until it is done or stopped."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import aclosing
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from chatkit.errors import CustomStreamError, StreamError
from chatkit.types import ClientToolCallItem, ErrorEvent, ThreadItemDoneEvent

from chatdock.errors import Unavailable
from chatdock.protocol.frames import read_item
from chatdock.redaction import cause
from chatdock.runs.changes import cancel_note
from chatdock.runs.recorder import Fenced
from chatdock.tracing.trace import enter
from chatdock.workflows.failure import is_stopped
from chatdock.workflows.limits import LimitReached
from chatdock.workflows.registry import not_here
from chatdock.workflows.titles import clean
from chatdock.workflows.turn import CURRENT_TURN
from chatdock.workflows.workflow import WorkflowError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from chatdock.runs.recorder import Recorder, Standing
    from chatdock.runs.work import Work
    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted, Workflow

log = structlog.get_logger("chatdock.runs")

LOST = "lost"
"""The outcome of a run that was let go of: another process, or a later look, ends it."""
GRACE_SECONDS = 5.0
"""How long a stopped workflow may take to clean up before its run ends without it."""
HURRIED_SECONDS = 1.0
"""The same when the server is stopping."""
TITLE_SECONDS = 60.0


class Stop(Enum):
    """Why a run ends before its workflow did."""

    CANCELLED = "the user stopped it"
    TIME_LIMIT = "its time was up"
    SHUTDOWN = "the server is stopping"
    BROKEN = "its workflow did what cannot be stored"
    LOST = "it is not ours any more, or cannot be stored"


class Execution:
    """Runs a workflow for one turn. `run()` never raises; `stop()` may come at any time and more than once."""

    def __init__(
        self,
        run_id: str,
        turn: Turn,
        work: Work,
        *,
        time_limit: float,
        on_end: Callable[[str], None],
        on_late_title: Callable[[str], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.run_id = run_id
        self.thread_id = turn.thread.id
        self.limit: str | None = None
        """The limit that the run reached."""
        self._turn = turn
        self._work = work
        self._time_limit = time_limit
        self._on_end = on_end
        self._on_late_title = on_late_title
        self._spawn = spawn
        self._recorder: Recorder | None = None
        self._workflow: Workflow | None = None
        self._worker: asyncio.Task[None] | None = None
        self._title_due = False
        self._titled = False
        self._stopped: Stop | None = None
        self._begun = False
        self._ending = False
        self._done = asyncio.get_running_loop().create_future()
        self._timers: list[asyncio.TimerHandle] = []

    def start(self, workflow: Workflow | None, recorder: Recorder) -> None:
        """Begin, in a task of its own."""
        loop = asyncio.get_running_loop()
        self._workflow = workflow
        self._recorder = recorder
        self._timers.append(loop.call_later(self._time_limit, self.stop, Stop.TIME_LIMIT))
        self._worker = loop.create_task(self._run(workflow, recorder), name=self.run_id)

    def stop(self, why: Stop) -> None:
        """Let the workflow end now, keep what it said; the first reason counts."""
        if self._stopped is not None or self._done.done() or self._worker is None:
            return
        self._stopped = why
        self._turn.cancelled = True
        if not self._ending:
            if self._begun:  # a task that is cancelled before its first step would never store the end
                self._worker.cancel()
            grace = HURRIED_SECONDS if why is Stop.SHUTDOWN else GRACE_SECONDS
            self._timers.append(asyncio.get_running_loop().call_later(grace, self._abandon))

    def lost(self, error: BaseException) -> None:
        """The recorder cannot store any more."""
        if isinstance(error, WorkflowError):
            log.error("workflow_failed", run=self.run_id, workflow=self._work.workflow_id, error=error)
            self.stop(Stop.BROKEN)
            return
        if not isinstance(error, Fenced | Unavailable):
            log.error("append_failed", run=self.run_id, exc_info=error)
        self.stop(Stop.LOST)

    async def standing(self) -> Standing | None:
        """What the run adds up to now; None when that is not known here."""
        return None if self._recorder is None or self._ending else await self._recorder.standing()

    async def ended(self) -> None:
        """Wait until the run has ended, in the database too."""
        await asyncio.shield(self._done)

    def answered(self) -> None:
        """The first item of an answer has begun."""
        assert self._workflow is not None
        if self._workflow.titles_last:
            self._title_due = True
        else:
            self._begin_title()

    def _begin_title(self) -> None:
        """Name the thread, beside the answer, if that is wanted and has not been done."""
        if self._titled or not self._work.titling or self._turn.message is None or self._turn.thread.title is not None:
            return
        self._titled = True
        assert self._workflow is not None
        try:
            made = self._workflow.on_title(self._turn)
        except BaseException as error:
            log.warning("titler_failed", workflow=self._work.workflow_id, exc_info=error)
            return
        if inspect.isawaitable(made):
            self._spawn(self._await_title(made))
        elif made:
            self._set_title(clean(made))

    async def _await_title(self, made: Awaitable[str | None]) -> None:
        """The answer does not wait for its title: one that is made later is stored for the next look at the thread."""
        try:
            async with asyncio.timeout(TITLE_SECONDS):
                title = await made
            title = clean(title or "")
            if title and self._ending:
                await self._on_late_title(title)
            else:
                self._set_title(title)
        except BaseException as error:
            if is_stopped(error):
                raise
            log.warning("titler_failed", workflow=self._work.workflow_id, exc_info=error)

    def _set_title(self, title: str) -> None:
        assert self._recorder is not None
        if title:
            self._recorder.title(title)

    def renamed(self, title: str) -> None:
        """The user has named the thread."""
        if self._recorder is not None and not self._ending:
            self._recorder.renamed(title)

    async def _run(self, workflow: Workflow | None, recorder: Recorder) -> None:
        self._begun = True
        enter(self._turn.trace)
        try:
            if self._stopped:
                raise asyncio.CancelledError
            outcome, error = await self._work_through(workflow, recorder)
        except asyncio.CancelledError:
            outcome, error = "cancelled", None
        except BaseException as failure:  # even what was said cannot be settled now
            outcome, error = "failed", None
            self._stopped = Stop.LOST
            log.error("end_failed", run=self.run_id, exc_info=failure)
        await self._finish(recorder, outcome, error)

    async def _work_through(self, workflow: Workflow | None, recorder: Recorder) -> tuple[str, str | None]:
        """Emit all that the workflow yields; returns the outcome and what the operator should know."""
        if workflow is None:
            missing = not_here(self._work.workflow_id, self._work.workflow_version)
            recorder.error(missing, allow_retry=False)
            return "failed", missing
        answer = workflow.on_action if self._work.kind == "action" else workflow.respond
        assert answer is not None
        CURRENT_TURN.set(self._turn)
        self._turn.emit_now, self._turn.stored = partial(self._emit_now, recorder), recorder.stored
        try:
            failed = await self._emit_all(answer(self._turn), recorder)
            if not failed:
                recorder.close_text()
                recorder.keep_state()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # asyncio would end the server with what a workflow exits by
            return "failed", await self._fail(recorder, error)
        if failed:
            return "failed", failed
        return ("waiting" if recorder.awaits_user else "completed"), None

    async def _fail(self, recorder: Recorder, error: BaseException) -> str:
        """Keep what was said, and say last of all that it broke off; returns what the operator should know."""
        message, allow_retry, reason = None, True, cause(error)
        if self._turn.trace is not None:
            self._turn.trace.failed(error)
        if isinstance(error, CustomStreamError):
            message, allow_retry, reason = error.message, error.allow_retry, cause(error, error.message)
        elif isinstance(error, StreamError):
            allow_retry, reason = error.allow_retry, str(error.code)
        elif isinstance(error, LimitReached):
            message, reason = str(error), self._reached(error.limit)
        else:
            log.error("workflow_failed", run=self.run_id, workflow=self._work.workflow_id, exc_info=error)
        recorder.keep_partial()
        recorder.error(message, allow_retry=allow_retry)
        return reason

    async def _emit_all(self, events: AsyncIterator[Emitted], recorder: Recorder) -> str | None:
        """Returns the message of an `error` event that the workflow yielded, which ends its turn."""
        async with aclosing(events) as stream:  # type: ignore[type-var]
            async for event in stream:
                if type(event) is ErrorEvent:  # isinstance() on pydantic's classes takes ten times as long
                    recorder.keep_partial()
                    recorder.event(event)
                    return f"error event: {event.code}"
                recorder.emit(event)
                if type(event) is ThreadItemDoneEvent and _pending_call(event):
                    return None
                if recorder.full:
                    await recorder.room()
                if self._stopped:
                    raise asyncio.CancelledError
        return None

    async def _emit_now(self, recorder: Recorder, event: Emitted) -> None:
        """What a tool or a callback of the workflow says."""
        if self._ending or self._stopped:
            raise asyncio.CancelledError
        if isinstance(event, ErrorEvent):
            raise WorkflowError("an ErrorEvent ends the turn: yield it, or raise CustomStreamError")
        recorder.emit(event)
        if recorder.full:
            await recorder.room()

    async def _finish(self, recorder: Recorder, outcome: str, error: str | None) -> None:
        """Store the end; exactly one of the worker and the abandoning timer gets here first."""
        if self._ending:
            return
        self._ending = True
        self._turn.emit_now = self._turn.stored = None
        try:
            if self._stopped is not Stop.LOST:
                if self._title_due:
                    self._begin_title()
                outcome, error = await self._describe(recorder, outcome, error)
                await recorder.end(outcome, error=error)
        except Exception as failure:
            # Not ours any more, or the database takes nothing: the sweeper ends the run when it can be ended.
            self._stopped = Stop.LOST
            if not isinstance(failure, Fenced | Unavailable):
                log.error("end_failed", run=self.run_id, exc_info=failure)
        for timer in self._timers:
            timer.cancel()
        recorder.let_readers_go()
        self._done.set_result(None)
        outcome = LOST if self._stopped is Stop.LOST else outcome
        if self._turn.trace is not None:
            self._turn.trace.end(outcome, self._stopped and self._stopped.value)
        self._on_end(outcome)

    async def _describe(self, recorder: Recorder, outcome: str, error: str | None) -> tuple[str, str | None]:
        """Settle what was begun, and say why it broke off if it did; returns outcome and reason."""
        unfinished = recorder.keep_partial()
        if outcome != "cancelled":
            return outcome, error
        match self._stopped:
            case Stop.CANCELLED:
                if not await self._tell_cancelled(recorder, unfinished):
                    recorder.change(cancel_note(self.thread_id))
                return outcome, error
            case Stop.TIME_LIMIT:
                recorder.error(f"The answer took longer than {self._time_limit:g} seconds.", allow_retry=True)
                return "failed", self._reached("time")
            case Stop.SHUTDOWN:
                recorder.error("The server was stopped before the answer was complete.", allow_retry=True)
                return "failed", "shutdown"
            case _:
                recorder.error(allow_retry=True)
                return "failed", "the workflow broke off"

    def _reached(self, limit: str) -> str:
        self.limit = limit
        log.warning("limit_reached", run=self.run_id, workflow=self._work.workflow_id, limit=limit)
        return f"limit reached: {limit}"

    async def _tell_cancelled(self, recorder: Recorder, unfinished: list[dict[str, Any]]) -> bool:
        """Let the workflow clean up, on top of what was kept; whether it left the model a note itself."""
        if self._workflow is None or self._workflow.on_cancelled is None:
            return False
        await recorder.stored()
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                return await self._workflow.on_cancelled(
                    self._turn, [read_item(orjson.dumps(one)) for one in unfinished]
                )
        except BaseException as error:
            if is_stopped(error):
                raise
            log.error("workflow_failed", run=self.run_id, workflow=self._work.workflow_id, exc_info=error)
            return False

    def _abandon(self) -> None:
        """The workflow does not react to being cancelled: end its run without it."""
        if self._ending:
            return
        log.error("workflow_ignores_cancel", run=self.run_id, workflow=self._work.workflow_id)
        assert self._recorder is not None
        self._abandoned = asyncio.ensure_future(self._finish(self._recorder, "cancelled", "the workflow did not stop"))


def _pending_call(event: ThreadItemDoneEvent) -> bool:
    return isinstance(event.item, ClientToolCallItem) and event.item.status == "pending"
