"""The events that a workflow can say without building items by hand.

Each method returns an event, to be yielded or given to `turn.emit()`. What takes time is in `chatdock.workflows.live`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageItem,
    ClientEffectEvent,
    ClientToolCallItem,
    ErrorEvent,
    HiddenContextItem,
    NoticeEvent,
    ProgressUpdateEvent,
    StructuredInputItem,
    TaskItem,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadMetadata,
    WidgetItem,
)

from chatdock.protocol.widgets import widget_of

if TYPE_CHECKING:
    from chatkit.icons import IconName
    from chatkit.types import EntitySource, FileSource, StructuredInput, Task, ThreadItem, URLSource


class TurnEvents(ABC):
    """What a turn can say. Items get an id, the thread's id and a time."""

    thread: ThreadMetadata

    @abstractmethod
    def new_id(self) -> str:
        """An id for an item."""

    @abstractmethod
    def now(self) -> datetime:
        """The time for an item, with its zone."""

    def place(self) -> dict[str, Any]:
        """`id`, `thread_id` and `created_at` for an item that the workflow builds itself."""
        return {"id": self.new_id(), "thread_id": self.thread.id, "created_at": self.now()}

    def say(self, text: str, sources: list[URLSource | FileSource | EntitySource] | None = None) -> ThreadItemDoneEvent:
        """A whole assistant message; its sources are listed below it. To stream one, yield its text piece by piece."""
        annotations = [Annotation(source=source) for source in sources or []]
        content = AssistantMessageContent(text=text, annotations=annotations)
        return ThreadItemDoneEvent(item=AssistantMessageItem(**self.place(), content=[content]))

    def cite(self, source: URLSource | FileSource | EntitySource) -> Annotation:
        """A source of what was just said: its marker stands at the end of the text that was yielded so far."""
        return Annotation(source=source)

    def progress(self, text: str, icon: IconName | None = None) -> ProgressUpdateEvent:
        """What is going on, until the next item; shown, not stored."""
        return ProgressUpdateEvent(text=text, icon=icon)

    def notice(
        self, message: str, level: Literal["info", "warning", "danger"] = "info", title: str | None = None
    ) -> NoticeEvent:
        """A notice above the composer; `message` is Markdown. Shown, not stored."""
        return NoticeEvent(level=level, message=message, title=title)

    def effect(self, name: str, data: dict[str, Any] | None = None) -> ClientEffectEvent:
        """Something for the page to do: its `chatkit.effect` event. Nothing comes back."""
        return ClientEffectEvent(name=name, data=data or {})

    def call_client(self, name: str, arguments: dict[str, Any] | None = None) -> ThreadItemDoneEvent:
        """A call of the page's tool `name`; yielded, it ends the turn. Its output is another turn's `tool_output`."""
        call = ClientToolCallItem(**self.place(), call_id=self.new_id(), name=name, arguments=arguments or {})
        return ThreadItemDoneEvent(item=call)

    def ask(self, *questions: StructuredInput) -> ThreadItemDoneEvent:
        """Questions to the user, in place of the composer. What was answered is another turn's `answers`."""
        return ThreadItemDoneEvent(item=StructuredInputItem(**self.place(), inputs=list(questions)))

    def widget(self, widget: Any, copy_text: str | None = None) -> ThreadItemDoneEvent:
        """A widget: of chatkit's types, what a `WidgetTemplate` built, or JSON. `copy_text` is its plain text."""
        return ThreadItemDoneEvent(item=self.widget_item(widget, copy_text))

    def widget_item(self, widget: Any, copy_text: str | None = None) -> WidgetItem:
        """An item that holds the widget, for `added` and `done` events of one's own."""
        return WidgetItem(**self.place(), widget=widget_of(widget), copy_text=copy_text)

    def changed(self, item: WidgetItem, widget: Any) -> WidgetItem:
        """The same item with another widget in it, for `replace()` or as what a sync action returns."""
        return item.model_copy(update={"widget": widget_of(widget)})

    def replace(self, item: ThreadItem) -> ThreadItemReplacedEvent:
        """An item of the thread in a new form, in its place: the one with the same id."""
        return ThreadItemReplacedEvent(item=item)

    def remove(self, item_id: str) -> ThreadItemRemovedEvent:
        """Takes an item out of the thread."""
        return ThreadItemRemovedEvent(item_id=item_id)

    def task(self, task: Task) -> ThreadItemDoneEvent:
        """A task that stands alone: something that was done."""
        return ThreadItemDoneEvent(item=TaskItem(**self.place(), task=task))

    def hidden(self, content: Any) -> ThreadItemDoneEvent:
        """Context for the model that no client sees, at this place of the thread. JSON."""
        return ThreadItemDoneEvent(item=HiddenContextItem(**self.place(), content=content))

    def error(self, message: str, *, allow_retry: bool = True) -> ErrorEvent:
        """Ends the turn with a message for the user; yielded, it is the last event. What was said is kept."""
        return ErrorEvent(message=message, allow_retry=allow_retry)
