"""Agents of Pydantic AI. Their history comes from the thread; dependencies, if they want any, are the turn."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

from pydantic import TypeAdapter
from pydantic_ai import (
    Agent,
    AgentRunResultEvent,
    DeferredToolRequests,
    FallbackExceptionGroup,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.capabilities import ReinjectSystemPrompt
from pydantic_ai.exceptions import AgentRunError

from chatdock.workflows.error_lines import hear_errors
from chatdock.workflows.narration import Answered, Text, Thought, ToolEnded, ToolStarted, narrate
from chatdock.workflows.titles import opening_words
from chatdock.workflows.transcript import Called, conversation, transcript
from chatdock.workflows.turn import Turn
from chatdock.workflows.workflow import Adapter, WorkflowError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable

    from chatkit.types import ThreadItem

    from chatdock.workflows.workflow import Emitted, Title

FAILURES = (AgentRunError, FallbackExceptionGroup, TimeoutError)


class PydanticAgentAdapter(Adapter):
    """Answers turns with an agent."""

    title: Title = staticmethod(opening_words)
    needs_model = False

    def __init__(self, agent: Agent[Any, Any]) -> None:
        if agent.deps_type is not NoneType and not issubclass(Turn, agent.deps_type):
            raise WorkflowError(
                f"an agent's dependencies are its turn: deps_type=chatdock.Turn, or none; {agent.deps_type.__name__} "
                "needs an async generator around the agent"
            )
        hear_errors()
        self.agent = agent
        self._speaks = _takes_text(agent.output_type)

    def respond(self, turn: Turn) -> AsyncIterator[Emitted]:
        """Run the agent on the thread's history and stream what it says and does."""
        return narrate(turn, self._run(turn), FAILURES)

    async def _run(self, turn: Turn) -> AsyncGenerator[Any, None]:
        said = False
        held: list[str] = []  # text of an agent whose output is no text may be that output: wait for what follows
        running = self.agent.run_stream_events(
            message_history=_messages(await conversation(turn)),
            deps=None if self.agent.deps_type is NoneType else turn,
            model=turn.chosen_model,
            # A history is given, so the agent's system prompt would be taken to be in it.
            capabilities=[ReinjectSystemPrompt()],
        )
        async with running as events:
            async for event in events:
                match event:
                    case (
                        PartStartEvent(part=TextPart(content=text))
                        | PartDeltaEvent(delta=TextPartDelta(content_delta=text))
                    ):
                        if self._speaks:
                            said = said or bool(text)
                            yield Text(text)
                        else:
                            held.append(text)
                    case (
                        PartStartEvent(part=ThinkingPart(content=thought))
                        | PartDeltaEvent(delta=ThinkingPartDelta(content_delta=thought))
                    ):
                        yield Thought(thought or "")
                    case (
                        FunctionToolCallEvent(part=ToolCallPart() as call)
                        | PartStartEvent(part=NativeToolCallPart() as call)
                    ):
                        yield Text("".join(held))
                        held.clear()
                        said = False
                        yield ToolStarted(call.tool_call_id, call.tool_name)
                    case FunctionToolResultEvent(part=result) | PartStartEvent(part=NativeToolReturnPart() as result):
                        yield ToolEnded(result.tool_call_id)
                    case AgentRunResultEvent():
                        if isinstance(event.result.output, str):
                            yield Answered(event.result.response.finish_reason == "length")
                        if not said or not isinstance(event.result.output, str):
                            yield Text(_shown(event.result.output), "output")
                    case _:
                        pass


def _shown(output: Any) -> str:
    """An output as text: JSON in a code block, unless it is text itself."""
    if isinstance(output, DeferredToolRequests):
        names = ", ".join(call.tool_name for call in [*output.calls, *output.approvals])
        raise WorkflowError(f"tools that are deferred or need approval are not supported: {names}")
    if output is None or isinstance(output, str):
        return output or ""
    return f"```json\n{TypeAdapter(type(output)).dump_json(output, indent=2).decode()}\n```"


def _takes_text(output_type: Any) -> bool:
    """Whether a model's text is the output as it stands: `str`, alone or among others."""
    members = output_type if isinstance(output_type, list | tuple) else get_args(output_type)
    return output_type is str or any(_takes_text(member) for member in members)


def _messages(items: Iterable[ThreadItem]) -> list[ModelMessage]:
    """Items as the messages that the agent would have kept itself."""
    messages: list[ModelMessage] = []
    for line in transcript(items):
        if isinstance(line, Called):
            call = ToolCallPart(line.name, line.arguments, tool_call_id=line.call_id)
            answer = ToolReturnPart(line.name, line.output, tool_call_id=line.call_id)
            messages += [ModelResponse(parts=[call]), ModelRequest(parts=[answer])]
        elif line.role == "user":
            messages.append(ModelRequest(parts=[UserPromptPart(line.text)]))
        else:
            messages.append(ModelResponse(parts=[TextPart(line.text)]))
    return messages
