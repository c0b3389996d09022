"""Items that grow while a turn works: the steps of a workflow, a generated image, a widget.

`turn.steps()` and `turn.picture()` begin one as a context manager, inside a workflow or a tool; `turn.stream_widget()`
takes its states one by one.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Literal

from chatkit.types import (
    CustomSummary,
    CustomTask,
    DurationSummary,
    GeneratedImage,
    GeneratedImageItem,
    GeneratedImageUpdated,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemUpdatedEvent,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)

from chatdock.workflows.widget_updates import widget_updates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chatkit.icons import IconName
    from chatkit.types import Task, ThreadItemUpdate

    from chatdock.workflows.turn import Turn


TITLES_SHOWN = 3


class Steps:
    """A workflow item: tasks that are added and completed.

    At its end it is called `summary`, else what it was called from the beginning, else what was done; one of reasoning
    says how long it took.
    """

    def __init__(
        self, turn: Turn, kind: Literal["custom", "reasoning"], title: str | None, icon: IconName | None, expanded: bool
    ) -> None:
        self._turn = turn
        self._begun = time.monotonic()
        self.summary: str | None = None
        """The title at the end."""
        heading = CustomSummary(title=title, icon=icon) if title else None
        self.item = WorkflowItem(
            **turn.place(), workflow=Workflow(type=kind, tasks=[], summary=heading, expanded=expanded)
        )

    async def __aenter__(self) -> Steps:
        return await self.begin()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or not issubclass(kind, asyncio.CancelledError | GeneratorExit):
            await self.end()

    async def begin(self) -> Steps:
        """Show the item; `async with` does."""
        await self._turn.emit(ThreadItemAddedEvent(item=self.item.model_copy(deep=True)))
        return self

    async def end(self) -> None:
        """Store it; `async with` does, unless the turn was stopped."""
        workflow = self.item.workflow
        if self.summary:
            workflow.summary = CustomSummary(title=self.summary)
        elif workflow.type == "custom":  # a duration is shown as that of a thought
            workflow.summary = workflow.summary or titles(workflow.tasks)
        else:
            workflow.summary = DurationSummary(duration=round(time.monotonic() - self._begun))
        await self._turn.emit(ThreadItemDoneEvent(item=self.item))

    async def add(self, task: Task | str, icon: IconName | None = None) -> int:
        """Add a task, which is under way unless it says otherwise; returns its number for `update` and `complete`."""
        if isinstance(task, str):
            task = CustomTask(title=task, icon=icon)
        if task.status_indicator == "none":
            task = task.model_copy(update={"status_indicator": "loading"})
        tasks = self.item.workflow.tasks
        tasks.append(task)
        await self._update(WorkflowTaskAdded(task_index=len(tasks) - 1, task=task))
        return len(tasks) - 1

    async def update(self, number: int, **changes: Any) -> None:
        """Change fields of a task: `title`, `content`, `queries`, `sources`, whatever its kind has."""
        tasks = self.item.workflow.tasks
        tasks[number] = type(tasks[number]).model_validate({**tasks[number].model_dump(), **changes})
        await self._update(WorkflowTaskUpdated(task_index=number, task=tasks[number]))

    async def complete(self, number: int, **changes: Any) -> None:
        """The same, and mark it as complete."""
        await self.update(number, **changes, status_indicator="complete")

    async def _update(self, update: ThreadItemUpdate) -> None:
        await self._turn.emit(ThreadItemUpdatedEvent(item_id=self.item.id, update=update))


def titles(tasks: list[Task]) -> CustomSummary | None:
    """What was done, in the words of the first few tasks; None when none of them has a title."""
    named = list(dict.fromkeys(task.title for task in tasks if task.title))
    if not named:
        return None
    icon = tasks[0].icon if len(tasks) == 1 and isinstance(tasks[0], CustomTask) else None
    more = ", …" if len(named) > TITLES_SHOWN else ""
    return CustomSummary(title=", ".join(named[:TITLES_SHOWN]) + more, icon=icon)


class Picture:
    """A generated image: previews, then the image. When it ends without one, it is taken away."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._image_id = turn.new_id()
        self.item = GeneratedImageItem(**turn.place())

    async def __aenter__(self) -> Picture:
        await self._turn.emit(ThreadItemAddedEvent(item=self.item))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, asyncio.CancelledError | GeneratorExit):
            return
        if self.item.image is None:
            await self._turn.emit(ThreadItemRemovedEvent(item_id=self.item.id))

    async def preview(self, url: str, progress: float) -> None:
        """What there is of it; `progress` from 0 to 1. `url` may be a `data:` URL."""
        image = GeneratedImage(id=self._image_id, url=url)
        update = GeneratedImageUpdated(image=image, progress=progress)
        await self._turn.emit(ThreadItemUpdatedEvent(item_id=self.item.id, update=update))

    async def finish(self, url: str) -> None:
        """The image itself. The turn's thread must allow the host: `turn.thread.allowed_image_domains`."""
        self.item = self.item.model_copy(update={"image": GeneratedImage(id=self._image_id, url=url)})
        await self._turn.emit(ThreadItemDoneEvent(item=self.item))


async def stream_widget(turn: Turn, states: AsyncIterator[Any], copy_text: str | None) -> AsyncIterator[Any]:
    """The events of a widget that is shown with its first state and then changed; the last one is stored."""
    item = None
    async for state in states:
        if item is None:
            item = turn.widget_item(state, copy_text)
            yield ThreadItemAddedEvent(item=item)
            continue
        after = item.model_copy(update={"widget": turn.widget_item(state).widget})
        for update in widget_updates(item.widget, after.widget):
            yield ThreadItemUpdatedEvent(item_id=item.id, update=update)
        item = after
    if item is not None:
        yield ThreadItemDoneEvent(item=item)
