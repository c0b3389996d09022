"""What a run answers, as it is stored with the run: whoever executes it, and whenever, loads its turn from here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import orjson
import structlog
from chatkit.actions import Action
from chatkit.types import (
    ClientToolCallItem,
    StructuredInputItem,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    WidgetItem,
)
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from chatdock.protocol.frames import read_item
from chatdock.storage import items, runs, sessions, threads
from chatdock.storage.threads import thread_from_row
from chatdock.workflows.turn import Turn, TurnSession

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chatdock.storage.database import Database, Row, Tx

log = structlog.get_logger("chatdock.runs")

Kind = Literal["message", "tool_output", "structured_input", "action"]
ALL = 2_147_483_647


class Unreadable(ValueError):
    """Something stored that is not as this version writes it. The message says what, and quotes nothing of it."""

    def __init__(self, what: str, error: ValueError) -> None:
        wrong = error.errors(include_input=False, include_url=False)[:3] if isinstance(error, ValidationError) else ()
        details = "; ".join(f"{'.'.join(map(str, each['loc']))} {each['type']}".strip() for each in wrong)
        super().__init__(f"{what} cannot be read" + (f": {details}" if details else ""))


@dataclass(slots=True, kw_only=True)
class Work:
    """The stored form: ids, not objects, since items may have moved on by the time it is executed."""

    kind: Kind
    item_id: str | None
    user_id: str
    project_id: str
    workflow_id: str
    workflow_version: str | None
    titling: bool
    tracing: bool = False
    action: dict[str, Any] | None = None
    locale: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    def to_json(self) -> str:
        """As stored in `run.input`."""
        members = {name: getattr(self, name) for name in self.__slots__}
        return to_json(members, inf_nan_mode="null").decode()

    @classmethod
    def from_json(cls, data: str) -> Work:
        """As it was when the run was accepted; `Unreadable` when it was not written so."""
        try:
            return _WORK.validate_json(data)
        except ValueError as error:
            raise Unreadable("the run's input", error) from None

    @classmethod
    def read(cls, data: str) -> Work | None:
        """As it was when the run was accepted; None when that cannot be read."""
        try:
            return cls.from_json(data)
        except Unreadable:
            return None


_WORK = TypeAdapter(Work)


async def load_turn(database: Database, work: Work, thread_id: str, session_id: str) -> Turn | None:
    """The turn of a stored run; None when its thread is gone, `Unreadable` when what it answers cannot be read."""

    async def load(tx: Tx) -> tuple[Row, Row | None, Row | None, list[str]] | None:
        thread = await threads.by_id(tx, threads.Scope(work.project_id), thread_id)
        if thread is None:
            return None
        item = None if work.item_id is None else await items.by_id(tx, thread_id, work.item_id)
        return thread, item, await sessions.of_run(tx, session_id), await items.hidden_ids(tx, thread_id)

    loaded = await database.read(load)
    if loaded is None:
        return None
    row, item_row, session, hidden_ids = loaded
    item = None if item_row is None else _item(item_row)
    variables = None if session is None else session["state_variables"]
    return make_turn(
        database,
        work,
        session_id=session_id,
        thread=thread_from_row(row),
        item=item,
        saved_state=row["state"],
        variables=variables,
        hidden_ids=hidden_ids,
    )


def make_turn(
    database: Database,
    work: Work,
    *,
    session_id: str,
    thread: ThreadMetadata,
    item: ThreadItem | None,
    saved_state: str,
    variables: str | None,
    hidden_ids: Iterable[str],
) -> Turn:
    """A turn from what is at hand; `saved_state` and `variables` are JSON as stored."""
    thread_id = thread.id
    saved = _variables(saved_state, "state", thread_id)
    session_variables = _variables(variables or "{}", "state_variables", thread_id)

    async def load_items(limit: int | None, before: str | None) -> list[ThreadItem]:
        async def load(tx: Tx) -> Sequence[Row]:
            place = None if before is None else await items.by_id(tx, thread_id, before)
            if before is not None and place is None:
                return ()
            not_ours = await _waiting_messages(tx, thread_id)
            count = ALL if limit is None else limit + len(not_ours)
            page = await items.page(tx, thread_id, order="desc", count=count, after=place)
            return [row for row in page if row["id"] not in not_ours][:limit]

        return [item for row in reversed(await database.read(load)) if (item := _readable(row)) is not None]

    async def waiting() -> set[str]:
        return await database.read(lambda tx: _waiting_messages(tx, thread_id))

    return Turn(
        thread=thread,
        user=work.user_id,
        project=work.project_id,
        session=TurnSession(id=session_id, state_variables=session_variables),
        workflow_id=work.workflow_id,
        message=item if isinstance(item, UserMessageItem) else None,
        action=None if work.action is None else Action[str, Any].model_validate(work.action),
        sender=item if isinstance(item, WidgetItem) else None,
        tool_output=item if isinstance(item, ClientToolCallItem) else None,
        answers=item if isinstance(item, StructuredInputItem) else None,
        state={**_variables(saved_state, "state", thread_id), **session_variables},
        saved_state=saved,
        locale=work.locale,
        metadata=work.metadata,
        headers=work.headers,
        hidden_ids=frozenset(hidden_ids),
        load_items=load_items,
        waiting=waiting,
        database=database,
    )


def _variables(stored: str, what: str, thread_id: str) -> dict[str, Any]:
    """A stored object; an empty one, and a line in the log, when it is none: the thread goes on without."""
    try:
        read = orjson.loads(stored)
    except ValueError:
        read = None
    if isinstance(read, dict):
        return read
    log.warning("state_unreadable", what=what, thread=thread_id)
    return {}


async def _waiting_messages(tx: Tx, thread_id: str) -> set[str]:
    """Ids of the messages that came in meanwhile and have a turn of their own, which has not begun."""
    unfinished = await runs.unfinished(tx, thread_id)
    queued = [Work.read(run["input"]) for run in unfinished if run["status"] == "queued"]
    return {work.item_id for work in queued if work and work.kind == "message" and work.item_id is not None}


def _item(row: Row) -> ThreadItem:
    try:
        return read_item(row["data"])
    except ValueError as error:
        raise Unreadable(f"item {row['id']} of thread {row['thread_id']}", error) from None


def _readable(row: Row) -> ThreadItem | None:
    """A stored item; None, and a line in the log, when it cannot be read: the rest of the thread can."""
    try:
        return _item(row)
    except Unreadable as error:
        log.warning("item_unreadable", error=str(error))
        return None
