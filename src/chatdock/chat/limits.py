"""How often a session may ask, and how many runs may be unfinished at once.

A session's requests are counted in a moving window of one minute by each process, in memory and exactly: a log of times
per session, which holds at most as many entries as the limit allows. Runs are counted in the database.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from chatdock.errors import RateLimited
from chatdock.storage import runs

if TYPE_CHECKING:
    from chatdock.chat.sessions import Session
    from chatdock.settings import Settings
    from chatdock.storage.database import Tx
    from chatdock.storage.times import Clock

WINDOW_SECONDS = 60.0
READS_FACTOR = 10
"""Looking at threads and resuming counts against an allowance of its own, so much larger than the one for messages."""
RUN_RETRY_SECONDS = 5
"""When to come again after `TooManyRuns`; nobody knows when a run ends."""


class TooManyRuns(RateLimited):
    """A run more than may be unfinished at once."""

    def __init__(self, limit: str, message: str) -> None:
        super().__init__(message, code="too_many_runs", headers={"Retry-After": str(RUN_RETRY_SECONDS)})
        self.limit = limit
        """Which limit it was, for log and metrics: `user_runs` or `project_runs`."""


async def refuse_when_full(tx: Tx, session: Session, settings: Settings) -> None:
    """`TooManyRuns` when as many runs of the session's user, or of its project, are unfinished as may be."""
    of_user, of_project = await runs.unfinished_counts(tx, session.project_id, session.user_id)
    if of_user >= settings.user_run_limit:
        raise TooManyRuns(
            "user_runs",
            f"{of_user} of your messages are being answered, and {settings.user_run_limit} is the limit. "
            "Wait until one answer has ended, or stop one.",
        )
    if of_project >= settings.project_run_limit:
        raise TooManyRuns(
            "project_runs", "Too many messages are being answered at the moment. Please try again shortly."
        )


class RequestLimiter:
    """Counts requests by session."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: OrderedDict[tuple[str, bool], deque[float]] = OrderedDict()

    def count(self, session_id: str, per_minute: int, *, reading: bool) -> dict[str, str]:
        """Count one request; returns the `x-ratelimit-*` headers, or raises `RateLimited` and counts nothing."""
        limit = per_minute * READS_FACTOR if reading else per_minute
        now = self._clock.monotonic()
        self.forget()
        key = session_id, reading
        window = self._windows.setdefault(key, deque())
        while window and window[0] <= now - WINDOW_SECONDS:
            window.popleft()
        if len(window) >= limit:
            wait = max(1, math.ceil(window[0] + WINDOW_SECONDS - now))
            headers = {**_headers(limit, 0, wait), "Retry-After": str(wait)}
            raise RateLimited(
                f"Rate limit reached: this session may send {limit} requests a minute. Try again in {wait} s.",
                code="rate_limit_exceeded",
                headers=headers,
            )
        window.append(now)
        self._windows.move_to_end(key)
        return _headers(limit, limit - len(window), math.ceil(window[0] + WINDOW_SECONDS - now))

    def __len__(self) -> int:
        """How many windows are kept."""
        return len(self._windows)

    def forget(self) -> None:
        """Drop windows that are empty by now, oldest first."""
        now = self._clock.monotonic()
        while self._windows:
            key, window = next(iter(self._windows.items()))
            if window and window[-1] > now - WINDOW_SECONDS:
                return
            del self._windows[key]


def _headers(limit: int, remaining: int, reset: int) -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": str(limit),
        "x-ratelimit-remaining-requests": str(remaining),
        "x-ratelimit-reset-requests": f"{reset}s",
    }
