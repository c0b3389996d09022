"""Who is asking: an application with an API key, or a user with a client secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from chatdock.errors import Unauthorized

if TYPE_CHECKING:
    from collections.abc import Iterable

MISSING = "You didn't provide a credential. Send it in an Authorization header, as in 'Authorization: Bearer YOUR_KEY'."


class ApiKey:
    """An API key that was accepted: its secret, for deriving, and the project that it opens."""

    def __init__(self, secret: str, project_id: str) -> None:
        self.secret = secret
        self.project_id = project_id


async def require_api_key(request: Request) -> ApiKey:
    """The API key of a request, or `Unauthorized`."""
    secret = bearer(request.scope["headers"])
    return ApiKey(secret, await request.app.state.world.keys.project(secret))


Key = Annotated[ApiKey, Depends(require_api_key)]


def bearer(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The bearer token of a request, or `Unauthorized`."""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer" and (token := token.strip()):
                return token
    raise Unauthorized(MISSING, code="missing_credential")
