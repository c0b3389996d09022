"""What is still to be shown when a workflow has ended: what it returned, as far as the user has not seen it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from chatdock.workflows.readable_data import readable_block

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
