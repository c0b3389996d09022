"""Widgets with all their members, also those that chatkit's strict classes do not know."""

from __future__ import annotations

from typing import Any

from chatkit.widgets import DynamicWidgetRoot, WidgetRoot
from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python

_ROOT: TypeAdapter[WidgetRoot] = TypeAdapter(WidgetRoot)


def widget_of(widget: Any) -> WidgetRoot:
    """A widget that is one of chatkit's types, or JSON. `ValidationError` when it is neither.

    JSON becomes an instance of its strict class, such as `Card`, unless that would drop a member.
    """
    made = _ROOT.validate_python(widget)
    if isinstance(widget, BaseModel):
        return made
    said = to_jsonable_python(widget, by_alias=True, exclude_none=True)
    return made if _holds(_json(made), said) else DynamicWidgetRoot.model_validate(said)


def _json(widget: BaseModel) -> Any:
    return widget.model_dump(mode="json", by_alias=True, exclude_none=True)


def _holds(kept: Any, said: Any) -> bool:
    """Whether `kept` has every member of `said` that is not null."""
    if isinstance(said, dict):
        return isinstance(kept, dict) and all(
            name in kept and _holds(kept[name], value) for name, value in said.items() if value is not None
        )
    if isinstance(said, list):
        same = isinstance(kept, list) and len(kept) == len(said)
        return same and all(_holds(entry, value) for entry, value in zip(kept, said, strict=True))
    return bool(kept == said)
