"""A hosted MCP tool, called from here: for models whose endpoint calls none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog
from agents.mcp import MCPServer, MCPServerStreamableHttp, create_static_tool_filter
from chatkit.errors import CustomStreamError

if TYPE_CHECKING:
    from agents import RunContextWrapper
    from agents.agent import AgentBase
    from mcp.types import CallToolResult, GetPromptResult, ListPromptsResult
    from mcp.types import Tool as MCPTool

log = structlog.get_logger("chatdock.workflows")

UNREACHABLE = "A tool of this assistant could not be reached. Please try again in a moment."
TIMEOUT = 60.0
"""Seconds that a tool may take."""


class RemoteTools(MCPServer):
    """The tools of an MCP server, with the address, headers, allowed tools and approvals of a `HostedMCPTool`.

    Each request has a connection of its own: turns in parallel share an agent, and nothing is left open between them.
    """

    def __init__(self, config: Any) -> None:
        # As with OpenAI, the user is asked unless the file says otherwise.
        policy: Any = config.get("require_approval") or "always"
        super().__init__(require_approval=_chosen(policy) if isinstance(policy, dict) else policy)
        self._label = str(config["server_label"])
        headers = dict(config.get("headers") or {})
        if config.get("authorization"):
            headers["Authorization"] = f"Bearer {config['authorization']}"
        self._address: Any = {"url": config["server_url"], "headers": headers, "timeout": TIMEOUT}
        allowed = config.get("allowed_tools")
        names = allowed.get("tool_names") if isinstance(allowed, dict) else allowed
        self._filter = None if names is None else create_static_tool_filter(allowed_tool_names=list(names))

    @property
    def name(self) -> str:
        """The file's label of it."""
        return self._label

    async def connect(self) -> None:
        """Nothing stays open."""

    async def cleanup(self) -> None:
        """Nothing stays open."""

    async def list_tools(
        self, run_context: RunContextWrapper[Any] | None = None, agent: AgentBase | None = None
    ) -> list[MCPTool]:
        """Those that the file allows."""
        async with self._open() as server:
            answer: list[MCPTool] = await server.list_tools(run_context, agent)
        return answer

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, meta: dict[str, Any] | None = None
    ) -> CallToolResult:
        """Call one."""
        async with self._open() as server:
            answer: CallToolResult = await server.call_tool(tool_name, arguments, meta)
        return answer

    async def list_prompts(self) -> ListPromptsResult:
        """The server's prompts."""
        async with self._open() as server:
            answer: ListPromptsResult = await server.list_prompts()
        return answer

    async def get_prompt(self, name: str, arguments: dict[str, Any] | None = None) -> GetPromptResult:
        """One of the server's prompts."""
        async with self._open() as server:
            answer: GetPromptResult = await server.get_prompt(name, arguments)
        return answer

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[MCPServerStreamableHttp]:
        server: Any = MCPServerStreamableHttp(
            self._address, name=self._label, tool_filter=self._filter, client_session_timeout_seconds=TIMEOUT
        )
        try:
            await server.connect()
        except Exception as error:
            log.error("mcp_server_unreachable", server=self._label, error=type(error).__name__)
            raise CustomStreamError(UNREACHABLE, allow_retry=True) from error
        try:
            yield server
        finally:
            await server.cleanup()


def _chosen(policy: dict[str, Any]) -> Any:
    """Whether the user is asked, by two lists of tools' names; of one in neither, where a list names those that run."""
    always, never = ((policy.get(which) or {}).get("tool_names") or () for which in ("always", "never"))

    def asks(_context: Any, _agent: Any, tool: MCPTool) -> bool:
        return tool.name in always or (tool.name not in never and "never" in policy)

    return asks
