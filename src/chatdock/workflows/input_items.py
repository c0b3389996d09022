"""A thread's items as a model's input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents.models.chatcmpl_converter import Converter
from chatkit.agents import ThreadItemConverter
from openai.types.responses import EasyInputMessageParam, ResponseInputTextParam

from chatdock.workflows.untrusted import in_texts, stated, typed_item, within

if TYPE_CHECKING:
    from agents import TResponseInputItem
    from chatkit.types import (
        AssistantMessageItem,
        Attachment,
        HiddenContextItem,
        ThreadItem,
        UserMessageTagContent,
        WidgetItem,
    )


async def assistant_message_to_input(
    self: ThreadItemConverter, item: AssistantMessageItem
) -> TResponseInputItem | list[TResponseInputItem] | None:
    """What the assistant said, as text.

    chatkit-python (1.6.5) makes `output_text` parts of it, which the Agents SDK (0.24) refuses for models of the Chat
    Completions API: every second turn would fail there. Both APIs take text.
    """
    said = "".join(part.text for part in item.content)
    return EasyInputMessageParam(type="message", role="assistant", content=said)


_ITEM_TO_INPUT = ThreadItemConverter._thread_item_to_input_item
_WIDGET_TO_INPUT = ThreadItemConverter.widget_to_input


async def item_to_input(
    self: ThreadItemConverter, item: ThreadItem, is_last_message: bool = True
) -> list[TResponseInputItem]:
    """An item without what its user could pass off as the server's, for each of the converter's methods."""
    return await _ITEM_TO_INPUT(self, typed_item(item), is_last_message)


async def widget_to_input(self: ThreadItemConverter, item: WidgetItem) -> Any:
    """A widget's JSON, of which the user may have written a part."""
    return in_texts(within, await _WIDGET_TO_INPUT(self, item))


class TurnConverter(ThreadItemConverter):
    """chatkit-python's converter; tags and the names of files as text, hidden context of any shape."""

    assistant_message_to_input = assistant_message_to_input
    _thread_item_to_input_item = item_to_input
    widget_to_input = widget_to_input

    async def attachment_to_message_content(self, attachment: Attachment) -> ResponseInputTextParam:
        """That there was a file. Threads that were imported have some, without their bytes."""
        told = stated(f"The user attached {attachment.name} ({attachment.mime_type})")
        return ResponseInputTextParam(type="input_text", text=told)

    async def tag_to_message_content(self, tag: UserMessageTagContent) -> ResponseInputTextParam:
        """What a tag names, for the model."""
        told = stated(f"@{tag.text} is {tag.id} {tag.data or ''}".strip())
        return ResponseInputTextParam(type="input_text", text=told)

    async def hidden_context_to_input(self, item: HiddenContextItem) -> Any:
        """Content that is no text, as Python writes it."""
        if not isinstance(item.content, str):
            item = item.model_copy(update={"content": repr(item.content)})
        return await super().hidden_context_to_input(item)


def correct_chatkit() -> None:
    """Let chatkit-python's own converter, from which authors derive theirs, do as `TurnConverter` does."""
    ThreadItemConverter.assistant_message_to_input = assistant_message_to_input  # type: ignore[method-assign]
    ThreadItemConverter._thread_item_to_input_item = item_to_input  # type: ignore[method-assign]
    ThreadItemConverter.widget_to_input = widget_to_input  # type: ignore[method-assign]
    correct_agents_sdk()


def correct_agents_sdk() -> None:
    """Let a stored run go on with a model of the Chat Completions API, from a thread's second turn on.

    The Agents SDK (0.24) stores earlier answers of the conversation as `output_text` parts without an id, and then
    takes no such message for one of the assistant.
    """
    Converter.maybe_response_output_message = classmethod(_output_message)  # type: ignore[assignment]


with_id = Converter.maybe_response_output_message


def _output_message(_cls: type[Converter], item: Any) -> Any:
    match item:
        case {"role": "assistant", "content": list()} if item.get("type", "message") == "message":
            return item
        case _:
            return with_id(item)
