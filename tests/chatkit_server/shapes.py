"""What the guides' servers are made of: items, a model that plays its part, and the agent's turn in `respond`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from agents import Agent, Runner
from agents.testing import ModelStep, ScriptedModel
from chatkit.agents import AgentContext, ThreadItemConverter, simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)

Context = dict[str, Any]
Events = AsyncIterator[ThreadStreamEvent]
Answer = AgentContext[Context]


def in_time(*output: Any) -> ModelStep:
    """A model's answer that takes a moment, as all do: what else is to happen beside it happens meanwhile."""

    async def answer(_call: Any) -> list[Any]:
        await asyncio.sleep(0.1)
        return list(output)

    return ModelStep.respond(answer)


class AgentServer(ChatKitServer[Context]):
    """A server around one agent, as the guide on `respond` builds it. Subclasses bring the agent and its script."""

    converter: ThreadItemConverter | None = None

    def __init__(self, store: Store[Context]) -> None:
        super().__init__(store)
        self.model = ScriptedModel(self.script())
        self.agent: Agent[Answer] = self.make_agent()

    def script(self) -> list[Any]:
        """What the model says, call by call."""
        raise NotImplementedError

    def make_agent(self) -> Agent[Answer]:
        """The agent, whose model is `self.model`."""
        return Agent(name="Assistant", model=self.model)

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        page = await self.store.load_thread_items(thread.id, after=None, limit=20, order="desc", context=context)
        history = list(reversed(page.data))
        convert = self.converter.to_agent_input if self.converter else simple_to_agent_input
        agent_context: Answer = AgentContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(self.agent, await convert(history), context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event


def base(server: ChatKitServer[Context], thread: ThreadMetadata, context: Context) -> dict[str, Any]:
    """What every item has, made as chatkit-python's guides make it."""
    item_id = server.store.generate_item_id("message", thread, context)
    return {"id": item_id, "thread_id": thread.id, "created_at": datetime.now()}  # noqa: DTZ005


def says(server: ChatKitServer[Context], thread: ThreadMetadata, context: Context, text: str) -> ThreadItemDoneEvent:
    """A whole message of the assistant."""
    content = [AssistantMessageContent(text=text)]
    return ThreadItemDoneEvent(item=AssistantMessageItem(**base(server, thread, context), content=content))


def text_of(item: ThreadItem | None) -> str:
    """The text of a user's message."""
    return item.content[0].text if isinstance(item, UserMessageItem) else ""
