"""What changed between two states of a widget, in the fewest bytes.

`chatkit.server.diff_widget` says the same, but importing it brings the Agents SDK along, which takes two seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatkit.types import WidgetRootUpdated, WidgetStreamingTextValueDelta

if TYPE_CHECKING:
    from chatkit.widgets import WidgetRoot

STREAMING = {"Text", "Markdown"}


def widget_updates(before: WidgetRoot, after: WidgetRoot) -> list[WidgetStreamingTextValueDelta | WidgetRootUpdated]:
    """Text that was appended to components with an id, as deltas; any other change as the whole widget."""
    deltas: list[WidgetStreamingTextValueDelta] = []
    if _only_appends(before.model_dump(exclude_none=True), after.model_dump(exclude_none=True), deltas):
        return list(deltas)
    return [WidgetRootUpdated(widget=after)]


def _only_appends(before: Any, after: Any, deltas: list[WidgetStreamingTextValueDelta]) -> bool:
    """Whether `after` is `before` with text appended; collects what was."""
    if isinstance(before, list) and isinstance(after, list):
        same_length = len(before) == len(after)
        return same_length and all(_only_appends(old, new, deltas) for old, new in zip(before, after, strict=True))
    if not isinstance(before, dict) or not isinstance(after, dict):
        return bool(before == after)
    old, new = dict(before), dict(after)
    if _is_text(old) and _is_text(new) and old["id"] == new["id"]:
        was, now = old.pop("value"), new.pop("value")
        streaming = old.pop("streaming", None), new.pop("streaming", None)
        if not now.startswith(was):
            return False
        if now != was or streaming[0] != streaming[1]:
            done = not streaming[1]
            deltas.append(WidgetStreamingTextValueDelta(component_id=old["id"], delta=now[len(was) :], done=done))
    return old.keys() == new.keys() and all(_only_appends(old[name], new[name], deltas) for name in old)


def _is_text(component: dict[str, Any]) -> bool:
    return component.get("type") in STREAMING and bool(component.get("id")) and isinstance(component.get("value"), str)
