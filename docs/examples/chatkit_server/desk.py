"""A chatkit-python server, as it would stand behind an endpoint of its own, and the lines that move it in."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from chatkit.actions import Action
from chatkit.server import ChatKitServer
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    FeedbackKind,
    HiddenContextItem,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)
from chatkit.widgets import WidgetTemplate

from chatdock import workflow

Context = dict[str, str]

BERTH = WidgetTemplate.from_file("berth.widget")


class Desk(ChatKitServer[Context]):
    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, after=None, limit=20, order="desc", context=context)
        told = any(isinstance(item, HiddenContextItem) for item in page.data)
        yield self.say(thread, context, "Your berth is free again." if told else f"Welcome, {context['user_id']}.")
        if not told:
            yield ThreadItemDoneEvent(item=WidgetItem(**self.new(thread, context), widget=BERTH.build({"berth": "B4"})))

    async def action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        note = HiddenContextItem(**self.new(thread, context), content="The user gave the berth back.")
        await self.store.add_thread_item(thread.id, note, context)
        async for event in self.respond(thread, None, context):
            yield event

    async def add_feedback(self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: Context) -> None:
        thread = await self.store.load_thread(thread_id, context)
        thread.metadata["last_feedback"] = feedback
        await self.store.save_thread(thread, context)

    def say(self, thread: ThreadMetadata, context: Context, text: str) -> ThreadItemDoneEvent:
        content = [AssistantMessageContent(text=text)]
        return ThreadItemDoneEvent(item=AssistantMessageItem(**self.new(thread, context), content=content))

    def new(self, thread: ThreadMetadata, context: Context) -> dict[str, Any]:
        item_id = self.store.generate_item_id("message", thread, context)
        return {"id": item_id, "thread_id": thread.id, "created_at": datetime.now()}  # noqa: DTZ005


workflow("wf_desk", context=lambda turn: {"user_id": turn.user})(Desk)
