"""Agents of the Microsoft Agent Framework. Their history comes from the thread, so they need no session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_framework import BaseAgent, Content, Message, RawAgent
from agent_framework.exceptions import AgentException, ChatClientException

from chatdock.workflows.error_lines import hear_errors
from chatdock.workflows.narration import Answered, Text, Thought, ToolEnded, ToolStarted, narrate
from chatdock.workflows.titles import opening_words
from chatdock.workflows.transcript import Called, conversation, transcript
from chatdock.workflows.workflow import Adapter, WorkflowError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable

    from chatkit.types import ThreadItem

    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted, Title

FAILURES = (AgentException, ChatClientException, TimeoutError)


class FrameworkAgentAdapter(Adapter):
    """Answers turns with an agent."""

    title: Title = staticmethod(opening_words)
    needs_model = False

    def __init__(self, agent: BaseAgent) -> None:
        hear_errors()
        self.agent: Any = agent

    def respond(self, turn: Turn) -> AsyncIterator[Emitted]:
        """Run the agent on the thread's history and stream what it says and does."""
        return narrate(turn, self._run(turn), FAILURES)

    async def _run(self, turn: Turn) -> AsyncGenerator[Any, None]:
        chosen = turn.chosen_model
        options = {"options": {"model": chosen}} if chosen and isinstance(self.agent, RawAgent) else {}
        async with self.agent.run(_messages(await conversation(turn)), stream=True, **options) as updates:
            async for update in updates:
                for content in update.contents:
                    for part in _parts(content, update.message_id or ""):
                        yield part
                yield Answered(update.finish_reason == "length", update.message_id or "")


def _parts(content: Content, message: str) -> Iterable[Any]:
    if content.user_input_request:
        raise WorkflowError("tools that are approved or performed by the user are not supported")
    match content.type:
        case "text":
            yield Text(content.text or "", message)
        case "text_reasoning":
            yield Thought(content.text or "")
        case "function_call" if content.name:
            yield ToolStarted(content.call_id or "", content.name)
        case "function_result":
            yield ToolEnded(content.call_id or "")
        case "error":
            raise ChatClientException(content.message or "the model's answer is an error")


def _messages(items: Iterable[ThreadItem]) -> list[Message]:
    messages = []
    for line in transcript(items):
        if isinstance(line, Called):
            call = Content.from_function_call(line.call_id, line.name, arguments=line.arguments)
            messages.append(Message("assistant", [call], message_id=line.id))
            messages.append(Message("tool", [Content.from_function_result(line.call_id, result=line.output)]))
        else:
            messages.append(Message(line.role, [line.text], message_id=line.id))
    return messages
