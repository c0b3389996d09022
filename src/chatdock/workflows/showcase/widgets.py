"""Commands that answer with widgets, and the actions of those widgets.

A widget is JSON, as in a `.widget` file: chatkit's named classes are deprecated for direct use. It becomes chatkit's
types where it enters an item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatkit.types import (
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    WidgetComponentUpdated,
    WidgetItem,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
)
from chatkit.widgets import WidgetTemplate

from chatdock.workflows.showcase import gallery
from chatdock.workflows.showcase.arguments import pause

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from chatkit.types import ThreadItem

    from chatdock.workflows.showcase.arguments import Arguments
    from chatdock.workflows.showcase.gallery import Json
    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted


def made(turn: Turn, widget: Any, *, copy_text: str | None = None) -> WidgetItem:
    """An item that holds the widget."""
    return WidgetItem.model_validate(
        {
            "id": turn.new_id(),
            "thread_id": turn.thread.id,
            "created_at": turn.now(),
            "widget": widget,
            "copy_text": copy_text,
        }
    )


def shown(turn: Turn, widget: Any, *, copy_text: str | None = None) -> ThreadItemDoneEvent:
    """The event that shows a finished widget."""
    return ThreadItemDoneEvent(item=made(turn, widget, copy_text=copy_text))


async def widget(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """A card as applications have them."""
    yield shown(turn, gallery.SHIP_CARD, copy_text="Aurora, 92 m, berth 1, on time")


async def widgets(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Every component: one widget for each family, or those that are named."""
    for name, root in gallery.GALLERY.items():
        if not given.words or name in given.words:
            yield shown(turn, root, copy_text=f"The {name} widget")


async def template(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """A widget from a template, as the widget builder exports them."""
    built = WidgetTemplate(gallery.TEMPLATE).build({"name": given.text or "Aurora", "length": 92})
    yield shown(turn, built)


async def form(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Every kind of field in a form, or in a card that is one; its values go to the server."""
    yield shown(turn, gallery.CARD_FORM if "card" in given.words else gallery.FORM)


async def actions(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """A button for each way in which an action can go."""
    yield shown(turn, gallery.actions_card(presses=0))


async def stream_widget(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """A widget that is filled word by word, has a part exchanged, and then all of it."""
    pace = given.pace(0.06)
    item = made(turn, gallery.stream_card())
    yield ThreadItemAddedEvent(item=item)
    for component_id, said in (("story", gallery.STORY), ("notes", gallery.NOTES)):
        words = said.split(" ")
        for n, word in enumerate(words):
            last = n == len(words) - 1
            delta = WidgetStreamingTextValueDelta(
                component_id=component_id, delta=word if last else f"{word} ", done=last
            )
            yield ThreadItemUpdatedEvent(item_id=item.id, update=delta)
            await pause(pace)
    changed = {"component_id": "status", "component": gallery.stream_status("Written", "info")}
    yield ThreadItemUpdatedEvent(item_id=item.id, update=WidgetComponentUpdated.model_validate(changed))
    await pause(pace)
    finished = gallery.stream_card(story=gallery.STORY, notes=gallery.NOTES, status="Complete", color="success")
    root = WidgetRootUpdated.model_validate({"widget": finished})
    yield ThreadItemUpdatedEvent(item_id=item.id, update=root)
    yield ThreadItemDoneEvent(item=item.model_copy(update={"widget": root.widget}))


def changed_in_place(turn: Turn) -> ThreadItemReplacedEvent | None:
    """The widget of the actions, pressed once more, to replace the one that the action came from."""
    item = pressed(turn)
    return None if item is None else ThreadItemReplacedEvent(item=item)


def pressed(turn: Turn) -> ThreadItem | None:
    """The widget that the action came from, changed; None when it came from none.

    The number of presses travels in the action's payload, so the widget needs no state on the server.
    """
    if turn.sender is None or turn.action is None:
        return None
    payload = turn.action.payload if isinstance(turn.action.payload, dict) else {}
    if "presses" in payload:
        return _with_widget(turn.sender, gallery.actions_card(presses=int(payload["presses"]) + 1))
    before = turn.sender.widget.model_dump(mode="json", exclude_none=True)
    values = ", ".join(f"{name} = {value}" for name, value in sorted(payload.items())) or "nothing"
    return _with_widget(turn.sender, gallery.with_value(before, gallery.CHANGED_ID, f"Changed: {values}"))


def _with_widget(item: WidgetItem, root: Json) -> WidgetItem:
    return item.model_copy(update={"widget": WidgetRootUpdated.model_validate({"widget": root}).widget})
