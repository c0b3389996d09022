"""Puts the doors before the rooms: `create_app(settings, workflows)` owns the start and the end of one world."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.staticfiles import StaticFiles

from chatdock import __version__
from chatdock.api import component, conversation, files, health, openapi, sessions, threads
from chatdock.api.edge import Edge, Failures
from chatdock.api.errors import MethodNotAllowed, RouteNotFound, from_validation
from chatdock.errors import ApiError, InvalidRequest, clip
from chatdock.metrics import Metrics
from chatdock.model.errors import ModelError
from chatdock.tracing.export import export_wanted

if TYPE_CHECKING:
    from starlette.types import Scope

    from chatdock.model.endpoint import ModelEndpoint
from chatdock.settings import Settings
from chatdock.storage.times import Clock
from chatdock.workflows.models import connected, equipped, prepare
from chatdock.workflows.registry import Registry
from chatdock.workflows.workflow import Workflow, WorkflowError
from chatdock.world import World


def create_app(
    settings: Settings,
    workflows: Iterable[Workflow],
    *,
    demo: bool = False,
    host: str = "127.0.0.1",
    model: ModelEndpoint | None = None,
    clock: Clock | None = None,
    public: bool = False,
) -> Edge:
    """An ASGI application that serves these workflows. Start-up and shutdown happen in its lifespan.

    `model` is the endpoint that answers agents which hold no model object of their own; an embedded one is started.
    `host` is where it will be served, which decides under which names a demo may be opened. `clock` is the machine's
    unless a test brings its own. `public`: other machines reach the server's port.
    `ExportError` when the environment asks for an export of traces that is not possible, `WorkflowError` when the
    endpoint cannot do what a workflow needs.
    """
    export_wanted()
    workflows = list(workflows)
    if model is not None:
        prepare(model, workflows, settings)
    registry = Registry(workflows)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                if model is not None:
                    await stack.enter_async_context(connected(model, workflows, settings))
                await stack.enter_async_context(equipped(workflows))
            except (ModelError, WorkflowError) as error:
                edge.refused = error
                raise
            world = app.state.world = await World.build(settings, registry, metrics, clock or Clock())
            stack.push_async_callback(world.close)
            edge.doors["/v1/chatkit/conversation"] = conversation.Conversation(world, edge.responses)
            edge.doors["/v1/chatkit/files"] = files.Files(world)
            yield

    app = FastAPI(
        title="Chatdock",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    for router in (sessions.router, threads.router, health.router, component.router):
        app.include_router(router)
    hosts = None
    if demo:
        from chatdock.api.demo import add_demo
        from chatdock.api.hosts import Hosts

        hosts = Hosts(host, settings)

        add_demo(app, settings.allowed_origins)
    app.add_middleware(Failures)
    openapi.describe(app)
    _add_docs(app)
    _add_error_handlers(app)
    edge = Edge(app, settings, metrics, public=public, hosts=hosts)
    return edge


def _add_docs(app: FastAPI) -> None:
    """`/docs`: our own OpenAPI, shown by Swagger UI from its package: no request leaves for another host."""
    from importlib.util import find_spec
    from pathlib import Path

    from fastapi.openapi.docs import get_swagger_ui_html

    spec = find_spec("swagger_ui_bundle")
    assert spec is not None
    assert spec.origin is not None
    assets = next((Path(spec.origin).parent / "vendor").iterdir())
    app.mount("/docs/assets", StaticFiles(directory=assets), name="docs-assets")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Chatdock API",
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon-32x32.png",
        )


def _methods(app: FastAPI, scope: Scope) -> list[str]:
    """Every method that a path takes; the router's own answer names those of its first route alone."""
    candidates = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    return [
        method
        for method in candidates
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in app.routes)
    ]


def _add_error_handlers(app: FastAPI) -> None:
    def answer(error: ApiError) -> JSONResponse:
        return JSONResponse(error.envelope(), error.status, error.headers)

    @app.exception_handler(ApiError)
    async def api_error(_request: Request, error: Any) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: Any) -> JSONResponse:
        return answer(from_validation(error.errors()))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: Any) -> JSONResponse:
        if error.status_code == 400:
            return answer(InvalidRequest("The request body is not valid JSON.", code="invalid_json"))
        if error.status_code == 405:
            allowed = ", ".join(_methods(app, request.scope))
            return answer(MethodNotAllowed(f"{request.method} is not allowed here.", headers={"Allow": allowed}))
        return answer(
            RouteNotFound(f"Invalid URL ({request.method} {clip(request.url.path, 200)}).", code="unknown_url")
        )
