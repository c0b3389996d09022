"""An agent's stream as items of the thread.

`chatkit.agents.stream_agent_response` does this for a `ChatKitServer`. It shows no tools and no handoffs, of a Chat
Completions model's thoughts only the first, refusals not as they stream, and reuses the model's ids. So the stream is
read here; what chatkit leaves open for authors, `ResponseStreamConverter` and `AgentContext`, works as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from chatkit.types import (
    Annotation,
    CustomTask,
    GeneratedImage,
    GeneratedImageItem,
    GeneratedImageUpdated,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemUpdatedEvent,
    WorkflowItem,
)

from chatdock.protocol.kinds import HIDDEN_TYPES
from chatdock.workflows.agents_sdk.activity import Activity
from chatdock.workflows.agents_sdk.message import Message
from chatdock.workflows.agents_sdk.model_answers import LENGTH
from chatdock.workflows.agents_sdk.output import output_type
from chatdock.workflows.agents_sdk.tasks import HOSTED, hosted_task, local_task
from chatdock.workflows.narration import UNSAID, is_said
from chatdock.workflows.turn import kept
from chatdock.workflows.wording import CUT_SHORT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from agents import RunItem, StreamEvent
    from chatkit.agents import ResponseStreamConverter
    from chatkit.types import Task, ThreadStreamEvent

    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted

BESIDE = HIDDEN_TYPES | {"client_tool_call"}
"""Items that do not stand between two steps of the same activity."""


class Streamed(Protocol):
    """What a run streams, or the part of it that is to be shown."""

    @property
    def run_loop_exception(self) -> BaseException | None:
        """What ended the run."""
        ...

    def stream_events(self) -> AsyncIterator[StreamEvent]:
        """Its events, to their end."""
        ...


class Answer:
    """Follows one run of an agent. While it does, what tools emit through the turn comes by here, to keep its place."""

    def __init__(
        self,
        turn: Turn,
        *,
        show_tools: bool,
        converter: ResponseStreamConverter,
        on_workflow: Callable[[WorkflowItem | None], None],
    ) -> None:
        self._turn = turn
        self._show_tools = show_tools
        self._converter = converter
        self._emit = turn.emit_now
        self._activity = Activity(turn, self._say, on_workflow)
        self._message: Message | None = None
        self._pictures: dict[str, GeneratedImageItem] = {}
        self._summarized = False
        self._said: dict[str, None] = {}
        self._mute = False
        self._begun = self._thought = False
        self.silent = True
        """Whether there is nothing to read but what was done and thought."""
        self.cut_short = False
        """Whether the model stopped at its length limit."""
        self.calls: dict[str, str] = {}
        """The calls of local tools: id and name, in order."""
        self.on_item: Callable[[Any], Awaitable[None]] | None = None
        """Hears of each item that the model has said to its end."""
        self.worked: dict[str, None] = {}
        """The items that show them."""

    async def follow(self, result: Streamed) -> None:
        """Say what the run says, to its end."""
        self._turn.emit_now = self.tool_says
        try:
            async for event in result.stream_events():
                if event.type == "raw_response_event":
                    await self._model_says(event.data)
                elif event.type == "run_item_stream_event":
                    await self._run_does(event.name, event.item)
                else:
                    self._mute = output_type(event.new_agent) is not str
            if result.run_loop_exception is not None:
                raise result.run_loop_exception
        finally:
            if self._turn.emit_now == self.tool_says:
                self._turn.emit_now = self._emit

    @property
    def said_anything(self) -> bool:
        """Whether anything of it stands in the thread."""
        return bool(self._said)

    @property
    def missing(self) -> str:
        """Why nothing was said, for the operator."""
        if self.cut_short:
            return "it came to its length limit before any text"
        if self._thought:
            return "reasoning alone"
        return "no text" if self._begun else "its stream held no event"

    async def finish(self, *, without: Iterable[str] = ()) -> None:
        """Settle what is open; `without` names calls of tools that have not begun after all."""
        await self._activity.drop(without)
        await self._activity.close()
        for item in list(self._pictures.values()):
            await self._say(ThreadItemRemovedEvent(item_id=item.id))
        self._pictures.clear()
        await self._close_message()
        if self.cut_short and not self.silent:
            await self._say(self._turn.task(CustomTask(title=CUT_SHORT)))

    async def take_back(self) -> None:
        """Remove everything that this run has said."""
        self._activity.forget()
        self._message = None
        for item_id in list(self._said):
            await self._say(ThreadItemRemovedEvent(item_id=item_id))

    async def begin_call(self, call_id: str, task: CustomTask) -> None:
        """A call that was approved begins now."""
        if self._show_tools:
            await self._begin(call_id, task)

    async def tool_says(self, event: Emitted) -> None:
        """What a tool says, through its `AgentContext` or the turn."""
        if isinstance(event, str | Annotation):
            await self._activity.close()
        elif isinstance(event, ThreadItemAddedEvent | ThreadItemDoneEvent):
            item, ours = event.item, self._activity.item
            if isinstance(item, WorkflowItem):
                if ours is not None and item.id == ours.id:
                    if isinstance(event, ThreadItemDoneEvent):
                        self._activity.forget()
                elif isinstance(event, ThreadItemAddedEvent):
                    await self._activity.adopt(item)
                else:
                    await self._activity.close()
            elif item.type not in BESIDE:
                await self._activity.close()
        self.silent = self.silent and not is_said(event)
        assert self._emit is not None
        self._note(event)
        await self._emit(event)

    # What the model says

    async def _model_says(self, event: Any) -> None:
        match event.type:
            case "response.created":
                await self._close_message()
                self._summarized = self._thought = self.cut_short = False
                self._begun = True
            case "response.completed":
                details = event.response.incomplete_details
                self.cut_short = details is not None and details.reason == LENGTH
            case "response.output_text.delta" | "response.output_text.annotation.added" if self._mute:
                return
            case "response.output_text.delta" | "response.refusal.delta":
                await (await self._open_message()).text(event.content_index, event.delta)
            case "response.output_text.annotation.added":
                await (await self._open_message()).cite(event.content_index, event.annotation)
            case "response.reasoning_summary_text.delta":
                self._summarized = self._thought = True
                await self._activity.think(event.delta)
            case "response.reasoning_text.delta" if not self._summarized:
                self._thought = True
                await self._activity.think(event.delta)
            case "response.reasoning_summary_part.done" | "response.reasoning_text.done":
                await self._activity.end_thought()
            case "response.output_item.added":
                await self._item_begins(event.item)
            case "response.output_item.done":
                await self._item_ends(event.item)
                if self.on_item is not None:
                    await self.on_item(event.item)
            case "response.image_generation_call.partial_image":
                await self._picture_grows(event)

    async def _item_begins(self, item: Any) -> None:
        if item.type == "reasoning":
            await self._close_message()
            await self._activity.open(thinking=True)
        elif item.type in HOSTED and self._show_tools:
            await self._close_message()
            await self._begin(item.id, hosted_task(item, complete=False))
        elif item.type == "image_generation_call":
            await self._close_message()
            await self._activity.close()
            self._pictures[item.id] = picture = GeneratedImageItem(**self._turn.place())
            await self._say(ThreadItemAddedEvent(item=picture))

    async def _item_ends(self, item: Any) -> None:
        if item.type == "message":
            if self._message is None and any(
                part.type == "refusal" or (part.text and not self._mute) for part in item.content
            ):
                await self._open_message()
            await self._close_message(item)
        elif item.type == "reasoning":
            await self._activity.end_thought()
        elif item.type in HOSTED and self._show_tools:
            await self._activity.end(item.id, hosted_task(item, complete=True))
        elif item.type == "image_generation_call" and (picture := self._pictures.pop(item.id, None)):
            if not item.result:
                await self._say(ThreadItemRemovedEvent(item_id=picture.id))
                return
            url = await self._converter.base64_image_to_url(item.id, item.result)
            image = GeneratedImage(id=picture.id, url=url)
            await self._say(ThreadItemDoneEvent(item=picture.model_copy(update={"image": image})))

    async def _picture_grows(self, event: Any) -> None:
        picture = self._pictures.get(event.item_id)
        if picture is None:
            return
        index = event.partial_image_index
        url = await self._converter.base64_image_to_url(event.item_id, event.partial_image_b64, index)
        update = GeneratedImageUpdated(
            image=GeneratedImage(id=picture.id, url=url),
            progress=self._converter.partial_image_index_to_progress(index),
        )
        await self._say(ThreadItemUpdatedEvent(item_id=picture.id, update=update))

    # What the run does with it

    async def _run_does(self, name: str, item: RunItem) -> None:
        raw: Any = item.raw_item
        kind = raw.get("type") if isinstance(raw, dict) else getattr(raw, "type", None)
        if name == "tool_called" and kind not in HOSTED | {"image_generation_call"}:
            call: Any = item
            call_id = call.call_id or self._turn.new_id()
            self.calls[call_id] = call.tool_name or ""
            if self._show_tools:
                await self._close_message()
                await self._begin(call_id, local_task(call))
        elif name == "tool_output":
            call_id = raw.get("call_id") if isinstance(raw, dict) else raw.call_id
            await self._activity.end(str(call_id))
        elif name == "handoff_occured" and self._show_tools:
            handoff: Any = item
            title = f"Handed over to {handoff.target_agent.name}"
            await self._close_message()
            await self._activity.begin(
                self._turn.new_id(), CustomTask(title=title, icon="agent", status_indicator="complete")
            )

    async def _begin(self, call_id: str, task: Task) -> None:
        await self._activity.begin(call_id, task)
        if self._activity.item is not None:
            self.worked[self._activity.item.id] = None

    async def _open_message(self) -> Message:
        if self._message is None:
            await self._activity.close()
            self._message = Message(self._turn, self._say, self._converter)
        return self._message

    async def _close_message(self, raw: Any = None) -> None:
        message, self._message = self._message, None
        if message is not None:
            await message.finish(raw)

    async def _say(self, event: ThreadStreamEvent) -> None:
        assert self._emit is not None
        self._note(event)
        await self._emit(event)

    def _note(self, event: Emitted) -> None:
        kind = type(event)  # isinstance() on pydantic's classes takes ten times as long, and deltas come by here
        if kind is ThreadItemAddedEvent or kind is ThreadItemDoneEvent:
            if kept(event.item) is None:  # type: ignore[union-attr]
                self._said[event.item.id] = None  # type: ignore[union-attr]
            self.silent = self.silent and event.item.type in UNSAID  # type: ignore[union-attr]
        elif kind is ThreadItemRemovedEvent:
            self._said.pop(event.item_id, None)  # type: ignore[union-attr]
