"""Tools that a model's provider executes, over Chat Completions, which have none: known at start, or said in words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from agents import (
    Agent,
    CodeInterpreterTool,
    FileSearchTool,
    HostedMCPTool,
    ImageGenerationTool,
    OpenAIChatCompletionsModel,
    Runner,
    WebSearchTool,
)
from chatkit.agents import AgentContext, simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer

from chatdock import Turn, workflow
from chatdock.app import create_app
from chatdock.model.endpoint import ModelEndpoint
from chatdock.settings import Settings
from chatdock.workflows.wording import NOT_SET_UP
from chatdock.workflows.workflow import WorkflowError
from tests.harness.model_endpoint import model_endpoint
from tests.harness.openai_client import openai_client
from tests.harness.server import serving

TOOLS: list[Any] = [
    WebSearchTool(),
    FileSearchTool(vector_store_ids=["vs_1"]),
    CodeInterpreterTool(tool_config={"type": "code_interpreter", "container": {"type": "auto"}}),
    ImageGenerationTool(tool_config={"type": "image_generation"}),
    HostedMCPTool(tool_config={"type": "mcp", "server_label": "ships", "server_url": "https://mcp.example.com"}),
]
LOCAL = ModelEndpoint("http://127.0.0.1:9/v1", "none", None, False)
OPENAI = ModelEndpoint(None, "none", None, False)


def app(endpoint: ModelEndpoint, target: Any, **settings: Any) -> Any:
    return create_app(Settings(**settings), [workflow("wf_test")(target)], model=endpoint)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: type(tool).__name__)
def test_an_endpoint_that_cannot_execute_them_refuses_the_start(tool: Any) -> None:
    guide = Agent(name="Guide", tools=[tool])
    said = rf"agent 'Guide' uses {type(tool).__name__}, .*this endpoint .*CHATDOCK_MODEL_API=responses"
    for reached in (
        guide,
        Agent(name="Desk", handoffs=[guide]),
        Agent(name="Desk", tools=[guide.as_tool("ask", "Ask.")]),
    ):
        with pytest.raises(WorkflowError, match=said):
            app(LOCAL, reached)
        app(LOCAL, reached, model_api="responses")
        app(OPENAI, reached)


@pytest.mark.parametrize("where", ["class", "instance"])
def test_an_agent_that_a_hosted_server_keeps_is_seen_too(where: str) -> None:
    guide = Agent(name="Guide", tools=[WebSearchTool()])

    class Desk(ChatKitServer[Any]):
        agent = guide if where == "class" else None

        def __init__(self) -> None:
            super().__init__(store=None)  # type: ignore[arg-type]
            if where == "instance":
                self.own = guide

        async def respond(self, thread: Any, message: Any, context: Any) -> AsyncIterator[Any]:
            yield message  # never asked

    with pytest.raises(WorkflowError, match="agent 'Guide' uses WebSearchTool"):
        app(LOCAL, Desk())
    app(OPENAI, Desk())


def test_the_way_out_of_a_remote_mcp_tool_is_a_server_of_the_agents_own() -> None:
    with pytest.raises(WorkflowError, match="MCPServerStreamableHttp among its mcp_servers"):
        app(LOCAL, Agent(name="Guide", tools=[TOOLS[-1]]))


def test_an_agent_that_holds_a_model_of_chat_completions_is_refused_when_it_is_registered() -> None:
    model = OpenAIChatCompletionsModel("scripted", openai_client("http://127.0.0.1:9/v1"))
    with pytest.raises(WorkflowError, match=r"agent 'Guide' uses WebSearchTool, .*its model speaks Chat Completions"):
        workflow("wf_test")(Agent(name="Guide", model=model, tools=[WebSearchTool()]))


def test_where_it_cannot_be_seen_the_user_gets_a_sentence_and_the_operator_the_way_out(tmp_path: Path) -> None:
    with model_endpoint() as endpoint:
        model = OpenAIChatCompletionsModel("scripted", openai_client(endpoint.url))
        agent = Agent(name="Guide", model=model, tools=[WebSearchTool()])

        class Desk(ChatKitServer[Any]):
            async def respond(self, thread: Any, message: Any, context: Any) -> AsyncIterator[Any]:
                call: AgentContext[Any] = AgentContext(thread=thread, store=self.store, request_context=context)
                result = Runner.run_streamed(agent, await simple_to_agent_input([message]), context=call)
                async for event in stream_agent_response(call, result):
                    yield event

        async def plain(turn: Turn) -> AsyncIterator[Any]:
            yield str((await Runner.run(agent, turn.text)).final_output)

        made = [workflow("wf_desk")(Desk), workflow("wf_plain")(plain)]
        with structlog.testing.capture_logs() as logs, serving(tmp_path, made) as server:
            for name in ("wf_desk", "wf_plain"):
                turn = server.backend.chat(workflow=name).create()
                assert turn.outcome == "failed"
                assert turn.events[-1]["message"] == NOT_SET_UP
    told = [entry for entry in logs if entry["event"] == "hosted_tool_unavailable"]
    assert [entry["workflow"] for entry in told] == ["wf_desk", "wf_plain"]
    assert {entry["tools"] for entry in told} == {"WebSearchTool"}
    assert "CHATDOCK_MODEL_API=responses" in told[0]["way_out"]
