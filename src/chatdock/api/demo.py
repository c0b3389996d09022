"""The demo: a page to chat in at `/`, and anonymous sessions for it. Exists with `--demo` alone."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Cookie, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.staticfiles import StaticFiles

from chatdock.chat.keys import DEFAULT_PROJECT
from chatdock.errors import Conflict, NotFound
from chatdock.protocol import rest
from chatdock.web import DEMO

if TYPE_CHECKING:
    from fastapi import FastAPI

USER_COOKIE = "chatdock_demo_user"
REQUESTS_PER_MINUTE = 60
COOKIE_SECONDS = 365 * 24 * 3600
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "cache-control": "no-cache",
}

router = APIRouter(include_in_schema=False)


class DemoSessionParams(BaseModel):
    """Which workflow the page wants to talk to; the first one if it does not care."""

    workflow: str | None = Field(default=None, max_length=256)


@router.get("/")
async def page() -> FileResponse:
    """The page."""
    return FileResponse(DEMO / "index.html", headers=PAGE_HEADERS)


@router.post("/demo/session")
async def create_demo_session(
    request: Request,
    response: Response,
    body: DemoSessionParams,
    chatdock_demo_user: Annotated[str | None, Cookie(pattern="^demo-[0-9a-f]{32}$")] = None,
) -> dict[str, Any]:
    """A session for whoever asks, under a user id that the browser keeps."""
    world = request.app.state.world
    world.engine.refuse_when_draining()
    workflows = list(world.registry)
    workflow = body.workflow or next(iter(workflows), None)
    if workflow is None:
        raise Conflict("This server has no workflow.", code="no_workflow")
    if workflow not in world.registry:
        raise NotFound("Workflow", workflow, param="workflow")
    user = chatdock_demo_user or f"demo-{secrets.token_hex(16)}"
    wanted = rest.CreateSession(
        workflow=rest.WorkflowParam(id=workflow),
        user=user,
        rate_limits=rest.RateLimitsParam(max_requests_per_1_minute=REQUESTS_PER_MINUTE),
    )
    session = await world.sessions.create(DEFAULT_PROJECT, wanted, api_key="", idempotency_key=None)
    response.set_cookie(USER_COOKIE, user, max_age=COOKIE_SECONDS, httponly=True, samesite="strict")
    return {
        "client_secret": session.client_secret,
        "expires_at": session.expires_at,
        "workflow": workflow,
        "workflows": workflows,
    }


def add_demo(app: FastAPI) -> None:
    """Serve the page and its files."""
    app.include_router(router)
    app.mount("/demo", StaticFiles(directory=DEMO), name="demo")
