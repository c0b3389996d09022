"""How many responses may be under way at once, streams included: each holds what its reader has not taken yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatdock.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Hashable

    from chatdock.chat.sessions import Session
    from chatdock.metrics import Metrics
    from chatdock.settings import Settings

    Bound = tuple[str, Hashable, int, str]
    """The limit's name in metrics, whose responses, how many, and the words for it."""

RETRY_SECONDS = 5
"""When to come again; nobody knows when a response ends."""


class Responses:
    """Counts the responses that this process is sending."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._under_way: dict[tuple[str, Hashable], int] = {}

    def __len__(self) -> int:
        """How many sessions, users and others have responses under way."""
        return len(self._under_way)

    def of_process(self) -> UnderWay:
        """One more inside the block, or `RateLimited`."""
        return UnderWay(self, [("responses", None, self._settings.response_limit, "by this server")])

    def of_session(self, session: Session) -> UnderWay:
        """One more for a session and its user inside the block, or `RateLimited`."""
        user = session.project_id, session.user_id
        return UnderWay(
            self,
            [
                ("session_responses", session.id, self._settings.session_response_limit, "to this session"),
                ("user_responses", user, self._settings.user_response_limit, "to this user"),
            ],
        )

    def add(self, bounds: list[Bound]) -> None:
        """Count one for each of the bounds, or raise `RateLimited` and count nothing."""
        under_way = self._under_way
        for name, whose, limit, to_whom in bounds:
            if under_way.get((name, whose), 0) >= limit:
                self._metrics.limits_reached.labels(name).inc()
                raise RateLimited(
                    f"{limit} responses are being sent {to_whom}, which is the limit. Read or close one.",
                    code="too_many_responses",
                    headers={"Retry-After": str(RETRY_SECONDS)},
                )
        for name, whose, _, _ in bounds:
            under_way[name, whose] = under_way.get((name, whose), 0) + 1

    def remove(self, bounds: list[Bound]) -> None:
        """Count one less for each."""
        for name, whose, _, _ in bounds:
            left = self._under_way[name, whose] - 1
            if left:
                self._under_way[name, whose] = left
            else:
                del self._under_way[name, whose]


class UnderWay:
    """A response that counts inside a `with` block; no generator, since every request passes two."""

    __slots__ = ("_bounds", "_responses")

    def __init__(self, responses: Responses, bounds: list[Bound]) -> None:
        self._responses = responses
        self._bounds = bounds

    def __enter__(self) -> None:
        self._responses.add(self._bounds)

    def __exit__(self, *_: object) -> None:
        self._responses.remove(self._bounds)
