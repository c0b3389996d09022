"""What an agent does on the way to its next words: thoughts and tool calls, as the tasks of one workflow item."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from chatkit.types import (
    DurationSummary,
    ThoughtTask,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemUpdatedEvent,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)

from chatdock.workflows.live import titles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chatkit.types import Task

    from chatdock.workflows.agents_sdk.message import Say
    from chatdock.workflows.turn import Turn

THOUGHT_STEP = 32
"""Characters of a thought between two updates: each update carries the whole thought, so not every token may be one."""
THOUGHT_LENGTH = 1000
"""A thought that is longer than this ends with its paragraph, and the next one begins."""


class Activity:
    """One workflow item at a time: it opens with the first thought or task, and closes before the next message."""

    def __init__(self, turn: Turn, say: Say, on_change: Callable[[WorkflowItem | None], None]) -> None:
        self._turn = turn
        self._say = say
        self._on_change = on_change
        self._begun = 0.0
        self._tasks: dict[str, Task] = {}
        self._thought: ThoughtTask | None = None
        self._shown = 0
        self.item: WorkflowItem | None = None
        """The open workflow item."""

    async def open(self, *, thinking: bool = False) -> WorkflowItem:
        """The open item; a new one when there is none."""
        if self.item is None:
            # chatkit.agents subtracts created_at from a time without a zone, should a tool end this item.
            place = self._turn.place() | {"created_at": self._turn.now().astimezone().replace(tzinfo=None)}
            workflow = Workflow(type="reasoning" if thinking else "custom", tasks=[])
            await self.adopt(WorkflowItem(**place, workflow=workflow))
            await self._say(ThreadItemAddedEvent(item=self._open_item))
        return self._open_item

    async def adopt(self, item: WorkflowItem) -> None:
        """From here on this is the open item."""
        await self.close()
        self.item, self._begun = item, time.monotonic()
        self._on_change(item)

    # Thoughts

    async def think(self, delta: str) -> None:
        """More of the thought that is under way."""
        await self.open(thinking=True)
        if self._thought is None:
            delta = delta.lstrip()
            if not delta:
                return
            self._thought = ThoughtTask(content=delta, status_indicator="loading")
            await self._add(self._thought)
            self._shown = len(delta)
            return
        self._thought.content += delta
        if len(self._thought.content) > THOUGHT_LENGTH:
            thought, _, rest = self._thought.content.rpartition("\n\n")
            if thought:
                self._thought.content = thought
                await self.end_thought()
                await self.think(rest)
                return
        if len(self._thought.content) - self._shown >= THOUGHT_STEP:
            self._shown = len(self._thought.content)
            await self._changed(self._thought)

    async def end_thought(self) -> None:
        """The thought is complete."""
        if self._thought is not None:
            thought, self._thought = self._thought, None
            thought.content = thought.content.rstrip()
            thought.status_indicator = "complete"
            await self._changed(thought)

    # Tasks

    async def begin(self, key: str, task: Task) -> None:
        """A task that is under way, or was done at once."""
        await self.open()
        await self.end_thought()
        self._tasks[key] = task
        await self._add(task)

    async def end(self, key: str, task: Task | None = None) -> None:
        """The task is complete, in the form that it has now."""
        known = self._tasks.get(key)
        if known is None or self.item is None:
            return
        self._tasks[key] = ended = (task or known).model_copy(update={"status_indicator": "complete"})
        tasks = self.item.workflow.tasks
        index = _place(tasks, known)
        if index is not None and known.status_indicator != "complete":
            tasks[index] = ended
            await self._changed(ended)

    async def drop(self, keys: Iterable[str]) -> None:
        """Tasks that have not begun after all, before the item closes."""
        for key in keys:
            task = self._tasks.pop(key, None)
            if task is not None and self.item is not None:
                self.item.workflow.tasks = [each for each in self.item.workflow.tasks if each is not task]

    async def close(self) -> None:
        """The item is done: how long it took when there were thoughts, else what was done."""
        item = self.item
        if item is None:
            return
        await self.end_thought()
        self.forget()
        self._on_change(None)
        workflow = item.workflow
        for task in workflow.tasks:
            if isinstance(task, ThoughtTask):
                workflow.type = "reasoning"
            if task.status_indicator == "loading":
                task.status_indicator = "complete"
        if not workflow.tasks and workflow.type != "reasoning":
            await self._say(ThreadItemRemovedEvent(item_id=item.id))
            return
        if workflow.summary is None:
            if workflow.type == "reasoning":
                workflow.summary = DurationSummary(duration=round(time.monotonic() - self._begun))
            else:
                workflow.summary = titles(workflow.tasks)
        await self._say(ThreadItemDoneEvent(item=item))

    def forget(self) -> None:
        """The item is done already, or gone."""
        self.item = self._thought = None
        self._tasks.clear()

    @property
    def _open_item(self) -> WorkflowItem:
        assert self.item is not None
        return self.item

    async def _add(self, task: Task) -> None:
        item = self._open_item
        item.workflow.tasks.append(task)
        added = WorkflowTaskAdded(task_index=len(item.workflow.tasks) - 1, task=task)
        await self._say(ThreadItemUpdatedEvent(item_id=item.id, update=added))

    async def _changed(self, task: Task) -> None:
        item = self._open_item
        index = _place(item.workflow.tasks, task)
        if index is not None:
            changed = WorkflowTaskUpdated(task_index=index, task=task)
            await self._say(ThreadItemUpdatedEvent(item_id=item.id, update=changed))


def _place(tasks: list[Task], task: Task) -> int | None:
    return next((n for n, each in enumerate(tasks) if each is task), None)
