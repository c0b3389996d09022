"""How many responses may be under way at once, streams included: each holds what its reader has not taken yet."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chatdock.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from chatdock.chat.sessions import Session
    from chatdock.metrics import Metrics
    from chatdock.settings import Settings

RETRY_SECONDS = 5
"""When to come again; nobody knows when a response ends."""


class Responses:
    """Counts the responses that this process is sending."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._open: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        """How many sessions, users and others have responses under way."""
        return len(self._open)

    @contextmanager
    def of_process(self) -> Iterator[None]:
        """One more inside the block, or `RateLimited`."""
        with self._one("responses", None, self._settings.response_limit, "by this server"):
            yield

    @contextmanager
    def of_session(self, session: Session) -> Iterator[None]:
        """One more for a session and its user inside the block, or `RateLimited`."""
        user = session.project_id, session.user_id
        with (
            self._one("session_responses", session.id, self._settings.session_response_limit, "to this session"),
            self._one("user_responses", user, self._settings.user_response_limit, "to this user"),
        ):
            yield

    @contextmanager
    def _one(self, name: str, whose: Hashable, limit: int, to_whom: str) -> Iterator[None]:
        key = name, whose
        if self._open[key] >= limit:
            self._metrics.limits_reached.labels(name).inc()
            raise RateLimited(
                f"{limit} responses are being sent {to_whom}, which is the limit. Read or close one.",
                code="too_many_responses",
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        self._open[key] += 1
        try:
            yield
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
