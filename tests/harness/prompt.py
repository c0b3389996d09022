"""uvicorn that ends as soon as it shall; its own loop looks ten times a second, and its end begins with a pause."""

from __future__ import annotations

import asyncio
import socket

import uvicorn

LOOK = 0.005
"""Seconds between two looks whether it shall end, and whether it can."""
PAUSE = 0.1
"""Seconds that uvicorn waits for connections before it looks at them."""


class PromptServer(uvicorn.Server):
    """The suite starts and ends hundreds of servers."""

    async def main_loop(self) -> None:
        """Serve until it shall end."""
        while not await self.on_tick(0):
            await asyncio.sleep(LOOK)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Without uvicorn's pause, if all connections are gone before it would be over."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for _ in range(round(PAUSE / LOOK)):
            await asyncio.sleep(LOOK)
            if not self.server_state.connections and not self.server_state.tasks:
                await self.lifespan.shutdown()
                return
        await super().shutdown(sockets)
