"""Tools that a model's provider executes, which only the Responses API has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents import FunctionTool, HostedMCPTool, Model, OpenAIChatCompletionsModel

from chatdock.workflows.workflow import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents import Agent


def refuse(agents: Iterable[Agent[Any]], *, named: bool) -> None:
    """`WorkflowError` when one of the agents has such a tool and its model is asked over Chat Completions.

    `named`: so are the models that agents name.
    """
    for agent in agents:
        held = isinstance(agent.model, Model)
        if isinstance(agent.model, OpenAIChatCompletionsModel) or (named and not held):
            tool = next((each for each in agent.tools if not isinstance(each, FunctionTool)), None)
            if tool is not None:
                asked = "its model" if held else "this endpoint"
                raise WorkflowError(
                    f"agent {agent.name!r} uses {type(tool).__name__}, which the model's provider executes, and "
                    f"{asked} speaks Chat Completions, which cannot. {way_out(tool)}"
                )


def way_out(tool: Any) -> str:
    """What an operator can do who needs this tool."""
    if isinstance(tool, HostedMCPTool) and "server_url" in tool.tool_config:
        instead = "let the agent have an MCPServerStreamableHttp among its mcp_servers"
    else:
        instead = "put a function tool of your own in its place"
    return f"Use an endpoint with the Responses API (CHATDOCK_MODEL_API=responses), or {instead}."
