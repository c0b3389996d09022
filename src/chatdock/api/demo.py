"""The demo: a page at `/`, the chat alone at `/embed`, anonymous sessions for both. Exists with `--demo` alone."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Cookie, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field
from starlette.staticfiles import StaticFiles

from chatdock.api.address import address
from chatdock.api.auth import BoundedRoute
from chatdock.chat.keys import DEFAULT_PROJECT
from chatdock.chat.limits import Allowance
from chatdock.errors import Conflict, NotFound, Unavailable
from chatdock.protocol import rest
from chatdock.web import DEMO
from chatdock.web.manifest import NotBuilt

if TYPE_CHECKING:
    from fastapi import FastAPI

USER_COOKIE = "chatdock_demo_user"
REQUESTS_PER_MINUTE = 60
ALL_ADDRESSES = 10
"""How many times as many sessions all addresses get together as one."""
COOKIE_SECONDS = 365 * 24 * 3600
RETRY_SECONDS = 30
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' data: blob:; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types lit-html; frame-ancestors "
)
"""What the pages may do; who may frame them is added for each."""

router = APIRouter(include_in_schema=False, route_class=BoundedRoute)


class DemoSessionParams(BaseModel):
    """Which workflow the page wants to talk to; the first one if it does not care."""

    workflow: str | None = Field(default=None, max_length=256)


@router.get("/")
def page() -> HTMLResponse:
    """The page."""
    return _html("index.html", ("'none'",))


@router.get("/embed")
def embed(request: Request) -> HTMLResponse:
    """The chat alone, which pages of the allowed origins may frame."""
    return _html("embed.html", ("'self'", *request.app.state.demo_frame_ancestors))


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
    limit = world.settings.demo_sessions_per_minute
    world.limiter.count(
        Allowance(("demo", address(request.scope)), limit, "this address", "anonymous sessions"),
        Allowance(("demo",), limit * ALL_ADDRESSES, "this server", "anonymous sessions"),
    )
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


def add_demo(app: FastAPI, frame_ancestors: tuple[str, ...]) -> None:
    """Serve the pages and their files. `frame_ancestors` are the origins whose pages may frame `/embed`."""
    app.state.demo_frame_ancestors = frame_ancestors
    app.include_router(router)
    app.mount("/demo", StaticFiles(directory=DEMO, check_dir=False), name="demo")


def _html(name: str, frame_ancestors: tuple[str, ...]) -> HTMLResponse:
    try:
        content = (DEMO / name).read_bytes()
    except FileNotFoundError:
        raise Unavailable(str(NotBuilt()), code="component_not_built", retry_after=RETRY_SECONDS) from None
    headers = {
        "content-security-policy": _POLICY + " ".join(frame_ancestors),
        "cache-control": "no-cache",
    }
    return HTMLResponse(content, headers=headers)
