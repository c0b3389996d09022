"""The models that answer an export's agents, and what of its tools other endpoints than OpenAI's can do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agents import FunctionTool, HostedMCPTool, ModelProvider, OpenAIProvider, RunConfig, function_tool

from chatdock.tracing.agents_sdk import run_options
from chatdock.workflows.agent_builder import guardrails
from chatdock.workflows.agent_builder.remote_tools import RemoteTools
from chatdock.workflows.agents_sdk.client_tools import left_to_client
from chatdock.workflows.workflow import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents import Agent, Model
    from openai import AsyncOpenAI

    from chatdock.workflows.agent_builder.export import Export
    from chatdock.workflows.agent_builder.sidecar import Sidecar


class NamedModels(ModelProvider):
    """The endpoint's models, under the names that the file has for them."""

    def __init__(self, models: ModelProvider, sidecar: Sidecar) -> None:
        self._models = models
        self._sidecar = sidecar

    def get_model(self, model_name: str | None) -> Model:
        """The model of this name."""
        return self._models.get_model(self._sidecar.model(model_name or "") or None)


class Endpoint:
    """What an export's agents work with. Changes them in memory, where the endpoint or the sidecar wants that."""

    def __init__(self, export: Export) -> None:
        """Give tools their functions: the sidecar's, or the page's."""
        self._export = export
        self._provider: ModelProvider | None = None
        self._moderator: AsyncOpenAI | None = None
        self._is_openai = False
        self._contexts = guardrails.without_key(export)
        for tool in export.stub_tools.values():
            left_to_client(tool)
        for variable, function in export.bound_tools.items():
            if variable not in export.search_nodes:
                self._bind(variable, function)

    def prepare(self, *, responses: bool, openai: bool) -> None:
        """Fit the agents to an endpoint; `WorkflowError` names the agent and the tool that it cannot do.

        `responses`: it speaks the Responses API, which executes hosted tools. `openai`: it is OpenAI's own.
        """
        self._is_openai = openai
        for agent in self._export.agents.values():
            if not openai:
                agent.model_settings = replace(agent.model_settings, store=None, reasoning=None)
            if not responses:
                for tool in [each for each in agent.tools if not isinstance(each, FunctionTool)]:
                    agent.mcp_servers = [*agent.mcp_servers, self._local(agent, tool)]
                    agent.tools = [each for each in agent.tools if each is not tool]

        unbound = (
            [] if responses else [node for node in self._export.search_nodes if node not in self._export.bound_tools]
        )
        if unbound:
            raise self._elsewhere(f"the file search {unbound[0]} reads OpenAI's vector stores", unbound[0])

    def connect(self, client: AsyncOpenAI, *, use_responses: bool) -> None:
        """Use this client for models that are named."""
        provider = OpenAIProvider(openai_client=client, use_responses=use_responses)
        self._provider = NamedModels(provider, self._export.sidecar)
        self._moderator = client if self._is_openai else None
        for context in self._contexts:
            context.guardrail_llm = client

    def run_config(self, given: RunConfig | dict[str, Any] | None = None) -> RunConfig:
        """A file's own configuration of a run, with our tracing and the endpoint's models."""
        changes = run_options()
        if self._provider is not None:
            changes["model_provider"] = self._provider
        return replace(RunConfig(**given) if isinstance(given, dict) else given or RunConfig(), **changes)

    @property
    def first_model(self) -> str | Model | None:
        """The model of the file's first agent, for what names none."""
        return next((agent.model for agent in self._export.agents.values()), None)

    async def moderate(self, text: str) -> list[str] | None:
        """The categories that OpenAI's moderation finds in a text; None where the endpoint is another."""
        if self._moderator is None:
            return None
        moderated = await self._moderator.moderations.create(model="omni-moderation-latest", input=text)
        found = moderated.results[0].categories.model_dump(by_alias=True)
        return [category for category, flagged in found.items() if flagged]

    def _local(self, agent: Agent[Any], tool: Any) -> RemoteTools:
        """A hosted tool that this server can do as well."""
        if not needs_openai(tool):
            return RemoteTools(tool.tool_config)
        variable = self._export.variable(tool) or "a tool"
        raise self._elsewhere(
            f"agent {agent.name!r} uses {variable} ({type(tool).__name__}), which runs at OpenAI", variable
        )

    def _elsewhere(self, what: str, variable: str) -> WorkflowError:
        return WorkflowError(
            f"{self._export.path}: {what}, and this endpoint speaks Chat Completions. Use one with the Responses API "
            "(CHATDOCK_MODEL_API=responses), or bind it to a function of yours in "
            f'{self._export.path.stem}.chatdock.toml: [tools] {variable} = "module:function"'
        )

    def _bind(self, variable: str, function: Callable[..., Any]) -> None:
        """Let a function do what a tool is for."""
        tool = getattr(self._export.module, variable)
        name = tool.name if hasattr(tool, "params_json_schema") else variable
        bound: FunctionTool = function_tool(function, name_override=name, strict_mode=False)
        for agent in self._export.agents.values():
            agent.tools = [bound if each is tool else each for each in agent.tools]


def needs_openai(tool: Any) -> bool:
    """Whether a tool is executed by OpenAI, and by nobody else."""
    if isinstance(tool, HostedMCPTool):
        return "server_url" not in tool.tool_config
    return not isinstance(tool, FunctionTool)
