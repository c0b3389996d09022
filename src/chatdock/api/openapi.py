"""Our own OpenAPI description: what FastAPI derives from the REST routes, and the two doors that are plain ASGI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from chatdock.protocol import operations as ops
from chatdock.protocol import rest

if TYPE_CHECKING:
    from fastapi import FastAPI

_STREAM = (
    "Server-sent events: frames `data: {event}` without event names. Behind one or several of them stands a block "
    "`id: <run id>:<sequence>` that names the last one above it. The last frame of a run is a comment with its "
    "outcome, such as `: completed`."
)


def describe(app: FastAPI) -> None:
    """Let `/openapi.json` hold every public operation."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _build(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _build(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title="Chatdock",
        version=app.version,
        description="ChatKit on your own machines: the REST API for your back end, the chat protocol for the browser.",
        routes=app.routes,
    )
    schemas: dict[str, Any] = schema["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for name, kind, prefix in (("Error", TypeAdapter(rest.Error), ""), ("Operation", ops.OPERATION, "Chat")):
        # Types of the two APIs share names, such as InferenceOptions, and differ.
        described = kind.json_schema(ref_template=f"#/components/schemas/{prefix}{{model}}")
        schemas |= {f"{prefix}{part}": definition for part, definition in described.pop("$defs", {}).items()}
        schemas[name] = described
    schema["components"]["securitySchemes"] = {
        "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key; for back ends."},
        "clientSecret": {"type": "http", "scheme": "bearer", "description": "A session's client secret; for browsers."},
    }
    for path in schema["paths"].values():
        for route in path.values():
            route["security"] = [{"apiKey": []}]
            route["responses"].pop("422", None)
            _add_errors(route, ["400", "401", "404", "413", "422", "503"])
    schema["paths"]["/v1/chatkit/conversation"] = {"post": _conversation()}
    return schema


def _conversation() -> dict[str, Any]:
    route: dict[str, Any] = {
        "tags": ["chat protocol"],
        "summary": "One operation of the chat protocol",
        "description": "Operations that start or resume a turn answer with a stream, the others with JSON.",
        "operationId": "conversation",
        "security": [{"clientSecret": []}],
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key with the same body joins the run that the first request started.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Operation"}}},
        },
        "responses": {
            "200": {
                "description": _STREAM,
                "content": {
                    "text/event-stream": {},
                    "application/json": {"schema": {"type": "object"}},
                },
            }
        },
    }
    _add_errors(route, ["400", "401", "404", "409", "413", "422", "429", "503"])
    return route


def _add_errors(route: dict[str, Any], statuses: list[str]) -> None:
    envelope = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for status in statuses:
        route["responses"].setdefault(status, {"description": _MEANINGS[status], "content": envelope})


_MEANINGS = {
    "400": "The request is wrong; the message names the member and the limit.",
    "401": "No credential, or one that is not good for this.",
    "404": "No such object, or not yours.",
    "409": "The thread's state does not allow it: busy, locked or closed.",
    "413": "The body is too large.",
    "422": "An Idempotency-Key came again with another request.",
    "429": "Too many requests of this session.",
    "503": "The server is stopping, or its database takes no writes; nothing was stored.",
}
