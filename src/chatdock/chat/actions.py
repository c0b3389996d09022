"""What a workflow does beside answering: widget actions that do not stream, feedback, and dictation."""

from __future__ import annotations

import asyncio
import base64
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog
from chatkit.types import AudioInput, ThreadMetadata, TranscriptionResult

from chatdock.chat.threads import find
from chatdock.chat.turns import no_actions, refuse_when_closed, sender_of, work_of
from chatdock.errors import InvalidRequest
from chatdock.protocol import frames, ids
from chatdock.protocol.kinds import HIDDEN_TYPES
from chatdock.redaction import Content
from chatdock.runs.changes import item_change, state_change, thread_changes
from chatdock.runs.work import make_turn
from chatdock.storage.threads import thread_from_row
from chatdock.workflows.failure import is_stopped
from chatdock.workflows.registry import not_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chatkit.types import InputTranscribeParams, WidgetItem

    from chatdock.chat.turns import Caller
    from chatdock.protocol.operations import CustomActionParams, FeedbackParams
    from chatdock.runs.work import Work
    from chatdock.settings import Settings
    from chatdock.storage.database import Database, Row, Tx
    from chatdock.workflows.registry import Registry
    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Workflow

log = structlog.get_logger("chatdock.chat")


class Actions:
    """Calls a workflow's handlers for the users of sessions."""

    def __init__(self, database: Database, registry: Registry, settings: Settings) -> None:
        self._database = database
        self._registry = registry
        self._settings = settings

    async def sync_action(self, caller: Caller, params: CustomActionParams, metadata: dict[str, Any]) -> bytes:
        """Perform an action and store what it changed; `{"updated_item"}` as JSON. A live run goes on meanwhile."""
        session = caller.session
        workflow = self._workflow(caller)
        if workflow.on_sync_action is None:
            raise no_actions(session.workflow_id)

        async def load(tx: Tx) -> tuple[Row, WidgetItem | None]:
            row = await find(tx, session.scope, params.thread_id)
            refuse_when_closed(row)
            return row, await sender_of(tx, params.thread_id, params.item_id)

        row, sender = await self._database.read(load)
        work = work_of(caller, "action", params.item_id, action=params.action.model_dump(), metadata=metadata)
        turn = self._turn(caller, thread_from_row(row), saved_state=row["state"], sender=sender, work=work)
        before = turn.thread.model_dump_json()
        # Not a 5xx: clients send those again, and the workflow may have done half of it.
        refusal = InvalidRequest("The action failed.", param="params.action", code="action_failed")
        with _failing(refusal, "action_failed", workflow=workflow.id, action=Content(params.action.type)):
            async with asyncio.timeout(workflow.time_limit or self._settings.run_time_limit):
                item = await workflow.on_sync_action(turn)
            changes = [*thread_changes(before, turn.thread), *state_change(turn)]
            if item is not None:
                corrected = {"thread_id": turn.thread.id, "created_at": item.created_at.astimezone(UTC)}
                item = item.model_copy(update=corrected)
                changes.append(item_change(item.thread_id, item.id, item.type, frames.dump_item(item)))

        async def store(tx: Tx) -> None:
            await find(tx, session.scope, params.thread_id)
            for change in changes:
                await change(tx)

        if changes:
            await self._database.write(store)
        if item is None or item.type in HIDDEN_TYPES:
            return b"{}"
        return b'{"updated_item":%b}' % frames.dump(item)

    async def feedback(self, caller: Caller, params: FeedbackParams) -> None:
        """Tell the workflow, if it listens, what was recorded of the user's verdict."""
        session = caller.session
        workflow = self._registry.find(session.workflow_id, session.workflow_version)
        if workflow is None or workflow.on_feedback is None:
            return
        row = await self._database.read(lambda tx: find(tx, session.scope, params.thread_id))
        turn = self._turn(caller, thread_from_row(row), saved_state=row["state"])
        refusal = InvalidRequest("The feedback could not be passed on.", code="feedback_failed")
        with _failing(refusal, "feedback_failed", workflow=workflow.id):
            async with asyncio.timeout(workflow.time_limit or self._settings.run_time_limit):
                await workflow.on_feedback(turn, params.item_ids, params.kind)

    async def transcribe(self, caller: Caller, params: InputTranscribeParams) -> bytes:
        """Recorded speech as text, by the workflow's transcriber; `{"text"}` as JSON."""
        workflow = self._workflow(caller)
        if workflow.on_transcribe is None:
            raise InvalidRequest(
                f"Dictation is not available: workflow '{workflow.id}' has no transcriber.",
                code="transcriber_not_configured",
            )
        try:
            audio = base64.b64decode(params.audio_base64, validate=True)
        except ValueError:
            raise InvalidRequest("params.audio_base64 must be base64.", param="params.audio_base64") from None
        # Dictation belongs to no thread: its turn has one that is not stored.
        thread = ThreadMetadata(id=ids.thread_id(), created_at=datetime.now(UTC))
        turn = self._turn(caller, thread)
        refusal = InvalidRequest("The recording could not be transcribed.", code="transcription_failed")
        with _failing(refusal, "transcriber_failed", workflow=workflow.id):
            async with asyncio.timeout(workflow.time_limit or self._settings.run_time_limit):
                heard = await workflow.on_transcribe(turn, AudioInput(data=audio, mime_type=params.mime_type))
            result = heard if isinstance(heard, TranscriptionResult) else TranscriptionResult(text=heard)
            return frames.dump(result)

    def _turn(
        self,
        caller: Caller,
        thread: ThreadMetadata,
        *,
        saved_state: str = "{}",
        sender: WidgetItem | None = None,
        work: Work | None = None,
    ) -> Turn:
        """What a handler gets to know of who calls it, and where."""
        return make_turn(
            self._database,
            work or work_of(caller, "action", None, action=None, metadata={}),
            session_id=caller.session.id,
            thread=thread,
            item=sender,
            saved_state=saved_state,
            variables=caller.session.state_variables,
            hidden_ids=(),
        )

    def _workflow(self, caller: Caller) -> Workflow:
        session = caller.session
        workflow = self._registry.find(session.workflow_id, session.workflow_version)
        if workflow is None:
            raise InvalidRequest(
                not_here(session.workflow_id, session.workflow_version), code="unknown_workflow_version"
            )
        return workflow


@contextmanager
def _failing(refusal: InvalidRequest, event: str, **about: str) -> Iterator[None]:
    """Log what an author's code raises, whatever it is, and refuse the request."""
    try:
        yield
    except BaseException as error:
        if is_stopped(error):
            raise
        log.error(event, exc_info=error, **about)
        raise refusal from error
