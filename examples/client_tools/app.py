"""An application with a chat in it: its page, its sessions, and Chatdock, in one process.

    python examples/client_tools/app.py

Then open http://127.0.0.1:8000. The page asks `/session` for a client secret, which the application makes for its user
with the official SDK. Here everybody is the same user; yours knows who is logged in.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route

from chatdock.app import create_app
from chatdock.settings import Settings
from chatdock.workflows.loader import load

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

HERE = Path(__file__).parent
OWN_PATHS = {"/", "/session"}


def application(port: int) -> ASGIApp:
    """The page and its sessions at their paths, Chatdock at all others."""
    key = secrets.token_urlsafe()
    chatdock = create_app(Settings(api_keys=(key,)), load(str(HERE / "workflows.py")))
    client = AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key)

    async def page(_request: Request) -> FileResponse:
        return FileResponse(HERE / "page.html")

    async def session(_request: Request) -> JSONResponse:
        made = await client.beta.chatkit.sessions.create(user="user_1", workflow={"id": "wf_shop"})
        return JSONResponse({"client_secret": made.client_secret})

    own = Starlette(routes=[Route("/", page), Route("/session", session, methods=["POST"])])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        is_own = scope["type"] == "http" and scope["path"] in OWN_PATHS
        await (own if is_own else chatdock)(scope, receive, send)

    return app


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    uvicorn.run(application(port), host="127.0.0.1", port=port)
