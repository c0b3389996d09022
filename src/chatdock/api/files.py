"""`POST /v1/chatkit/files`: uploads, which no session has yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatdock.api.auth import bearer
from chatdock.api.errors import MethodNotAllowed
from chatdock.chat.turns import UPLOADS_DISABLED
from chatdock.errors import InvalidRequest

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from chatdock.world import World


class Files:
    """The upload endpoint."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse an upload, after the session was checked and the request counted."""
        if scope["method"] != "POST":
            raise MethodNotAllowed("Use POST.", headers={"Allow": "POST"})
        session = await self._world.sessions.authenticate(bearer(scope["headers"]))
        self._world.limiter.count_session(session, self._world.settings, reading=False)
        raise InvalidRequest(UPLOADS_DISABLED, code="file_upload_disabled")
