"""Who is asking: an application with an API key, or a user with a client secret; asked before the body is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from chatdock.api.body import read_json
from chatdock.chat.keys import digest
from chatdock.chat.limits import Allowance
from chatdock.errors import Unauthorized

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from starlette.types import Message

MISSING = "You didn't provide a credential. Send it in an Authorization header, as in 'Authorization: Bearer YOUR_KEY'."


class ApiKey:
    """An API key that was accepted: its secret, for deriving, and the project that it opens."""

    def __init__(self, secret: str, project_id: str) -> None:
        self.secret = secret
        self.project_id = project_id


class BoundedRoute(APIRoute):
    """A route whose body is read within its bounds, and not before `admit`: FastAPI reads it before all else."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        answer = super().get_route_handler()

        async def answer_bounded(request: Request) -> Response:
            headers = await self.admit(request)
            response = await answer(await bounded(request))
            response.headers.update(headers)
            return response

        async def bounded(request: Request) -> Request:
            if request.method in {"GET", "HEAD"}:
                return request
            whole: bytes | None = await read_json(request.receive, request.app.state.world.settings)

            async def receive() -> Message:
                nonlocal whole
                if whole is None:
                    return await request.receive()
                body, whole = whole, None
                return {"type": "http.request", "body": body, "more_body": False}

            return Request(request.scope, receive)

        return answer_bounded

    async def admit(self, request: Request) -> dict[str, str]:
        """Headers for the response; raises when the request is not to be answered."""
        return {}


class KeyRoute(BoundedRoute):
    """A route for API keys."""

    async def admit(self, request: Request) -> dict[str, str]:
        """Find out which key it is and count its request, or raise `Unauthorized` or `RateLimited`."""
        secret = bearer(request.scope["headers"])
        world = request.app.state.world
        request.scope["chatdock.key"] = ApiKey(secret, await world.keys.project(secret))
        limit = world.settings.key_requests_per_minute
        counted: dict[str, str] = {}
        if limit:
            counted = world.limiter.count(Allowance(("key", digest(secret)), limit, "this API key"))
        return counted


def require_api_key(request: Request) -> ApiKey:
    """The API key of a request to a `KeyRoute`."""
    key: ApiKey = request.scope["chatdock.key"]
    return key


Key = Annotated[ApiKey, Depends(require_api_key)]


def bearer(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The bearer token of a request, or `Unauthorized`."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer" and (token := token.strip()):
                return token
    raise Unauthorized(MISSING, code="missing_credential")
