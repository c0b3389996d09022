"""Turns: accept what the user sent, start the run that answers it, and follow, resume or cancel it.

Accepted means durable: the user's item, the run and its first events are committed in one transaction before the first
byte of the answer. What cannot be accepted is refused before anything is stored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never

import orjson
import structlog
from chatkit import types

from chatdock.chat.limits import TooManyRuns, refuse_when_full
from chatdock.chat.threads import find, find_item
from chatdock.errors import ApiError, Conflict, InvalidRequest, NotFound
from chatdock.protocol import frames, ids
from chatdock.protocol import operations as ops
from chatdock.protocol.frames import read_item
from chatdock.protocol.kinds import HIDDEN_TYPES
from chatdock.runs.changes import item_change
from chatdock.runs.work import Kind, Work, make_turn
from chatdock.storage import idempotency, items, runs, threads
from chatdock.storage.threads import thread_from_row
from chatdock.storage.times import to_micros
from chatdock.workflows.turn import reached

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chatdock.chat.sessions import Session
    from chatdock.metrics import Metrics
    from chatdock.runs.engine import Engine
    from chatdock.runs.log import Follower, RunLog
    from chatdock.settings import Settings
    from chatdock.storage.database import Database, Row, Tx
    from chatdock.storage.times import Clock
    from chatdock.workflows.registry import Registry

log = structlog.get_logger("chatdock.chat")

UPLOADS_DISABLED = "File uploads are disabled for this session."
FIRST_FENCE = 1
"""The fence of a run that is executed at once; one that has to wait gets it when it is claimed."""
LATEST_ITEMS = 20
"""Among so many of a thread's latest items the pending client tool call is looked for."""

_SSE_ID = re.compile(r"^(crun_[0-9a-f]{36}):(\d{1,9})$")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends an operation, and how."""

    session: Session
    locale: str | None = None
    idempotency_key: str | None = None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    """Those that workflows may read."""


@dataclass(slots=True)
class Accepted:
    """What an operation came to: the thread, what the turn answers, and the first events."""

    thread: types.ThreadMetadata
    kind: Kind
    item: types.ThreadItem | None
    payloads: list[bytes] = field(default_factory=list)
    action: dict[str, Any] | None = None
    state: str = "{}"
    hidden_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that is committed, with its first events as frames 1 to `last`; `queued` when it has to wait."""

    accepted: Accepted
    work: Work
    frames: bytes
    last: int
    queued: bool
    interrupted: list[str]
    """Runs that end for its sake."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A response to send: the opening, then what the follower brings."""

    follower: Follower
    thread_id: str
    opening: bytes = b""
    original: bool = False
    """The response to the request that started the run, rather than one that joined it."""


class Turns:
    """Starts, resumes and cancels runs for the users of sessions."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        run_log: RunLog,
        registry: Registry,
        settings: Settings,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._database = database
        self._engine = engine
        self._log = run_log
        self._registry = registry
        self._settings = settings
        self._metrics = metrics
        self._clock = clock

    async def start(self, caller: Caller, operation: ops.RunOperation) -> Stream:
        """Accept an operation and follow the run that answers it.

        The same Idempotency-Key with the same body follows the run that the first one started.
        """
        self._engine.refuse_when_draining()
        session = caller.session
        workflow = self._registry.find(session.workflow_id, session.workflow_version)
        allow_cancel = True if workflow is None else workflow.allow_cancel
        if isinstance(operation, ops.ThreadsCustomAction) and workflow is not None and workflow.on_action is None:
            raise no_actions(session.workflow_id)
        run_id = ids.run_id()
        try:
            begun = await self._database.write(lambda tx: self._begin(tx, run_id, caller, operation, allow_cancel))
        except TooManyRuns as refused:
            self._metrics.limits_reached.labels(refused.limit).inc()
            log.warning("limit_reached", limit=refused.limit, project=session.project_id, session=session.id)
            raise
        if isinstance(begun, str):
            return await self._rejoin(session, begun)
        accepted, thread_id = begun.accepted, begun.accepted.thread.id
        if begun.queued:
            self._engine.stop_here(begun.interrupted)
            self._engine.start_next(thread_id)
        else:
            live = self._log.open(run_id, 1, begun.last, begun.frames)
            try:
                turn = make_turn(
                    self._database,
                    begun.work,
                    session_id=session.id,
                    thread=accepted.thread,
                    item=accepted.item,
                    saved_state=accepted.state,
                    variables=session.state_variables,
                    hidden_ids=accepted.hidden_ids,
                )
                self._engine.begin(live, turn, begun.work, fence=FIRST_FENCE)
            except Exception:  # it is accepted already: its stream tells how it ends
                log.exception("run_not_begun", run=run_id)
                self._engine.let_go(run_id)
        return Stream(self._log.follow(run_id), thread_id, original=True)

    async def resume(self, caller: Caller, params: ops.ResumeParams) -> Stream:
        """Follow a run after the SSE id that was received last; without one, the live run from a snapshot of it."""
        scope, thread_id = caller.session.scope, params.thread_id
        if params.starting_after is None:
            return await self._join(caller.session, thread_id)
        match = _SSE_ID.match(params.starting_after)
        if match is None:
            raise InvalidRequest(
                "params.starting_after must be an SSE id as this server sent it: '<run id>:<sequence>'.",
                param="params.starting_after",
            )
        run_id, after = match[1], int(match[2])

        async def load(tx: Tx) -> tuple[int, bool]:
            await find(tx, scope, thread_id)
            run = await runs.by_id(tx, run_id)
            if run is None or run["thread_id"] != thread_id:
                raise NotFound("Run", run_id, param="params.starting_after")
            last = await runs.last_sequence(tx, run)
            return last, after >= last or bool(await runs.frames(tx, run_id, after, 1))

        last, held = await self._database.read(load)
        if after > last:
            raise InvalidRequest(
                f"params.starting_after names event {after}, but the run has {last} so far.",
                param="params.starting_after",
            )
        if not held:
            raise NotFound("Run", run_id, param="params.starting_after")
        return Stream(self._log.follow(run_id, after), thread_id)

    async def cancel(self, caller: Caller, thread_id: str) -> bytes:
        """End the thread's live run, if there is one; returns its newest run as JSON, the same however often."""
        scope = caller.session.scope
        await self._database.read(lambda tx: find(tx, scope, thread_id))
        await self._engine.cancel(thread_id)
        run = await self._database.read(lambda tx: runs.latest(tx, thread_id))
        return orjson.dumps({"run": None if run is None else {"id": run["id"], "status": run["status"]}})

    async def abandon(self, stream: Stream) -> None:
        """The reader of a stream went away."""
        if stream.original and self._settings.on_disconnect == "cancel":
            await self._engine.cancel(stream.thread_id, only=stream.follower.run_id)

    async def _join(self, session: Session, thread_id: str) -> Stream:
        async def load(tx: Tx) -> Row | None:
            await find(tx, session.scope, thread_id)
            unfinished = await runs.unfinished(tx, thread_id)
            return unfinished[0] if unfinished else None

        run = await self._database.read(load)
        if run is None:
            raise NoLiveRun(thread_id)
        standing = await self._engine.standing(run["id"])
        if standing is None:  # it waits, has ended by now, or is executed elsewhere
            snapshot, last = await self._log.snapshot(run["id"])
            standing = last, list(snapshot.events())
        position, shown = standing
        opening = frames.batch(run["id"], position, shown)
        return Stream(self._log.follow(run["id"], position), thread_id, opening)

    async def _rejoin(self, session: Session, run_id: str) -> Stream:
        """The stream of a request that was accepted before."""

        async def load(tx: Tx) -> Row:
            run = await runs.by_id(tx, run_id)
            if run is None or (run["status"] in runs.ENDED and not await runs.frames(tx, run_id, 0, 1)):
                raise NotFound("Run", run_id, param="Idempotency-Key")
            await find(tx, session.scope, run["thread_id"])
            return run

        run = await self._database.read(load)
        return Stream(self._log.follow(run_id), run["thread_id"])

    async def _begin(
        self, tx: Tx, run_id: str, caller: Caller, operation: ops.RunOperation, allow_cancel: bool | None
    ) -> Begun | str:
        """Store all that an operation starts; the id of the run that its Idempotency-Key started before, if any."""
        session = caller.session
        if caller.idempotency_key:
            known = await idempotency.find(tx, _scope(session), caller.idempotency_key, caller.body)
            if known is not None:
                return str(known["result_id"])
        await refuse_when_full(tx, session, self._settings)
        accepted = await self._accept(tx, session, operation)
        if allow_cancel is not None:
            accepted.payloads.append(frames.dump(_stream_options(allow_cancel)))
        thread_id, now = accepted.thread.id, self._clock.micros()
        queued, interrupted = False, list[str]()
        if not isinstance(operation, ops.ThreadsCreate):
            queued, interrupted = await self._make_way(tx, thread_id, operation)
            await runs.answered(tx, thread_id)
        item_id = accepted.item.id if accepted.item else None
        work = work_of(caller, accepted.kind, item_id, action=accepted.action, metadata=operation.metadata)
        last = len(accepted.payloads)
        await runs.add(
            tx,
            id=run_id,
            thread_id=thread_id,
            project_id=session.project_id,
            user_id=session.user_id,
            session_id=session.id,
            input=work.to_json(),
            status="queued" if queued else "running",
            owner=None if queued else self._engine.owner,
            fence=FIRST_FENCE - queued,
            lease=self._settings.lease,
            last_sequence=last,
            created_at=now,
        )
        data = frames.batch(run_id, last, accepted.payloads)
        if data:
            await runs.add_frames(tx, run_id, 1, last, data)
        if caller.idempotency_key:
            await idempotency.remember(
                tx, _scope(session), caller.idempotency_key, caller.body, result_id=run_id, now=now
            )
        return Begun(accepted, work, data, last, queued, interrupted)

    async def _make_way(self, tx: Tx, thread_id: str, operation: ops.RunOperation) -> tuple[bool, list[str]]:
        """Whether the new run has to wait, and which runs end for it; `Conflict` when it may not come now."""
        unfinished = await runs.unfinished(tx, thread_id)
        if not unfinished:
            return False, []
        strategy = self._settings.multitask_strategy
        if strategy == "reject" or not isinstance(operation, ops.ThreadsAddUserMessage):
            raise Conflict(
                f"Thread '{thread_id}' is answering already; wait for its end or cancel it.",
                param="params.thread_id",
                code="thread_busy",
            )
        return True, await runs.request_cancel(tx, thread_id) if strategy == "interrupt" else []

    async def _accept(self, tx: Tx, session: Session, operation: ops.RunOperation) -> Accepted:
        match operation:
            case ops.ThreadsCreate():
                return await _create(tx, session, operation.params.input, self._clock.now())
            case ops.ThreadsAddUserMessage():
                accepted = await _open_thread(tx, session, operation.params.thread_id, "message")
                return await _add_message(tx, accepted, operation.params.input, self._clock.now())
            case ops.ThreadsAddClientToolOutput():
                accepted = await _open_thread(tx, session, operation.params.thread_id, "tool_output")
                return await _complete_tool_call(tx, accepted, operation.params.result)
            case ops.ThreadsAddStructuredInput():
                accepted = await _open_thread(tx, session, operation.params.thread_id, "structured_input")
                return await _answer(tx, accepted, operation.params)
            case ops.ThreadsRetryAfterItem():
                accepted = await _open_thread(tx, session, operation.params.thread_id, "message")
                return await _retry(tx, accepted, operation.params.item_id)
            case ops.ThreadsCustomAction():
                accepted = await _open_thread(tx, session, operation.params.thread_id, "action")
                accepted.action = operation.params.action.model_dump()
                accepted.item = await sender_of(tx, accepted.thread.id, operation.params.item_id)
                return accepted
            case _:
                assert_never(operation)


class NoLiveRun(NotFound):
    """There is nothing to join."""

    def __init__(self, thread_id: str) -> None:
        ApiError.__init__(
            self,
            f"Thread '{thread_id}' has no live run; load the thread instead.",
            param="params.thread_id",
            code="no_live_run",
        )


def work_of(
    caller: Caller, kind: Kind, item_id: str | None, *, action: dict[str, Any] | None, metadata: dict[str, Any]
) -> Work:
    """What a workflow is asked to do for a caller."""
    session = caller.session
    return Work(
        kind=kind,
        item_id=item_id,
        user_id=session.user_id,
        project_id=session.project_id,
        workflow_id=session.workflow_id,
        workflow_version=session.workflow_version,
        titling=session.titling,
        tracing=session.tracing,
        action=action,
        locale=caller.locale,
        metadata=metadata,
        headers=caller.headers,
    )


def no_actions(workflow_id: str) -> InvalidRequest:
    """The answer to an action that nothing performs."""
    return InvalidRequest(
        f"Workflow '{workflow_id}' performs no such widget actions.", param="params.action", code="action_unsupported"
    )


async def sender_of(tx: Tx, thread_id: str, item_id: str | None) -> types.WidgetItem | None:
    """The widget that an action came from."""
    if item_id is None:
        return None
    item = read_item((await find_item(tx, thread_id, item_id))["data"])
    if not isinstance(item, types.WidgetItem):
        raise InvalidRequest(f"params.item_id must name a widget, not a {item.type}.", param="params.item_id")
    return item


def refuse_when_closed(thread: Row) -> None:
    """`Conflict` with its reason when a thread takes no input."""
    if thread["status"] == "active":
        return
    reason = thread["status_reason"]
    raise Conflict(
        f"Thread '{thread['id']}' is {thread['status']}" + (f": {reason}" if reason else "."),
        param="params.thread_id",
        code=f"thread_{thread['status']}",
    )


def _stream_options(allow_cancel: bool) -> types.StreamOptionsEvent:
    return types.StreamOptionsEvent(stream_options=types.StreamOptions(allow_cancel=allow_cancel))


def _scope(session: Session) -> str:
    return _array(session.project_id, session.user_id, "conversation")


def _array(*parts: str) -> str:
    return orjson.dumps(parts).decode()


async def _open_thread(tx: Tx, session: Session, thread_id: str, kind: Kind) -> Accepted:
    row = await find(tx, session.scope, thread_id)
    refuse_when_closed(row)
    return Accepted(
        thread_from_row(row), kind, None, state=row["state"], hidden_ids=await items.hidden_ids(tx, thread_id)
    )


async def _create(tx: Tx, session: Session, wanted: ops.UserMessageInput, now: datetime) -> Accepted:
    thread = types.ThreadMetadata(id=ids.thread_id(), created_at=now)
    await threads.add(
        tx,
        id=thread.id,
        project_id=session.project_id,
        user_id=session.user_id,
        session_id=session.id,
        created_at=to_micros(now),
        title=None,
        status="active",
        status_reason=None,
        allowed_image_domains=None,
        metadata="{}",
        state="{}",
        next_position=2,
    )
    accepted = Accepted(thread, "message", None, [frames.thread_event("thread.created", thread)])
    return await _add_message(tx, accepted, wanted, now, position=1)


async def _add_message(
    tx: Tx, accepted: Accepted, wanted: ops.UserMessageInput, now: datetime, *, position: int | None = None
) -> Accepted:
    if wanted.attachments:
        raise InvalidRequest(UPLOADS_DISABLED, param="params.input.attachments", code="file_upload_disabled")
    if not (wanted.content or wanted.attachments):
        raise InvalidRequest("params.input.content must hold at least one block.", param="params.input.content")
    item = types.UserMessageItem(
        id=ids.item_id(),
        thread_id=accepted.thread.id,
        created_at=now,
        content=list(wanted.content),
        quoted_text=wanted.quoted_text,
        inference_options=wanted.inference_options,
    )
    data = frames.dump(item)
    await items.add(tx, accepted.thread.id, item.id, item.type, data.decode(), position=position)
    accepted.item = item
    accepted.payloads.append(frames.item_event("thread.item.done", data))
    return accepted


async def _complete_tool_call(tx: Tx, accepted: Accepted, result: Any) -> Accepted:
    """Give the newest pending call its output; older ones that nobody can answer any more are removed."""
    thread_id = accepted.thread.id
    calls = [
        call
        for row in await items.page(tx, thread_id, order="desc", count=LATEST_ITEMS)
        if row["type"] == "client_tool_call"
        and isinstance(call := read_item(row["data"]), types.ClientToolCallItem)
        and call.status == "pending"
    ]
    if not calls:
        raise Conflict(
            f"Thread '{thread_id}' has no pending client tool call.", param="params.thread_id", code="no_pending_call"
        )
    call, *dangling = calls
    call.status, call.output = "completed", result
    await item_change(thread_id, call.id, call.type, frames.dump(call))(tx)
    for older in dangling:
        await items.remove(tx, thread_id, older.id)
        accepted.payloads.append(frames.removed(older.id))
    accepted.item = call
    return accepted


async def _answer(tx: Tx, accepted: Accepted, params: types.ThreadAddStructuredInputParams) -> Accepted:
    """Write the user's answers into the pending structured input."""
    thread_id = accepted.thread.id
    item = read_item((await find_item(tx, thread_id, params.item_id))["data"])
    if not isinstance(item, types.StructuredInputItem):
        raise InvalidRequest(f"params.item_id must name a structured input, not a {item.type}.", param="params.item_id")
    if item.status != "pending":
        raise Conflict(
            f"Item '{item.id}' has been {item.status} already.", param="params.item_id", code="input_not_pending"
        )
    submission = params.input
    unknown = submission.answers.keys() - {question.id for question in item.inputs}
    if unknown:  # as chatkit-python has it: a page that was made for other questions loses no answer to these
        log.warning("unknown_answers", item=item.id, count=len(unknown))
    for question in item.inputs:
        given = submission.answers.get(question.id)
        if submission.status == "skipped" or given is None or given.skipped or not given.values:
            question.answer = types.StructuredInputAnswer(skipped=True)
            continue
        single = isinstance(question, types.StructuredInputMultipleChoice) and not question.multiple
        question.answer = types.StructuredInputAnswer(values=given.values[:1] if single else given.values)
    item.status = submission.status
    data = frames.dump(item)
    await item_change(thread_id, item.id, item.type, data)(tx)
    accepted.item = item
    accepted.payloads.append(frames.item_event("thread.item.replaced", data))
    return accepted


async def _retry(tx: Tx, accepted: Accepted, item_id: str) -> Accepted:
    """Remove what stands after a user message, and answer it again.

    What a run has come to that broke off after its tools had been called stays, and is told once more: clients take
    all off the screen when they ask for this.
    """
    thread_id = accepted.thread.id
    row = await find_item(tx, thread_id, item_id)
    item = read_item(row["data"])
    if not isinstance(item, types.UserMessageItem):
        raise InvalidRequest(f"params.item_id must name a user message, not a {item.type}.", param="params.item_id")
    later = await items.after(tx, thread_id, row["position"])
    stays = _stays(later, item.id)
    for each in later:
        if each["type"] in HIDDEN_TYPES:
            continue
        if each["id"] not in stays:
            accepted.payloads.append(frames.removed(each["id"]))
        elif each["type"] != "client_tool_call":
            accepted.payloads.append(frames.item_event("thread.item.done", each["data"].encode()))
    if stays:
        for each in later:
            if each["id"] not in stays:
                await items.remove(tx, thread_id, each["id"])
    else:
        await items.remove_after(tx, thread_id, row["position"])
    accepted.item = item
    return accepted


def _stays(later: Sequence[Row], message_id: str) -> set[str]:
    """The ids of the items after a message that its retry keeps; none where no run broke off after its tools."""
    for place, row in enumerate(later):
        left = reached(read_item(row["data"])) if row["type"] in HIDDEN_TYPES else None
        if left is not None and left["message"] == message_id:
            return {each["id"] for each in later[: place + 1]} | set(left["shown"])
    return set()
