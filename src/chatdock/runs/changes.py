"""What changed about a thread while a workflow had it in hand, as operations to store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from chatkit.types import ThreadMetadata

from chatdock.protocol import frames
from chatdock.storage import items, threads
from chatdock.workflows.registry import WorkflowError

if TYPE_CHECKING:
    from chatdock.storage.database import Op


def thread_changes(before: ThreadMetadata, after: ThreadMetadata, *, made_title: str | None = None) -> list[Op[Any]]:
    """The operations that store the difference.

    `made_title` is a title that was made automatically: it never replaces one that the user gave meanwhile.
    `WorkflowError` when `after` cannot be stored; it is then as `before` again.
    """
    try:
        if (after.id, after.created_at) != (before.id, before.created_at):
            raise ValueError("its id and created_at are fixed")
        frames.thread_json(after)
        metadata = orjson.dumps(after.metadata).decode()
    except (ValueError, TypeError) as error:
        for name in ThreadMetadata.model_fields:
            setattr(after, name, getattr(before, name))
        raise WorkflowError(f"a workflow changed its thread in a way that cannot be stored: {error}") from error
    changes: list[Op[Any]] = []
    if after.title != before.title:
        if made_title is not None and after.title == made_title:
            changes.append(partial(threads.set_title_once, thread_id=after.id, title=made_title))
        else:
            changes.append(partial(threads.rename, thread_id=after.id, title=after.title))
    if after != before.model_copy(update={"title": after.title}):
        domains = after.allowed_image_domains
        changes.append(
            partial(
                threads.save,
                thread_id=after.id,
                status=after.status.type,
                reason=getattr(after.status, "reason", None),
                domains=None if domains is None else orjson.dumps(domains).decode(),
                metadata=metadata,
            )
        )
    return changes


def state_change(thread_id: str, state: dict[str, Any], before: bytes) -> tuple[bytes, list[Op[Any]]]:
    """The state as JSON, and the operation that stores it if it is not as `before`; `WorkflowError` when it is no JSON."""
    try:
        after = orjson.dumps(state)
    except TypeError as error:
        raise WorkflowError(f"turn.state cannot be stored: {error}") from error
    if after == before:
        return after, []
    return after, [partial(threads.save_state, thread_id=thread_id, state=after.decode())]


def item_change(thread_id: str, item_id: str, kind: str, data: bytes) -> Op[Any]:
    """The operation that stores an item, in its place or at the end of its thread."""
    return partial(items.save, thread_id=thread_id, item_id=item_id, kind=kind, data=data.decode())
