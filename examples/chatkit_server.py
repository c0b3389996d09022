"""A chatkit-python server as it stands: an agent that answers, a widget, and the widget's action.

    chatdock serve --demo examples/chatkit_server.py

The class knows nothing of Chatdock, which brings the store, the sessions and the streams. Then say `berths`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from agents import Agent, Runner
from chatkit.actions import Action
from chatkit.agents import AgentContext, simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer, stream_widget
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)
from chatkit.widgets import DynamicWidgetRoot

from chatdock import workflow

Context = dict[str, Any]

harbour_master = Agent(name="Harbour master", instructions="You are the harbour master. Answer briefly.")


class Harbour(ChatKitServer[Context]):
    """Answers questions, and gives berths away."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        """A card for whoever says `berths`; the agent for everybody else."""
        if input_user_message is not None and "berths" in str(input_user_message.content).lower():
            async for event in stream_widget(thread, berths(taken=None), copy_text="Berths 4 and 7"):
                yield event
            return
        items = await self.store.load_thread_items(thread.id, after=None, limit=20, order="asc", context=context)
        agent_context = AgentContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(harbour_master, await simple_to_agent_input(items.data), context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event

    async def action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        """Somebody took a berth."""
        if action.type != "berth.take" or sender is None:
            return
        berth = str(action.payload["berth"])
        yield ThreadItemReplacedEvent(item=sender.model_copy(update={"widget": berths(taken=berth)}))
        text = f"Berth {berth} is yours, {context['user_id']}."
        yield ThreadItemDoneEvent(
            item=AssistantMessageItem(
                id=self.store.generate_item_id("message", thread, context),
                thread_id=thread.id,
                created_at=datetime.now(UTC),
                content=[AssistantMessageContent(text=text)],
            )
        )


def berths(*, taken: str | None) -> DynamicWidgetRoot:
    """A card with a button for each free berth."""
    rows = [
        {"type": "Text", "value": f"Berth {berth} is taken."}
        if berth == taken
        else {
            "type": "Button",
            "label": f"Take berth {berth}",
            "onClickAction": {"type": "berth.take", "payload": {"berth": berth}},
        }
        for berth in ("4", "7")
    ]
    return DynamicWidgetRoot.model_validate({"type": "Card", "children": rows})


workflow("wf_harbour", context=lambda turn: {"user_id": turn.user})(Harbour)
