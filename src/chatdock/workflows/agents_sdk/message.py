"""An assistant message while a model streams it.

Items get ids of their own: a model's are 32 bits of hash with some providers, and one and the same `__fake_id__` for
everything that a Chat Completions model says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemUpdatedEvent,
)
from openai.types.responses.response_output_text import Annotation as ModelAnnotation
from pydantic import TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chatkit.agents import ResponseStreamConverter
    from chatkit.types import ThreadItemUpdate, ThreadStreamEvent

    from chatdock.workflows.turn import Turn

    Say = Callable[[ThreadStreamEvent], Awaitable[None]]

MODEL_ANNOTATION: TypeAdapter[Any] = TypeAdapter(ModelAnnotation)


class Message:
    """Begins with its first text: a model that opens a message and says nothing leaves no empty one."""

    def __init__(self, turn: Turn, say: Say, converter: ResponseStreamConverter) -> None:
        self._say = say
        self._converter = converter
        self._parts: list[AssistantMessageContent] = []
        self.item = AssistantMessageItem(**turn.place(), content=[])

    async def text(self, index: int, delta: str) -> None:
        """More text, or more of a refusal, of the content part `index`."""
        if not delta:
            return
        part = await self._part(index)
        part.text += delta
        await self._update(AssistantMessageContentPartTextDelta(content_index=index, delta=delta))

    async def cite(self, index: int, raw: object) -> None:
        """A source of the content part `index`, as the Responses API describes it."""
        annotation = await read_annotation(raw, self._converter)
        if annotation is None:
            return
        part = await self._part(index)
        part.annotations.append(annotation)
        await self._update(
            AssistantMessageContentPartAnnotationAdded(
                content_index=index, annotation_index=len(part.annotations) - 1, annotation=annotation
            )
        )

    async def finish(self, raw: Any = None) -> None:
        """The whole message: as the model gives it at the end, or as far as it came."""
        final = [] if raw is None else [await self._read(part) for part in raw.content]
        if not any(part.text for part in final):
            final = self._parts
        if not any(part.text for part in final):
            if self._parts:  # sources of nothing
                await self._say(ThreadItemRemovedEvent(item_id=self.item.id))
            return
        for index, part in enumerate(final):
            await self._part(index)
            await self._update(AssistantMessageContentPartDone(content_index=index, content=part))
        await self._say(ThreadItemDoneEvent(item=self.item.model_copy(update={"content": final})))

    async def _part(self, index: int) -> AssistantMessageContent:
        if not self._parts:
            await self._say(ThreadItemAddedEvent(item=self.item))
        while len(self._parts) <= index:
            self._parts.append(AssistantMessageContent(text=""))
            begun = AssistantMessageContent(text="")
            await self._update(AssistantMessageContentPartAdded(content_index=len(self._parts) - 1, content=begun))
        return self._parts[index]

    async def _read(self, part: Any) -> AssistantMessageContent:
        if part.type == "refusal":
            return AssistantMessageContent(text=part.refusal)
        read = [await read_annotation(raw, self._converter) for raw in part.annotations or ()]
        return AssistantMessageContent(text=part.text, annotations=[one for one in read if one is not None])

    async def _update(self, update: ThreadItemUpdate) -> None:
        await self._say(ThreadItemUpdatedEvent(item_id=self.item.id, update=update))


async def read_annotation(raw: object, converter: ResponseStreamConverter) -> Annotation | None:
    """A model's citation as the protocol's; None for one that names nothing. It may come as a bare dict."""
    cited = MODEL_ANNOTATION.validate_python(raw, from_attributes=True)
    match cited.type:
        case "url_citation":
            return await converter.url_citation_to_annotation(cited)
        case "file_citation":
            return await converter.file_citation_to_annotation(cited)
        case "container_file_citation":
            return await converter.container_file_citation_to_annotation(cited)
        case _:
            return None
