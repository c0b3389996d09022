"""`/metrics`, `/docs` and `/openapi.json`: for whoever runs the server, without a credential, so not for everybody.

They say how much is going on here and what there is to try. Where strangers reach the server's port they are not on it
unless the operator says so; a port of their own, for a machine or a network that is trusted, has them in any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatdock.api.errors import RouteNotFound
from chatdock.errors import clip

if TYPE_CHECKING:
    from starlette.types import Scope

    from chatdock.settings import Settings

PATHS = frozenset({"/metrics", "/docs", "/openapi.json"})
BESIDE = frozenset({"/healthz", "/readyz"})
"""What both ports answer."""


class OperatorPaths:
    """Which paths are where. `public`: the server's port can be reached from other machines."""

    def __init__(self, settings: Settings, *, public: bool) -> None:
        self._port = settings.operator_port
        quiet = not public and self._port is None
        self._open = settings.operator_paths == "open" or (settings.operator_paths == "auto" and quiet)

    def check(self, scope: Scope) -> None:
        """`RouteNotFound`, as for a path that there is not, when this port does not have it."""
        path: str = scope["path"]
        operators = path in PATHS or path.startswith("/docs/")
        own = self.is_own_port(scope)
        if not ((operators or path in BESIDE) if own else (self._open or not operators)):
            raise RouteNotFound(f"Invalid URL ({scope['method']} {clip(path, 200)}).", code="unknown_url")

    def is_own_port(self, scope: Scope) -> bool:
        """Whether a request came to the operator's port."""
        server = scope.get("server")
        return self._port is not None and server is not None and server[1] == self._port
