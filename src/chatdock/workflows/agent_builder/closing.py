"""What is still to be shown when a workflow has ended: what it returned, as far as the user has not seen it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatdock.workflows.agent_builder.journal import plain
from chatdock.workflows.agents_sdk.tasks import readable

if TYPE_CHECKING:
    from chatdock.workflows.agent_builder.runner import Walk


def closing(walk: Walk, returned: Any, refusal: str) -> str | None:
    """The text to end with, or None.

    What guardrails failed on becomes the refusal. An End node's only text is shown, an agent's answer not again. When
    nothing at all was shown, the last data is, as a list.
    """
    if any(returned is each for each in walk.tripped):
        return refusal
    texts = [returned] if isinstance(returned, str) else list(returned.values()) if isinstance(returned, dict) else []
    unseen = [text for text in texts if isinstance(text, str) and text.strip() and text not in walk.said]
    if len(unseen) == 1:
        return str(unseen[0])
    if walk.shown:
        return None
    ends = isinstance(returned, dict) and returned and "output_parsed" not in returned and "output_text" not in returned
    data = returned if ends else None if walk.data is None else walk.data[1]
    return None if data is None else readable_block(plain(data))


def readable_block(data: Any) -> str:
    """Data as a list that people can read."""
    return "\n".join(_lines(data, 0)) or "(nothing)"


def _lines(data: Any, depth: int) -> list[str]:
    indent = "  " * depth
    if isinstance(data, dict):
        lines = []
        for name, value in data.items():
            if isinstance(value, dict | list) and value:
                lines += [f"{indent}- **{readable(str(name))}**", *_lines(value, depth + 1)]
            elif value not in (None, "", [], {}):
                lines.append(f"{indent}- **{readable(str(name))}**: {_scalar(value)}")
        return lines
    if isinstance(data, list):
        lines = []
        for value in data:
            if isinstance(value, dict | list):
                inner = _lines(value, depth + 1)
                lines += [f"{indent}- {inner[0].lstrip().removeprefix('- ')}", *inner[1:]] if inner else []
            else:
                lines.append(f"{indent}- {_scalar(value)}")
        return lines
    return [f"{indent}{_scalar(data)}"]


def _scalar(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
