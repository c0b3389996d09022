"""A thread's items as a model's input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatkit.agents import ThreadItemConverter
from openai.types.responses import ResponseInputTextParam

if TYPE_CHECKING:
    from chatkit.types import HiddenContextItem, UserMessageTagContent


class TurnConverter(ThreadItemConverter):
    """chatkit-python's converter; tags as text, hidden context of any shape."""

    async def tag_to_message_content(self, tag: UserMessageTagContent) -> ResponseInputTextParam:
        """What a tag names, for the model."""
        return ResponseInputTextParam(type="input_text", text=f"@{tag.text} is {tag.id} {tag.data or ''}".strip())

    async def hidden_context_to_input(self, item: HiddenContextItem) -> Any:
        """Content that is no text, as Python writes it."""
        if not isinstance(item.content, str):
            item = item.model_copy(update={"content": repr(item.content)})
        return await super().hidden_context_to_input(item)
