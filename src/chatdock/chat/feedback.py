"""Thumbs up and down on items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatdock.chat.threads import find, find_item
from chatdock.storage import feedback

if TYPE_CHECKING:
    from chatdock.chat.turns import Caller
    from chatdock.protocol.operations import FeedbackParams
    from chatdock.storage.database import Database, Tx
    from chatdock.storage.times import Clock


async def give(database: Database, caller: Caller, params: FeedbackParams, clock: Clock) -> None:
    """Record the user's verdict on items of a thread; a later one replaces it."""
    session = caller.session

    async def store(tx: Tx) -> None:
        await find(tx, session.scope, params.thread_id)
        for item_id in params.item_ids:
            await find_item(tx, params.thread_id, item_id, param="params.item_ids")
            await feedback.put(
                tx,
                thread_id=params.thread_id,
                item_id=item_id,
                project_id=session.project_id,
                user_id=session.user_id,
                kind=params.kind,
                now=clock.micros(),
            )

    await database.write(store)
