"""A thread's items as a model's input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents.models.chatcmpl_converter import Converter
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
    correct_agents_sdk()


def correct_agents_sdk() -> None:
    """Let a stored run go on with a model of the Chat Completions API, from a thread's second turn on.

    The Agents SDK (0.24) stores earlier answers of the conversation as `output_text` parts without an id, and then
    takes no such message for one of the assistant.
    """
    Converter.maybe_response_output_message = classmethod(_output_message)  # type: ignore[assignment]


_with_id = Converter.maybe_response_output_message


def _output_message(_cls: type[Converter], item: Any) -> Any:
    match item:
        case {"role": "assistant", "content": list()} if item.get("type", "message") == "message":
            return item
        case _:
            return _with_id(item)
