"""What an agent answers that has an `output_type`: data, which is for programs unless its author says otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents import AgentOutputSchemaBase
from chatkit.widgets import WidgetTemplate
from jinja2 import TemplateError
from pydantic_core import to_jsonable_python

from chatdock.workflows.readable_data import readable_block
from chatdock.workflows.workflow import WorkflowError

if TYPE_CHECKING:
    from agents import Agent

    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted

ShowOutput = bool | str | Path | WidgetTemplate
"""Whether data is shown: not, as a list, or in a widget, whose template may be a file."""


def output_type(agent: Agent[Any]) -> Any:
    """What an agent answers with: `str`, or the type of its data."""
    kind = agent.output_type
    if isinstance(kind, AgentOutputSchemaBase):
        return getattr(kind, "output_type", kind)
    return str if kind is None else kind


def widget_template(given: str | Path | WidgetTemplate) -> WidgetTemplate:
    """The template, read from its file if it is a path; `WorkflowError` when that holds none."""
    if isinstance(given, WidgetTemplate):
        return given
    try:
        return WidgetTemplate.from_file(str(given))
    except (OSError, ValueError, KeyError, TypeError, TemplateError) as error:
        raise WorkflowError(f"{given} is no widget template: {type(error).__name__}: {error}") from error


def told(turn: Turn, output: Any, show: bool | WidgetTemplate) -> Emitted:
    """The event that shows data, or tells it to the model alone: later turns know what was answered."""
    data = to_jsonable_python(output, by_alias=True, fallback=str)
    if isinstance(show, WidgetTemplate):
        return turn.widget(show.build(data))
    if show:
        return turn.say(readable_block(data))
    return turn.hidden(f"The assistant answered with this data: {json.dumps(data, ensure_ascii=False)}")
