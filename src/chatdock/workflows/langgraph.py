"""Compiled graphs of LangGraph whose state has `messages`.

Without a checkpointer the graph gets the thread's history with every turn. With one it keeps the history itself, under
the thread's id, and gets what is new; a graph that knows nothing of the thread gets everything.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast, get_args

from chatkit.types import Annotation, ThreadStreamEvent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import ModelError
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage, ToolMessage
from langgraph.config import get_stream_writer
from langgraph.errors import NodeTimeoutError
from langgraph.pregel import Pregel
from langgraph.types import Command
from openai import OpenAIError

from chatdock.protocol.kinds import HIDDEN_TYPES
from chatdock.workflows.error_lines import hear_errors
from chatdock.workflows.narration import Answered, Silence, Text, Thought, ToolEnded, ToolStarted, narrate
from chatdock.workflows.thinking import without_thoughts
from chatdock.workflows.titles import opening_words
from chatdock.workflows.transcript import Called, conversation, transcript
from chatdock.workflows.workflow import Adapter, WorkflowError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable
    from uuid import UUID

    from chatkit.types import ThreadItem
    from langchain_core.runnables import RunnableConfig
    from langgraph.types import StateSnapshot

    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted, Title

FAILURES = (ModelError, OpenAIError, NodeTimeoutError, TimeoutError)
PASSED_ON = (str, Annotation, ToolStarted, ToolEnded, *get_args(get_args(ThreadStreamEvent)[0]))


class GraphAdapter(Adapter):
    """Answers turns with a graph."""

    title: Title = staticmethod(opening_words)
    needs_model = False

    def __init__(self, graph: Any) -> None:
        if not isinstance(graph, Pregel):
            raise WorkflowError("a StateGraph must be compiled before it can answer: workflow(…)(graph.compile())")
        if "messages" not in graph.channels:
            raise WorkflowError("a graph that answers needs `messages` in its state, as in LangGraph's MessagesState")
        hear_errors()
        self.graph: Pregel[Any, Any, Any, Any] = graph
        self._remembers = bool(graph.checkpointer)

    def respond(self, turn: Turn) -> AsyncIterator[Emitted]:
        """Run the graph and stream what its models say and its tools do."""
        return narrate(turn, self._run(turn), FAILURES)

    async def _run(self, turn: Turn) -> AsyncGenerator[Any, None]:
        configurable: dict[str, Any] = {"thread_id": turn.thread.id}
        if chosen := turn.chosen_model:
            configurable["model"] = chosen  # where init_chat_model() looks for it
        config: RunnableConfig = {"configurable": configurable, "callbacks": [_ToolCalls()]}
        interrupts: list[Any] | None = None
        calling: set[str] = set()  # messages that call tools, which come in pieces
        modes: Any = ["messages", "updates", "custom"]
        running = self.graph.astream(await self._input(turn, config), config, stream_mode=modes, subgraphs=True)
        try:
            async with aclosing(cast("AsyncGenerator[Any, None]", running)) as stream:
                async for namespace, mode, data in stream:
                    if mode == "custom" and isinstance(data, PASSED_ON):
                        yield Text(data, "custom") if isinstance(data, str) else data
                    elif mode == "messages" and isinstance(data[0], AIMessage):
                        for part in _parts(data[0]):
                            yield part
                        message_id = data[0].id or ""
                        if data[0].tool_calls or getattr(data[0], "tool_call_chunks", None):
                            calling.add(message_id)
                        if message_id not in calling:
                            yield Answered(_cut_short(data[0].response_metadata), message_id)
                    elif mode == "updates" and not namespace and "__interrupt__" in data:
                        interrupts = [*(interrupts or []), *data["__interrupt__"]]
        except ValueError as error:
            if str(error).startswith("No generation"):  # LangChain's words for a stream without any
                raise Silence("its stream held no event") from error
            raise
        if interrupts is not None:
            yield Text(self._question(interrupts), "interrupt")

    async def _input(self, turn: Turn, config: RunnableConfig) -> dict[str, Any] | Command[Any]:
        history = await conversation(turn)
        if not self._remembers:
            return {"messages": _messages(history)}
        state = await self.graph.aget_state(config)
        known: list[AnyMessage] = state.values.get("messages", [])
        if not known:
            return {"messages": _messages(history)}
        answered = turn.message or turn.tool_output or turn.answers
        assert answered is not None
        ids = [message.id for message in known]
        heard = _without_thoughts(known)
        if answered.id in ids:  # a retry: what came after the message is taken back
            known = known[ids.index(answered.id) + 1 :]
            gone = {message.id for message in known}
            kept = [message for message in heard if message.id not in gone]
            return {"messages": [*kept, *_removed(known), *_messages([answered])]}
        if turn.message is not None and (pending := _pending(state)):
            return Command(resume={pending.id: turn.text}, update={"messages": heard} if heard else None)
        new = [item for item in history if item.id == answered.id or _unheard(item, ids)]
        return {"messages": [*heard, *_removed(_unanswered(known)), *_messages(new)]}

    def _question(self, interrupts: list[Any]) -> str:
        if not self._remembers:
            raise WorkflowError("interrupt() needs a graph with a checkpointer: graph.compile(checkpointer=…)")
        if not interrupts or not isinstance(interrupts[0].value, str):
            raise WorkflowError(
                "the graph stopped for something that a message cannot answer: interrupt() takes a question, as str; "
                "interrupt_before, interrupt_after and interrupts of other values are not supported"
            )
        return str(interrupts[0].value)


class _ToolCalls(BaseCallbackHandler):
    """Puts what tools do into the graph's own stream, so that it keeps its place among the messages."""

    run_inline = True

    def on_tool_start(self, serialized: dict[str, Any], input_str: str, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool is called."""
        get_stream_writer()(ToolStarted(str(run_id), serialized.get("name") or ""))

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """It has returned."""
        get_stream_writer()(ToolEnded(str(run_id)))

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """It has failed."""
        get_stream_writer()(ToolEnded(str(run_id)))


def _parts(message: AIMessage) -> Iterable[Text | Thought]:
    """What a message or a piece of one says; its tool calls are shown when the tools run."""
    for block in message.content_blocks:
        if block["type"] == "text":
            yield Text(block["text"], message.id or "")
        elif block["type"] == "reasoning":
            yield Thought(block.get("reasoning", ""))


def _messages(items: Iterable[ThreadItem]) -> list[AnyMessage]:
    """Items as LangChain's messages, with the items' ids."""
    messages: list[AnyMessage] = []
    for line in transcript(items):
        if isinstance(line, Called):
            call = {"name": line.name, "args": line.arguments, "id": line.call_id}
            messages.append(AIMessage("", tool_calls=[call], id=line.id))
            messages.append(ToolMessage(line.output, tool_call_id=line.call_id, id=f"{line.id}_output"))
        elif line.role == "user":
            messages.append(HumanMessage(line.text, id=line.id))
        else:
            messages.append(AIMessage(line.text, id=line.id))
    return messages


def _cut_short(metadata: dict[str, Any]) -> bool:
    """Whether a model stopped at its length limit: each provider has a word of its own for it."""
    reasons = [metadata.get(name) for name in ("finish_reason", "stop_reason", "done_reason")]
    reasons.append((metadata.get("incomplete_details") or {}).get("reason"))
    return any(str(reason).lower() in {"length", "max_tokens", "max_output_tokens"} for reason in reasons)


def _without_thoughts(messages: Iterable[AnyMessage]) -> list[AnyMessage]:
    """Of what the graph remembers the answers that begin with reasoning, without it."""
    changed: list[AnyMessage] = []
    for message in messages:
        if isinstance(message, AIMessage) and isinstance(message.content, str) and message.id is not None:
            said = without_thoughts(message.content)
            if said != message.content:
                changed.append(message.model_copy(update={"content": said}))
    return changed


def _removed(messages: Iterable[AnyMessage]) -> list[RemoveMessage]:
    return [RemoveMessage(id=message.id) for message in messages if message.id is not None]


def _unheard(item: ThreadItem, known: list[str | None]) -> bool:
    """Hidden context that the graph has not been given; everything else of earlier turns it knows itself."""
    return item.type in HIDDEN_TYPES and item.id not in known


def _unanswered(known: list[AnyMessage]) -> list[AnyMessage]:
    """A tool call that a stop or an error left without its result, and what follows: no model takes those."""
    results = {message.tool_call_id for message in known if isinstance(message, ToolMessage)}
    for number, message in enumerate(known):
        if isinstance(message, AIMessage) and any(call["id"] not in results for call in message.tool_calls):
            return known[number:]
    return []


def _pending(state: StateSnapshot) -> Any:
    """The question that waits for an answer, if one does."""
    return next((interrupt for interrupt in state.interrupts if isinstance(interrupt.value, str)), None)
