"""The kinds of items, events and updates that the protocol has: a new one is a row here, which everything reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemKind:
    """One kind of thread item."""

    rest: str | None = None
    """Its type in REST; None for what REST pages leave out."""
    hidden: bool = False
    """It is kept in a thread for the model and never reaches a client."""
    needs_answer: bool = False
    """While its status is `pending`, the thread waits for its user or page."""
    says: bool = False
    """A run that breaks off keeps the text that was streamed of it; other unfinished items are removed."""
    updates: frozenset[str] = frozenset()
    """The types of the updates that change it while it is streamed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKind:
    """One kind of stream event."""

    lasting: bool = True
    """It changes what a client shows from then on, so a tab that joins late is told; effects and notices pass."""
    passed_on: bool = False
    """What a workflow yields goes out as it is."""


ITEMS: dict[str, ItemKind] = {
    "user_message": ItemKind(rest="chatkit.user_message"),
    "assistant_message": ItemKind(
        rest="chatkit.assistant_message",
        says=True,
        updates=frozenset(
            f"assistant_message.content_part.{change}" for change in ("added", "text_delta", "annotation_added", "done")
        ),
    ),
    "client_tool_call": ItemKind(rest="chatkit.client_tool_call", needs_answer=True),
    "widget": ItemKind(
        rest="chatkit.widget",
        updates=frozenset({"widget.root.updated", "widget.component.updated", "widget.streaming_text.value_delta"}),
    ),
    "generated_image": ItemKind(updates=frozenset({"generated_image.updated"})),
    "structured_input": ItemKind(needs_answer=True),
    "workflow": ItemKind(
        rest="chatkit.task_group", updates=frozenset({"workflow.task.added", "workflow.task.updated"})
    ),
    "task": ItemKind(rest="chatkit.task"),
    "hidden_context_item": ItemKind(hidden=True),
    "sdk_hidden_context": ItemKind(hidden=True),
    "end_of_turn": ItemKind(),
}
"""Every kind of `chatkit.types.ThreadItem`, by its type."""

EVENTS: dict[str, EventKind] = {
    "thread.created": EventKind(),
    "thread.updated": EventKind(),
    "thread.item.added": EventKind(),
    "thread.item.updated": EventKind(),
    "thread.item.done": EventKind(),
    "thread.item.replaced": EventKind(),
    "thread.item.removed": EventKind(),
    "stream_options": EventKind(passed_on=True),
    "progress_update": EventKind(passed_on=True),
    "client_effect": EventKind(passed_on=True, lasting=False),
    "notice": EventKind(passed_on=True, lasting=False),
    "error": EventKind(lasting=False),
}
"""Every kind of `chatkit.types.ThreadStreamEvent`, by its type."""

HIDDEN_TYPES = frozenset(name for name, kind in ITEMS.items() if kind.hidden)
"""Types of items that never reach a client."""
REST_TYPES = tuple(name for name, kind in ITEMS.items() if kind.rest is not None)
"""Types of items that REST pages show."""
