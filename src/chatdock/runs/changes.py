"""What changed about a thread while a workflow had it in hand, as operations to store."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from chatkit.types import SDKHiddenContextItem, ThreadMetadata
from pydantic_core import to_json

from chatdock.protocol import frames, ids
from chatdock.storage import items, threads
from chatdock.workflows.workflow import WorkflowError

if TYPE_CHECKING:
    from chatdock.storage.database import Op
    from chatdock.workflows.turn import Turn

CANCEL_NOTE = "The user cancelled the stream. Stop responding to the prior request."


def thread_changes(before: str, thread: ThreadMetadata, *, made_title: str | None = None) -> list[Op[Any]]:
    """The operations that store how a thread differs from `before`, which is its `model_dump_json()` of then.

    `made_title` is a title that was made automatically: it never replaces one that the user gave meanwhile.
    `WorkflowError` when the thread cannot be stored; it is then as before again.
    """
    try:
        dumped = thread.model_dump_json()
        if dumped == before:
            return []
        ThreadMetadata.model_validate_json(dumped)
        was = ThreadMetadata.model_validate_json(before)
        if (thread.id, thread.created_at) != (was.id, was.created_at):
            raise ValueError("its id and created_at are fixed")
    except (ValueError, TypeError) as error:
        was = ThreadMetadata.model_validate_json(before)
        for name in ThreadMetadata.model_fields:
            setattr(thread, name, getattr(was, name))
        raise WorkflowError(f"a workflow changed its thread in a way that cannot be stored: {error}") from error
    changes: list[Op[Any]] = []
    if thread.title != was.title:
        if made_title is not None and thread.title == made_title:
            changes.append(partial(threads.set_title_once, thread_id=thread.id, title=made_title))
        else:
            changes.append(partial(threads.rename, thread_id=thread.id, title=thread.title))
    if thread != was.model_copy(update={"title": thread.title}):
        domains = thread.allowed_image_domains
        changes.append(
            partial(
                threads.save,
                thread_id=thread.id,
                status=thread.status.type,
                reason=getattr(thread.status, "reason", None),
                domains=None if domains is None else orjson.dumps(domains).decode(),
                metadata=to_json(thread.metadata, inf_nan_mode="null").decode(),
            )
        )
    return changes


Changeable = tuple[str | None, Any, list[str] | None, dict[str, Any]]


def changeable(thread: ThreadMetadata) -> Changeable:
    """What a workflow may change of its thread; cheap to take and to compare, with every event."""
    return thread.title, thread.status, thread.allowed_image_domains, thread.metadata


def as_dumped(thread: ThreadMetadata, dumped: str) -> Changeable:
    """A copy of that, out of the thread's `model_dump_json()`: the workflow's writing does not change it."""
    was = ThreadMetadata.model_validate_json(dumped)
    return thread.title, thread.status, was.allowed_image_domains, was.metadata


def state_change(turn: Turn) -> list[Op[Any]]:
    """The operation that stores the turn's state, if it changed; `WorkflowError` when it is not JSON.

    A session's state variables are that session's: one that the workflow left as it was is not stored with the thread.
    """
    variables, saved = turn.session.state_variables, turn.saved_state
    untouched = {name for name, value in variables.items() if name in turn.state and turn.state[name] == value}
    keep = {name: saved[name] for name in untouched if name in saved}
    keep |= {name: value for name, value in turn.state.items() if name not in untouched}
    try:
        state = orjson.dumps(keep, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise WorkflowError(f"turn.state cannot be stored: {error}") from error
    if state == orjson.dumps(saved, option=orjson.OPT_SORT_KEYS):
        return []
    return [partial(threads.save_state, thread_id=turn.thread.id, state=state.decode())]


def cancel_note(thread_id: str) -> Op[Any]:
    """The operation that leaves a note for the model, as chatkit-python does: its next answer does not go on here."""
    note = SDKHiddenContextItem(
        id=ids.item_id(), thread_id=thread_id, created_at=datetime.now(UTC), content=CANCEL_NOTE
    )
    return item_change(thread_id, note.id, note.type, frames.dump(note))


def item_change(thread_id: str, item_id: str, kind: str, data: bytes) -> Op[Any]:
    """The operation that stores an item, in its place or at the end of its thread."""
    return partial(items.save, thread_id=thread_id, item_id=item_id, kind=kind, data=data.decode())
