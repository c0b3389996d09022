"""Pages of other origins that wanted to call, told to the operator: what their browser says of it is less clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from chatdock.errors import clip

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import Scope

log = structlog.get_logger("chatdock.api")

MAX_TOLD = 100
"""Origins that are told; anybody can make some up."""


class RefusedOrigins:
    """Logs each origin that is not allowed, once."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = frozenset(allowed)
        self._told: set[str] = set()

    def look(self, scope: Scope) -> None:
        """Look at a request. A browser asks first for a page of another origin, and not for one of the server's own."""
        if scope["method"] != "OPTIONS" or len(self._told) >= MAX_TOLD:
            return
        origin = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), None)
        if origin is None or origin in self._allowed or (shown := clip(origin, 100)) in self._told:
            return
        self._told.add(shown)
        log.warning("origin_refused", origin=shown, setting="CHATDOCK_ALLOWED_ORIGINS")
        if len(self._told) == MAX_TOLD:
            log.warning("origins_refused", told=MAX_TOLD, more="are not told")
