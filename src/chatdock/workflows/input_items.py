"""A thread's items as a model's input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatkit.agents import ThreadItemConverter
from openai.types.responses import EasyInputMessageParam, ResponseInputTextParam

if TYPE_CHECKING:
    from agents import TResponseInputItem
    from chatkit.types import AssistantMessageItem, Attachment, HiddenContextItem, UserMessageTagContent


async def assistant_message_to_input(
    self: ThreadItemConverter, item: AssistantMessageItem
) -> TResponseInputItem | list[TResponseInputItem] | None:
    """What the assistant said, as text.

    chatkit-python (1.6.5) makes `output_text` parts of it, which the Agents SDK (0.24) refuses for models of the Chat
    Completions API: every second turn would fail there. Both APIs take text.
    """
    said = "".join(part.text for part in item.content)
    return EasyInputMessageParam(type="message", role="assistant", content=said)


class TurnConverter(ThreadItemConverter):
    """chatkit-python's converter; tags and the names of files as text, hidden context of any shape."""

    assistant_message_to_input = assistant_message_to_input

    async def attachment_to_message_content(self, attachment: Attachment) -> ResponseInputTextParam:
        """That there was a file. Threads that were imported have some, without their bytes."""
        told = f"The user attached {attachment.name} ({attachment.mime_type})"
        return ResponseInputTextParam(type="input_text", text=told)

    async def tag_to_message_content(self, tag: UserMessageTagContent) -> ResponseInputTextParam:
        """What a tag names, for the model."""
        return ResponseInputTextParam(type="input_text", text=f"@{tag.text} is {tag.id} {tag.data or ''}".strip())

    async def hidden_context_to_input(self, item: HiddenContextItem) -> Any:
        """Content that is no text, as Python writes it."""
        if not isinstance(item.content, str):
            item = item.model_copy(update={"content": repr(item.content)})
        return await super().hidden_context_to_input(item)


def correct_chatkit() -> None:
    """Let chatkit-python's own converter, which hosted servers use, say it as `TurnConverter` does."""
    ThreadItemConverter.assistant_message_to_input = assistant_message_to_input  # type: ignore[method-assign]
