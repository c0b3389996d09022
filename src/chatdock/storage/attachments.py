"""Attachments: what is known about a file beside its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select, update

from chatdock.storage.database import Row, Statement, Tx
from chatdock.storage.schema import attachment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatdock.storage.threads import Scope

_OWNED = (
    (attachment.c.id == bindparam("attachment_id"))
    & (attachment.c.project_id == bindparam("project"))
    & (attachment.c.user_id == bindparam("user"))
)
_INSERT = Statement(insert(attachment))
_SAVE = Statement(
    update(attachment)
    .where(_OWNED)
    .values(thread_id=bindparam("thread"), data=bindparam("new_data"), upload=bindparam("new_upload"))
)
_BY_ID = Statement(select(attachment).where(_OWNED))
_OF_THREAD = Statement(
    select(attachment)
    .where(attachment.c.thread_id == bindparam("thread"))
    .order_by(attachment.c.created_at, attachment.c.id)
)
_EXISTS = Statement(select(attachment.c.id).where(attachment.c.id == bindparam("attachment_id")))
_UPLOADED = Statement(update(attachment).where(attachment.c.id == bindparam("attachment_id")).values(upload=None))
_REMOVE = Statement(delete(attachment).where(_OWNED))
_REMOVE_UNSENT = Statement(
    delete(attachment).where(attachment.c.thread_id.is_(None), attachment.c.created_at < bindparam("before"))
)


async def save(
    tx: Tx, scope: Scope, attachment_id: str, *, thread_id: str | None, data: str, upload: str | None, now: int
) -> bool:
    """Store an attachment in place of what has its id; False when the id is another user's.

    `data` is JSON without the upload descriptor, which is `upload`.
    """
    changed = await tx.run(
        _SAVE,
        attachment_id=attachment_id,
        thread=thread_id,
        new_data=data,
        new_upload=upload,
        **scope.parameters(),
    )
    if changed:
        return True
    if await exists(tx, attachment_id):
        return False
    await tx.run(
        _INSERT,
        id=attachment_id,
        project_id=scope.project_id,
        user_id=scope.user_id,
        thread_id=thread_id,
        data=data,
        upload=upload,
        created_at=now,
    )
    return True


async def by_id(tx: Tx, scope: Scope, attachment_id: str) -> Row | None:
    """One attachment of the scope's user."""
    return await tx.one(_BY_ID, attachment_id=attachment_id, **scope.parameters())


async def of_thread(tx: Tx, thread_id: str) -> Sequence[Row]:
    """The attachments of a thread's messages, oldest first."""
    return await tx.all(_OF_THREAD, thread=thread_id)


async def exists(tx: Tx, attachment_id: str) -> bool:
    """Whether there is an attachment with this id, whoever has it."""
    return await tx.one(_EXISTS, attachment_id=attachment_id) is not None


async def uploaded(tx: Tx, attachment_id: str) -> bool:
    """Record that the bytes are there: the upload descriptor has done its service. False when the record is gone."""
    return await tx.run(_UPLOADED, attachment_id=attachment_id) == 1


async def remove(tx: Tx, scope: Scope, attachment_id: str) -> bool:
    """Delete an attachment of the scope's user; False when there is none."""
    return await tx.run(_REMOVE, attachment_id=attachment_id, **scope.parameters()) == 1


async def remove_unsent(tx: Tx, before: int) -> None:
    """Delete attachments from before a time that no message took."""
    await tx.run(_REMOVE_UNSENT, before=before)
