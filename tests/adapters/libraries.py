"""One agent in each library: a scripted model and some tools, no more."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from agent_framework import Agent as FrameworkAgent
from agent_framework import (
    BaseChatClient,
    ChatResponseUpdate,
    Content,
    FunctionInvocationLayer,
    Message,
)
from agent_framework.exceptions import ChatClientException
from langchain_core.exceptions import ModelAPIError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, SystemMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import StructuredTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai import ModelHTTPError, ModelMessage
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel

from tests.adapters.script import Call, Full, Prompt, Script, Step, Think

Tool = Callable[..., Any]
ROLES = {"human": "user", "ai": "assistant"}


class GraphModel(BaseChatModel):
    """A chat model of LangChain."""

    script: Any

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        prompt = [(ROLES.get(message.type, message.type), _graph_text(message)) for message in messages]
        async for step in self.script.play(prompt, kwargs.get("model")):
            if isinstance(step, Think):
                message = AIMessageChunk(content=[{"type": "reasoning", "reasoning": step.text, "index": 0}])
            elif isinstance(step, Full):
                message = AIMessageChunk(content="", response_metadata={"finish_reason": "length"})
            elif isinstance(step, Call):
                chunk = tool_call_chunk(name=step.tool, args=json.dumps(step.arguments), id=step.id, index=0)
                message = AIMessageChunk(content="", tool_call_chunks=[chunk])
            else:
                message = AIMessageChunk(content=step)
            yield ChatGenerationChunk(message=message)


def _graph_text(message: BaseMessage) -> str:
    calls = [f"{call['name']} {json.dumps(call['args'])}" for call in getattr(message, "tool_calls", [])]
    return message.text or "".join(calls)


def graph_builder(script: Script, tools: Sequence[Tool]) -> StateGraph[Any, Any, Any, Any]:
    """A model and its tools, in turns, not compiled yet."""
    model = GraphModel(script=script)

    async def ask(state: MessagesState, config: RunnableConfig) -> dict[str, Any]:
        asked = [SystemMessage("Be brief."), *state["messages"]]
        return {"messages": [await model.ainvoke(asked, model=config["configurable"].get("model"))]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    if tools:
        wrapped = [_graph_tool(tool) for tool in tools]
        builder.add_node("tools", ToolNode(wrapped))
        builder.add_conditional_edges("ask", tools_condition)
        builder.add_edge("tools", "ask")
    return builder


def _graph_tool(tool: Tool) -> StructuredTool:
    if inspect.iscoroutinefunction(tool):
        return StructuredTool.from_function(coroutine=tool)
    return StructuredTool.from_function(tool)


def langgraph(script: Script, tools: Sequence[Tool] = ()) -> Any:
    """A compiled graph."""
    return graph_builder(script, tools).compile()


def remembering(script: Script, tools: Sequence[Tool] = ()) -> Any:
    """The same with a checkpointer."""
    return graph_builder(script, tools).compile(checkpointer=InMemorySaver())


def pydantic_ai(script: Script, tools: Sequence[Tool] = (), **options: Any) -> Any:
    """An agent of Pydantic AI."""

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        async for step in script.play(_pydantic_prompt(messages)):
            if isinstance(step, Think):
                yield {0: DeltaThinkingPart(content=step.text)}
            elif isinstance(step, Call):
                yield {1: DeltaToolCall(step.tool, json.dumps(step.arguments), tool_call_id=step.id)}
            else:
                yield step

    model = FunctionModel(stream_function=stream)
    return PydanticAgent(model, system_prompt="Be brief.", tools=list(tools), **options)


def _pydantic_prompt(messages: list[ModelMessage]) -> Prompt:
    roles = {"system-prompt": "system", "user-prompt": "user", "text": "assistant", "tool-return": "tool"}
    prompt: Prompt = []
    for part in [part for message in messages for part in message.parts]:
        if part.part_kind == "tool-call":
            prompt.append(("assistant", f"{part.tool_name} {json.dumps(part.args_as_dict())}"))
        elif part.part_kind in roles:
            prompt.append((roles[part.part_kind], str(getattr(part, "content", ""))))
    return prompt


class FrameworkClient(FunctionInvocationLayer[Any], BaseChatClient[Any]):
    """A chat client of the Agent Framework."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self.script = script

    def _inner_get_response(self, *, messages: Any, stream: bool, options: Any, **kwargs: Any) -> Any:
        assert stream
        prompt: Prompt = []
        if options.get("instructions"):
            prompt.append(("system", options["instructions"]))
        prompt += [(str(message.role), _framework_text(message)) for message in messages]
        return self._build_response_stream(self._stream(prompt, options.get("model")))

    async def _stream(self, prompt: Prompt, model: str | None) -> AsyncIterator[ChatResponseUpdate]:
        async for step in self.script.play(prompt, model):
            if isinstance(step, Think):
                content = Content.from_text_reasoning(text=step.text)
            elif isinstance(step, Full):
                yield ChatResponseUpdate(role="assistant", contents=[], finish_reason="length")
                continue
            elif isinstance(step, Call):
                content = Content.from_function_call(step.id, step.tool, arguments=json.dumps(step.arguments))
            else:
                content = Content.from_text(step)
            yield ChatResponseUpdate(role="assistant", contents=[content])


def _framework_text(message: Message) -> str:
    texts = []
    for content in message.contents:
        if content.type == "function_call":
            texts.append(f"{content.name} {json.dumps(content.parse_arguments())}")
        else:
            texts.append(str(content.result if content.type == "function_result" else content.text))
    return "".join(texts)


def agent_framework(script: Script, tools: Sequence[Tool] = ()) -> Any:
    """An agent of the Microsoft Agent Framework."""
    return FrameworkAgent(FrameworkClient(script), instructions="Be brief.", tools=list(tools))


class Library:
    """How to make an agent of a library, and what its models raise."""

    def __init__(self, agent: Callable[[Script, Sequence[Tool]], Any], failure: Callable[[], Exception]) -> None:
        self._agent = agent
        self._failure = failure

    def script(self, *answers: Sequence[Step]) -> Script:
        """A model that gives these answers."""
        return Script(list(answers), self._failure)

    def agent(self, script: Script, *tools: Tool) -> Any:
        """An agent that asks the model."""
        return self._agent(script, tools)


STATELESS = {
    "langgraph": Library(langgraph, lambda: ModelAPIError("overloaded")),
    "pydantic_ai": Library(pydantic_ai, lambda: ModelHTTPError(429, "scripted")),
    "agent_framework": Library(agent_framework, lambda: ChatClientException("overloaded")),
}
"""Those that are given the history."""
LIBRARIES = {**STATELESS, "langgraph-checkpointer": Library(remembering, lambda: ModelAPIError("overloaded"))}
