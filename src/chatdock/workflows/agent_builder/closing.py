"""What is still to be shown when a workflow has ended: what it returned, as far as the user has not seen it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from chatdock.workflows.wording import readable

if TYPE_CHECKING:
    from chatdock.workflows.agent_builder.runner import Walk


def closing(walk: Walk, returned: Any) -> str | None:
    """The text to end with, or None.

    An End node's only text is shown, an agent's answer not again. When nothing at all was shown, what the workflow
    returned is, as a list; where that is an agent's answer or nothing, the last data.
    """
    values = [returned] if isinstance(returned, str) else list(returned.values()) if isinstance(returned, dict) else []
    texts = [value for value in values if isinstance(value, str) and value.strip()]
    answer = isinstance(returned, dict) and ("output_parsed" in returned or "output_text" in returned)
    seen = walk.said if answer else walk.said - walk.hidden
    unseen = [text for text in texts if text not in seen]
    if len(unseen) == 1:
        return unseen[0]
    if walk.shown:
        return None
    if len(texts) == 1 and not answer:
        return texts[0]  # the user's own words
    data = returned if returned and isinstance(returned, dict | list) and not answer else walk.data
    return None if data is None else readable_block(to_jsonable_python(data, fallback=str))


def readable_block(data: Any) -> str:
    """Data as a list that people can read."""
    return "\n".join(_lines(data, 0)) or "(nothing)"


def _lines(data: Any, depth: int) -> list[str]:
    indent = "  " * depth
    if isinstance(data, dict):
        lines = []
        for name, value in data.items():
            if _flat(value):
                lines.append(f"{indent}- **{readable(str(name))}**: {_scalar(value)}")
            elif value not in (None, "", [], {}):
                lines += [f"{indent}- **{readable(str(name))}**", *_lines(value, depth + 1)]
        return lines
    if isinstance(data, list):
        return [line for value in data for line in _entry(value, depth)]
    return [f"{indent}{_scalar(data)}"]


def _entry(value: Any, depth: int) -> list[str]:
    """An entry of a list; the values of a simple one stand in one line."""
    indent = "  " * depth
    if isinstance(value, dict) and all(_flat(each) or each in (None, "") for each in value.values()):
        said = [f"{readable(str(name))}: {_scalar(each)}" for name, each in value.items() if _flat(each)]
        return [f"{indent}- {', '.join(said)}"] if said else []
    if isinstance(value, dict | list):
        return _lines(value, depth)
    return [f"{indent}- {_scalar(value)}"]


def _flat(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and bool(value))


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
