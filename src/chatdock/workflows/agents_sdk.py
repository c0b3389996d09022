"""Agents of the OpenAI Agents SDK, with their stream converted by `chatkit.agents`.

History comes from the thread; what chatkit wants of a store is answered from the turn.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from agents import Agent, Model, OpenAIProvider, RunConfig, Runner
from chatkit.agents import AgentContext, stream_agent_response
from chatkit.errors import CustomStreamError
from chatkit.store import Store, StoreItemType
from chatkit.types import (
    Attachment,
    Page,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadMetadata,
)
from openai import OpenAIError

from chatdock.protocol import ids
from chatdock.workflows.input_items import TurnConverter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chatdock.model.endpoint import ModelEndpoint
    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted

log = structlog.get_logger("chatdock.workflows")

TITLE_INSTRUCTIONS = (
    "Write a title for a conversation that begins with the user's message: at most six words, in the message's "
    "language, no quotation marks, no full stop. Answer with the title alone."
)
MODEL_FAILED = "The model could not answer. Please try again."


class AgentAdapter:
    """Answers turns with an agent."""

    def __init__(self, agent: Agent[Any], *, history_limit: int | None = None) -> None:
        self.agent = agent
        self.history_limit = history_limit
        self._provider: OpenAIProvider | None = None

    @property
    def needs_model(self) -> bool:
        """An agent that names its model, or none, rather than holding one."""
        return not isinstance(self.agent.model, Model)

    def connect(self, endpoint: ModelEndpoint, api: str) -> None:
        """Use this endpoint for models that are named."""
        use_responses = api == "responses" or (api == "auto" and endpoint.base_url is None)
        self._provider = OpenAIProvider(
            api_key=endpoint.api_key, base_url=endpoint.base_url, use_responses=use_responses
        )

    async def respond(self, turn: Turn) -> AsyncIterator[Emitted]:
        """Run the agent on the thread's history and stream what it says and does."""
        store = _TurnStore(turn)
        context: AgentContext[Any] = AgentContext(thread=turn.thread, store=store, request_context=turn)
        items = await turn.history(self.history_limit)
        result = Runner.run_streamed(
            self.agent,
            await TurnConverter().to_agent_input(items),
            context=context,
            run_config=self._run_config(),
        )
        try:
            async for event in stream_agent_response(context, result):
                yield event
            for item in store.left_open:
                yield ThreadItemDoneEvent(item=item)
        except OpenAIError as error:
            log.error("model_failed", workflow=turn.workflow_id, thread=turn.thread.id, error=str(error))
            raise CustomStreamError(MODEL_FAILED, allow_retry=True) from error
        finally:
            if not result.is_complete:
                result.cancel()

    async def title(self, turn: Turn) -> str | None:
        """A title for the thread, by the agent's model."""
        titler = Agent(name="Titler", instructions=TITLE_INSTRUCTIONS, model=self.agent.model)
        result = await Runner.run(titler, turn.text[:2000], max_turns=1, run_config=self._run_config())
        return str(result.final_output).strip() or None

    def _run_config(self) -> RunConfig:
        # The SDK's tracing sends every prompt to one vendor unless told not to; nothing leaves this machine unasked.
        if self._provider is None:
            return RunConfig(tracing_disabled=True)
        return RunConfig(tracing_disabled=True, model_provider=self._provider)


class _TurnStore(Store[Any]):
    """What `chatkit.agents` asks of a store, for one turn."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self.left_open: list[ThreadItem] = []

    def generate_thread_id(self, context: Any) -> str:
        return ids.thread_id()

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: Any) -> str:
        return ids.item_id()

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        return self._turn.thread

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        items = await self._turn.history()
        if order == "desc":
            items.reverse()
        start = next((n + 1 for n, item in enumerate(items) if item.id == after), 0)
        page = [_with_local_time(item) for item in items[start : start + limit]]
        more = len(items) > start + limit
        return Page(data=page, has_more=more, after=page[-1].id if more else None)

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        return _with_local_time(next(item for item in await self._turn.history() if item.id == item_id))

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        self.left_open.append(item)

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        raise _unsupported("save_thread")

    async def load_threads(self, limit: int, after: str | None, order: str, context: Any) -> Page[ThreadMetadata]:
        raise _unsupported("load_threads")

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        raise _unsupported("save_item")

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        raise _unsupported("delete_thread")

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        raise _unsupported("delete_thread_item")

    async def save_attachment(self, attachment: Attachment, context: Any) -> None:
        raise _unsupported("save_attachment")

    async def load_attachment(self, attachment_id: str, context: Any) -> Attachment:
        raise _unsupported("load_attachment")

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        raise _unsupported("delete_attachment")


def _unsupported(name: str) -> NotImplementedError:
    return NotImplementedError(f"{name}() is not available to an agent's turn; yield events or change turn.thread")


def _with_local_time(item: ThreadItem) -> ThreadItem:
    # chatkit.agents subtracts created_at from datetime.now() without a zone.
    local: datetime = item.created_at.astimezone().replace(tzinfo=None)
    return item.model_copy(update={"created_at": local})
