"""Credentials that the database does not know, told to the operator with the database that was asked.

A key that was made in another folder, or for another server, looks like a wrong one to whoever sends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from pathlib import Path

    from chatdock.storage.times import Clock

log = structlog.get_logger("chatdock.chat")

EVERY_SECONDS = 60.0
"""How often one kind of credential is told at most."""


class Refusals:
    """Logs unknown credentials, the first at once, those within the next minute as a number with the one after it."""

    def __init__(self, database: Path, clock: Clock) -> None:
        self._database = str(database)
        self._clock = clock
        self._next: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def unknown(self, kind: str) -> None:
        """One of this kind was refused: `api_key` or `client_secret`."""
        count = self._untold.get(kind, 0) + 1
        now = self._clock.monotonic()
        if now < self._next.get(kind, 0.0):
            self._untold[kind] = count
            return
        self._next[kind], self._untold[kind] = now + EVERY_SECONDS, 0
        log.warning("unknown_credential", kind=kind, refused=count, database=self._database)
