"""From what a workflow yields to frames in the log and items in the thread.

Nothing is written per token: what a workflow yields while a commit is under way goes into the next one, and text that
waits for the same commit becomes one delta. Commit, then deliver: followers see a batch once it is on disk.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import orjson
from chatkit import types

from chatdock.protocol import frames, ids
from chatdock.protocol.kinds import EVENTS, HIDDEN_TYPES, ITEMS
from chatdock.protocol.snapshot import Snapshot, Unfit, finished
from chatdock.runs.changes import as_dumped, changeable, item_change, state_change, thread_changes
from chatdock.storage import items, runs, threads
from chatdock.workflows.limits import LimitReached
from chatdock.workflows.turn import kept
from chatdock.workflows.workflow import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatdock.runs.log import LiveRun
    from chatdock.storage.database import Database, Op, Tx
    from chatdock.storage.times import Clock
    from chatdock.workflows.turn import Turn

MAX_PENDING = 512
"""How many events may wait for a commit before the workflow does."""
MAX_PENDING_BYTES = 262_144
"""How large they may be, which bounds a row of the log and what a reader is sent at once."""

FAKE_ID = "__fake_id__"
"""What the Agents SDK calls every item of a chat-completions model."""

_PASSED_ON = tuple(
    event
    for event in get_args(get_args(types.ThreadStreamEvent)[0])
    if (kind := EVENTS.get(event.model_fields["type"].default)) is not None and kind.passed_on
)


Standing = tuple[int, list[bytes]]
"""What a run adds up to: the number of its newest event, and the fewest events that say the same, as JSON."""


class Fenced(Exception):
    """The run belongs to somebody else by now, or its thread was deleted."""


class Recorder:
    """Writes one run. Only the run's owner has one, and every append checks that it still is the owner."""

    def __init__(
        self,
        database: Database,
        live: LiveRun,
        turn: Turn,
        *,
        clock: Clock,
        fence: int,
        output_limit: int,
        on_answer: Callable[[], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._database = database
        self._live = live
        self._turn = turn
        self._clock = clock
        self._thread_id = turn.thread.id  # not read again: a workflow could have written another one there
        self._fence = fence
        self._on_answer: Callable[[], None] | None = on_answer
        self._on_failure = on_failure
        self._sequence = live.last
        self._payloads: list[bytes] = []
        self._changes: list[Op[Any]] = []
        self._output_limit = self._left = output_limit
        self._full_at = max(0, output_limit - MAX_PENDING_BYTES)
        self._deltas: list[str] = []
        self._delta_item, self._delta_index = "", 0
        self._text: list[str] = []
        self._text_item: types.AssistantMessageItem | None = None
        self._annotations: list[types.Annotation] = []
        self._snapshot = Snapshot().apply(live.since(0) or b"")
        self._joining: asyncio.Future[Standing | None] | None = None
        self._hidden = set(turn.hidden_ids)
        self._unanswered: set[str] = set()
        self._fake: tuple[str, str] | None = None
        self._made_title: str | None = None
        self._thread = turn.thread.model_dump_json()
        self._seen = as_dumped(turn.thread, self._thread)
        self._ending = False
        self._failed = False
        self._flushing: asyncio.Future[bool] | None = None
        self._scheduled = False
        self._broken: BaseException | None = None
        self._held = False
        self._loop = asyncio.get_running_loop()

    @property
    def awaits_user(self) -> bool:
        """Whether an item of this run waits for an answer."""
        return bool(self._unanswered)

    # What workflows yield

    def emit(self, event: str | types.Annotation | types.ThreadStreamEvent) -> None:
        """Anything but an error."""
        if type(event) is types.ThreadItemUpdatedEvent:  # isinstance() on pydantic's classes takes ten times as long
            self.update(event)
        elif isinstance(event, str):
            self.text(event)
            return  # what changed of the thread meanwhile is looked for with the commit: this is the hot path
        elif isinstance(event, types.Annotation):
            self.annotation(event)
        else:
            self.event(event)
        if self._thread_changed():
            self._notice_thread_changes()
            self._schedule()

    def text(self, text: str) -> None:
        """Assistant text: opens a message, or continues the open one."""
        if len(text) > self._left:
            text = text[: max(0, self._left)]
        if not text:
            return
        if self._text_item is None:
            item = types.AssistantMessageItem(
                id=ids.item_id(), thread_id=self._thread_id, created_at=self._turn.now(), content=[]
            )
            self._text_item = item
            self._emit(frames.item_event("thread.item.added", frames.dump(item)))
            self._emit(frames.part_event(item.id, "added", types.AssistantMessageContent(text="")))
            self._answer()
        self._text.append(text)
        self._delta(self._text_item.id, 0, text)

    def annotation(self, annotation: types.Annotation) -> None:
        """A source of the text that was yielded; without an index, of its end so far."""
        if self._text_item is None:
            raise WorkflowError("an annotation belongs to text that was yielded before it, with no item in between")
        if annotation.index is None:
            annotation = annotation.model_copy(update={"index": sum(map(len, self._text))})
        update = types.AssistantMessageContentPartAnnotationAdded(
            content_index=0, annotation_index=len(self._annotations), annotation=annotation
        )
        self._annotations.append(annotation)
        self._emit(frames.dump(types.ThreadItemUpdatedEvent(item_id=self._text_item.id, update=update)))

    def event(self, event: types.ThreadStreamEvent) -> None:
        """An event: checked, corrected where chatkit's types are careless, hidden where clients must not see it."""
        match event:
            case types.ThreadItemUpdatedEvent():
                self.update(event)
            case types.ThreadItemAddedEvent():
                self.close_text()
                self._added(event.item)
            case types.ThreadItemDoneEvent():
                self.close_text()
                self._stored("thread.item.done", event.item)
            case types.ThreadItemReplacedEvent():
                self.close_text()
                self._stored("thread.item.replaced", event.item)
            case types.ThreadItemRemovedEvent():
                self.close_text()
                self._removed(self._real_id(event.item_id))
            case types.ThreadUpdatedEvent():
                self._adopt(event.thread)
            case types.ErrorEvent():
                self._emit_error(frames.dump(event))
            case _ if isinstance(event, _PASSED_ON):
                self._emit(frames.dump(event))
            case _:
                raise WorkflowError(f"a workflow yields str or events of chatkit.types, not {type(event).__name__}")

    def update(self, event: types.ThreadItemUpdatedEvent) -> None:
        """An update of an item: nearly all events are one, so they come here without a look at their kind."""
        update = event.update
        if type(update) is types.AssistantMessageContentPartTextDelta and isinstance(update.delta, str):
            self._text_delta(event.item_id, update.content_index, update.delta)
            return
        item_id = self._shown_id(event.item_id)
        if item_id is None:
            return
        data = frames.dump(update)
        type(update).model_validate_json(data)  # looked at once more, as items are
        self._emit(frames.update_event(item_id, data))

    def _text_delta(self, item_id: str, content_index: int, delta: str) -> None:
        if not self._deltas or item_id != self._delta_item:  # else it goes on with what waits already
            shown_id = self._shown_id(item_id)
            if shown_id is None:
                return
            item_id = shown_id
        if len(delta) > self._left:
            delta = delta[: max(0, self._left)]
        if delta:
            self._delta(item_id, content_index, delta)

    def _shown_id(self, item_id: str) -> str | None:
        """The id by which clients know an item that is updated; None when they do not."""
        if item_id not in self._snapshot.drafts:
            item_id = self._real_id(item_id)
            if item_id in self._hidden:
                return None
        return item_id

    def close_text(self) -> None:
        """Finish the message that yielded text opened."""
        item = self._text_item
        if item is None:
            return
        self._text_item = None
        annotations, self._annotations = self._annotations, []
        content = types.AssistantMessageContent(text=frames.clean("".join(self._text)), annotations=annotations)
        self._text.clear()
        self._emit(frames.part_event(item.id, "done", content))
        self._stored("thread.item.done", item.model_copy(update={"content": [content]}))

    def error(self, message: str | None = None, *, allow_retry: bool) -> None:
        """The `error` event that is a failed turn's last."""
        self._emit_error(frames.error_event(message, allow_retry=allow_retry))

    def renamed(self, title: str) -> None:
        """The user has named the thread meanwhile, which is stored already: the workflow sees it, and leaves it."""
        was = types.ThreadMetadata.model_validate_json(self._thread).model_copy(update={"title": title})
        self._turn.thread.title = title
        self._thread = was.model_dump_json()
        self._seen = as_dumped(was, self._thread)

    def title(self, title: str) -> None:
        """Give the thread the title that was made for it, unless it has one by now."""
        if self._failed:
            self.change(partial(threads.set_title_once, thread_id=self._thread_id, title=title))
        elif self._turn.thread.title is None:
            self._made_title = self._turn.thread.title = title
            self._schedule()

    # Storing

    def change(self, change: Op[Any]) -> None:
        """Let `change` be part of the next commit."""
        self._changes.append(change)
        self._schedule()

    @property
    def full(self) -> bool:
        """Whether the workflow has to wait: so much is not stored yet, or its limit is reached."""
        many = len(self._deltas) >= MAX_PENDING or len(self._payloads) >= MAX_PENDING
        return many or self._left <= self._full_at

    async def room(self) -> None:
        """Wait until what is pending has been stored; `LimitReached` when the run may emit no more."""
        if self._left <= 0:
            raise LimitReached("output", f"The answer reached the limit of {self._output_limit:,} bytes.")
        self._begin_flush()
        if self._flushing is not None:
            await asyncio.wait([self._flushing])

    async def stored(self) -> None:
        """Wait until everything that was said is stored; a message that is still open is not."""
        self._begin_flush()
        while self._flushing is not None:
            await asyncio.wait([self._flushing])

    def keep_partial(self) -> list[dict[str, Any]]:
        """Finish what was begun: a message keeps the text it has, anything else unfinished is removed.

        Returns those items as they stood, as JSON trees.
        """
        self.close_text()
        self._merge_deltas()
        unfinished = self._snapshot.open_items()
        for payload, change in finish_drafts(self._snapshot, self._thread_id):
            self._emit(payload)
            if change is not None:
                self._changes.append(change)
        return unfinished

    # Who joins

    async def standing(self) -> Standing | None:
        """What the run adds up to now, once all of that is stored; None when it cannot be."""
        if self._joining is None:
            self._joining = self._loop.create_future()
            self._schedule()
        return await asyncio.shield(self._joining)

    def let_readers_go(self, standing: Standing | None = None) -> None:
        """Answer those who wait for the run's standing."""
        joining, self._joining = self._joining, None
        if joining is not None:
            joining.set_result(standing)

    def _stands(self) -> Standing:
        return self._sequence, list(self._snapshot.events())

    def keep_state(self) -> None:
        """Store the state that the workflow leaves in its turn; raises when that is not JSON."""
        self._ending = True
        self._notice_thread_changes()
        self._changes += state_change(self._turn)

    async def end(self, outcome: str, *, error: str | None = None) -> None:
        """Store what is left and the outcome in one commit, and show it. `Fenced` when the run is not ours any more."""
        await self._hold()
        if self._broken is not None:
            raise self._broken
        self._ending = True
        try:
            self._notice_thread_changes()
        except WorkflowError as unfit:  # the thread is as it was again, and the run ends anyhow
            self._on_failure(unfit)
        first, last, data, changes = self._take()
        standing = self._stands() if self._joining is not None else None
        last, data = last + 1, data + frames.terminal(outcome)

        async def end(tx: Tx) -> bool:
            ended = await runs.end(
                tx,
                self._live.run_id,
                self._fence,
                outcome=outcome,
                first=first,
                last=last,
                data=data,
                now=self._clock.micros(),
                error=error,
            )
            for change in changes if ended else ():
                await change(tx)
            return ended

        if not await self._database.write(end):
            raise Fenced
        self._live.publish(first, last, data)
        self.let_readers_go(standing)

    def _emit(self, payload: bytes) -> None:
        if self._deltas:
            self._merge_deltas()
        self._say(payload)
        self._schedule()

    def _say(self, payload: bytes) -> None:
        """Fold an event in, which is refused when it does not fit, and let it wait for the next commit."""
        try:
            self._snapshot.fold(orjson.loads(payload))
        except ValueError as unfit:
            raise WorkflowError(f"a workflow yielded an event that does not fit: {unfit}") from unfit
        self._payloads.append(payload)
        self._left -= len(payload)

    def _emit_error(self, payload: bytes) -> None:
        """The last event of a turn: whatever else there is to say is said before it."""
        self.close_text()
        self._ending = True
        with suppress(WorkflowError):  # the turn fails anyhow, and the thread is as it was again
            self._notice_thread_changes()
        self._emit(payload)
        self._failed = True

    def _delta(self, item_id: str, content_index: int, delta: str) -> None:
        if not self._deltas or item_id != self._delta_item or content_index != self._delta_index:
            self._merge_deltas()
            try:
                self._snapshot.grow(item_id, content_index, "")
            except Unfit as unfit:
                raise WorkflowError(f"a workflow yielded an event that does not fit: {unfit}") from unfit
            self._delta_item, self._delta_index = item_id, content_index
        self._deltas.append(delta)
        self._left -= len(delta)
        if not self._scheduled:
            self._schedule()

    def _merge_deltas(self) -> None:
        if self._deltas:
            if self._turn.trace is not None:
                self._turn.trace.said_text()
            text = frames.clean("".join(self._deltas))
            self._deltas.clear()
            self._snapshot.grow(self._delta_item, self._delta_index, text)
            self._payloads.append(frames.text_delta(self._delta_item, self._delta_index, text))

    def _schedule(self) -> None:
        if not self._scheduled and self._flushing is None:
            self._scheduled = True
            self._loop.call_soon(self._begin_flush)

    async def _hold(self) -> None:
        """Let the commit that is under way end, and begin no other: what waits stays where it can be looked at."""
        self._held = True
        if self._flushing is not None:
            await asyncio.wait([self._flushing])

    def _begin_flush(self) -> None:
        """Hand what waits to the database, unless a commit is under way: then it goes into the next one."""
        self._scheduled = False
        if self._flushing is not None or self._held:
            return
        if self._broken is not None:
            self.let_readers_go()
            return
        waits = self._payloads or self._deltas or self._changes or self._thread_changed()
        if not waits:
            self.let_readers_go(self._stands() if self._joining is not None else None)
            return
        try:
            first, last, data, changes = self._take()
        except WorkflowError as error:
            self._on_failure(error)
            return
        joined = None if self._joining is None else (self._joining, self._stands())
        self._joining = None
        run_id, fence = self._live.run_id, self._fence

        async def append(tx: Tx) -> bool:
            if data:
                mine = await runs.append(tx, run_id, fence, first=first, last=last, data=data)
            else:
                mine = await runs.is_mine(tx, run_id, fence)
            for change in changes if mine else ():
                await change(tx)
            return mine

        self._flushing = self._database.submit(append)
        self._flushing.add_done_callback(partial(self._flushed, first, last, data, joined))

    def _flushed(
        self,
        first: int,
        last: int,
        data: bytes,
        joined: tuple[asyncio.Future[Standing | None], Standing] | None,
        commit: asyncio.Future[bool],
    ) -> None:
        self._flushing = None
        error = commit.exception()
        if error is None and not commit.result():
            error = Fenced()
        if joined is not None:
            joined[0].set_result(None if error is not None else joined[1])
        if error is not None:
            self._broken = error
            self.let_readers_go()
            self._on_failure(error)
            return
        if data:
            self._live.publish(first, last, data)
        self._begin_flush()

    def _take(self) -> tuple[int, int, bytes, list[Op[Any]]]:
        """What waits to be stored, numbered: first and last number, the frames, the changes of items and thread."""
        self._merge_deltas()
        self._notice_thread_changes()
        first = self._sequence + 1
        self._sequence += len(self._payloads)
        data = frames.batch(self._live.run_id, self._sequence, self._payloads)
        self._payloads.clear()
        self._full_at = max(0, self._left - MAX_PENDING_BYTES)
        changes, self._changes = self._changes, []
        return first, self._sequence, data, changes

    # Events, one by one

    def _added(self, item: types.ThreadItem) -> None:
        if item.id == FAKE_ID:
            self._fake = (ids.item_id(), item.type)
        item = self._corrected(item)
        if item.type in HIDDEN_TYPES:
            self._hidden.add(item.id)
            return
        data = frames.dump_item(item)
        self._emit(frames.item_event("thread.item.added", data))
        self._answer()

    def _stored(self, kind: str, item: types.ThreadItem) -> None:
        fake = item.id == FAKE_ID
        item = self._corrected(item)
        if fake and (self._fake is None or self._fake[0] == item.id):
            self._fake = None  # the next item by that name is another one
        data = frames.dump_item(item)
        if item.type in HIDDEN_TYPES:
            self._hidden.add(item.id)
            self._left -= 0 if kept(item) else len(data)  # what adapters keep is not what a workflow says
        else:
            self._emit(frames.item_event(kind, data))
            self._answer()
            if ITEMS[item.type].needs_answer and getattr(item, "status", None) == "pending":
                self._unanswered.add(item.id)
            else:
                self._unanswered.discard(item.id)
        self._changes.append(item_change(item.thread_id, item.id, item.type, data))
        self._schedule()

    def _removed(self, item_id: str) -> None:
        self._unanswered.discard(item_id)
        self._changes.append(partial(items.remove, thread_id=self._thread_id, item_id=item_id))
        if item_id not in self._hidden:
            self._emit(frames.removed(item_id))

    def _adopt(self, changed: types.ThreadMetadata) -> None:
        thread = self._turn.thread
        thread.title = changed.title
        thread.status = changed.status
        thread.allowed_image_domains = changed.allowed_image_domains
        thread.metadata = changed.metadata
        self._schedule()

    def _thread_changed(self) -> bool:
        try:
            return changeable(self._turn.thread) != self._seen
        except Exception:  # whatever the workflow wrote there
            return True

    def _notice_thread_changes(self) -> None:
        """Store and show what the workflow changed of its thread: looked for after each event, and with each commit."""
        if not self._thread_changed() and not self._ending:
            return
        thread = self._turn.thread
        try:
            changes = thread_changes(self._thread, thread, made_title=self._made_title)
        except WorkflowError:
            raise
        except Exception as error:
            self._turn.thread = types.ThreadMetadata.model_validate_json(self._thread)
            raise WorkflowError(f"a workflow made something else of its thread: {error!r}") from error
        if changes:
            self._merge_deltas()  # the text so far was said before
            self._changes += changes
            self._say(frames.thread_event("thread.updated", thread))
        self._thread = thread.model_dump_json()
        self._seen = as_dumped(thread, self._thread)

    def _answer(self) -> None:
        if self._on_answer is not None:
            on_answer, self._on_answer = self._on_answer, None
            on_answer()

    def _real_id(self, item_id: str) -> str:
        return self._fake[0] if item_id == FAKE_ID and self._fake else item_id

    def _corrected(self, item: types.ThreadItem) -> types.ThreadItem:
        """With its thread's id, an id of its own and a time with a zone, whatever the workflow wrote there."""
        changes: dict[str, Any] = {}
        if item.id == FAKE_ID:
            fake = self._fake
            changes["id"] = fake[0] if fake is not None and fake[1] == item.type else ids.item_id()
        if item.thread_id != self._thread_id:
            changes["thread_id"] = self._thread_id
        if item.created_at.tzinfo is not UTC:
            changes["created_at"] = item.created_at.astimezone(UTC)
        return item.model_copy(update=changes) if changes else item


def finish_drafts(snapshot: Snapshot, thread_id: str) -> list[tuple[bytes, Op[Any] | None]]:
    """For each unfinished item the event that finishes or removes it, and the change to store."""
    ends: list[tuple[bytes, Op[Any] | None]] = []
    for draft in snapshot.open_items():
        data = finished(draft)
        if data is None:
            ends.append((frames.removed(draft["id"]), None))
        else:
            saved = item_change(thread_id, draft["id"], draft["type"], data)
            ends.append((frames.item_event("thread.item.done", data), saved))
    return ends
