"""The MCP servers of agents: connected while this server runs, and again when a connection has broken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog
from agents.mcp import MCPServerManager
from chatkit.errors import CustomStreamError

from chatdock.redaction import scrub
from chatdock.workflows.agents_sdk.team import team
from chatdock.workflows.wording import TOOL_UNREACHABLE
from chatdock.workflows.workflow import WorkflowError

if TYPE_CHECKING:
    from agents import Agent
    from agents.mcp import MCPServer

log = structlog.get_logger("chatdock.workflows")

CONNECT_SECONDS = 20.0
"""How long a server may take to start and greet."""
CLOSE_SECONDS = 5.0
REASON_LENGTH = 500


@asynccontextmanager
async def connected(agents: Iterable[Agent[Any]]) -> AsyncIterator[None]:
    """The servers of these agents, and of those that they reach; each once, whoever shares it.

    `WorkflowError` names one that cannot be reached, and the agent that has it.
    """
    owners: dict[int, tuple[MCPServer, str]] = {}
    for agent in team(agents):
        for server in agent.mcp_servers:
            owners.setdefault(id(server), (server, agent.name))
    connections: list[Connection] = []
    try:
        for server, _ in owners.values():
            connections.append(Connection(server))
        outcomes = await asyncio.gather(*(each.open() for each in connections), return_exceptions=True)
        for (server, owner), error in zip(owners.values(), outcomes, strict=True):
            if isinstance(error, Exception):
                origin = _innermost(error)
                why = scrub(" ".join(f"{type(origin).__name__}: {origin}".split())[:REASON_LENGTH])
                raise WorkflowError(
                    f"the MCP server {server.name!r} of agent {owner!r} cannot be reached: {why}"
                ) from error
            if error is not None:
                raise error
        yield
    finally:
        await asyncio.gather(*(each.close() for each in connections))


class Connection:
    """Holds one server connected. Whoever asks it for its tools finds a broken connection and waits for a new one."""

    def __init__(self, server: MCPServer) -> None:
        self._server: Any = server
        # One for each: it connects and cleans up in one task, as the protocol's transports need it.
        self._manager = MCPServerManager(
            [server],
            connect_timeout_seconds=CONNECT_SECONDS,
            cleanup_timeout_seconds=CLOSE_SECONDS,
            connect_in_parallel=True,
        )
        self._lock = asyncio.Lock()
        self._made = 0
        self._list_tools, self._call_tool = self._server.list_tools, self._server.call_tool

    async def open(self) -> None:
        """Connect; raises what was in the way."""
        await self._manager.connect_all()
        self._look()
        self._server.list_tools, self._server.call_tool = self._tools, self._call

    async def close(self) -> None:
        """End the connection."""
        for name in ("list_tools", "call_tool"):
            vars(self._server).pop(name, None)
        await self._manager.cleanup_all()

    async def _tools(self, *given: Any, **options: Any) -> Any:
        made = self._made
        try:
            return await self._list_tools(*given, **options)
        except Exception as broken:
            try:
                await self._renew(made, broken)
                return await self._list_tools(*given, **options)
            except Exception as error:
                log.error("mcp_server_unreachable", server=self._server.name, error=_innermost(error))
                raise CustomStreamError(TOOL_UNREACHABLE, allow_retry=True) from error

    async def _call(self, *given: Any, **options: Any) -> Any:
        try:
            return await self._call_tool(*given, **options)
        except Exception:
            # The call may have done its work, so it is not repeated. The next question for tools tells what is broken.
            forget = getattr(self._server, "invalidate_tools_cache", None)
            if forget is not None:
                forget()
            raise

    async def _renew(self, made: int, broken: Exception) -> None:
        """Connect anew, unless somebody else has meanwhile."""
        async with self._lock:
            if made == self._made:
                log.warning("mcp_server_reconnects", server=self._server.name, error=_innermost(broken))
                await self._manager.reconnect(failed_only=False)
                self._look()
                self._made += 1

    def _look(self) -> None:
        for error in self._manager.errors.values():
            if self._server not in self._manager.active_servers:
                raise error if isinstance(error, Exception) else ConnectionError("the connection was given up")


def _innermost(error: BaseException) -> BaseException:
    """What an error goes back to; an SDK's own says only that there was one."""
    while True:
        origin = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__
        if origin is None:
            return error
        error = origin
