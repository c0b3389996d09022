"""How often somebody may ask, and how many runs may be unfinished at once.

Requests are counted in a moving window of one minute by each process, in memory and exactly: a log of times for each
session, user, key and address that has a limit, which holds at most as many entries as the limit allows. Runs are
counted in the database.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, NamedTuple

from chatdock.errors import InvalidRequest, RateLimited
from chatdock.protocol.operations import ThreadsAddUserMessage, ThreadsCreate
from chatdock.storage import runs

if TYPE_CHECKING:
    from collections.abc import Hashable

    from chatdock.chat.sessions import Session
    from chatdock.protocol.operations import Operation
    from chatdock.settings import Settings
    from chatdock.storage.database import Tx
    from chatdock.storage.times import Clock

WINDOW_SECONDS = 60.0
READS_FACTOR = 10
"""Looking at threads and resuming counts against an allowance of its own, so much larger than the one for messages."""
METADATA_PAIRS = 16
MAX_WINDOWS = 100_000
"""How many are counted at once; beyond that the one that was counted longest ago is forgotten."""
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


def refuse_oversized(operation: Operation, settings: Settings) -> None:
    """`InvalidRequest` when a message is longer, or the request has more metadata, than is allowed."""
    if (pairs := len(operation.metadata)) > METADATA_PAIRS:
        raise InvalidRequest(
            f"metadata may have {METADATA_PAIRS} members, not {pairs}.", param="metadata", code="invalid_value"
        )
    if isinstance(operation, ThreadsCreate | ThreadsAddUserMessage):
        written = operation.params.input
        length = sum(len(part.text) for part in written.content) + len(written.quoted_text or "")
        if length > settings.max_message_chars:
            raise InvalidRequest(
                f"A message may have {settings.max_message_chars} characters with what it quotes, not {length}.",
                param="params.input",
                code="message_too_long",
            )


class Allowance(NamedTuple):
    """How many requests a minute somebody may send."""

    whose: tuple[Hashable, ...]
    limit: int
    named: str
    """Who that is, for the message: `this session`."""
    what: str = "requests"


class RequestLimiter:
    """Counts requests by whom they come from."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: OrderedDict[tuple[Hashable, ...], deque[float]] = OrderedDict()

    def count_session(self, session: Session, settings: Settings, *, reading: bool) -> dict[str, str]:
        """Count a request of a session, and of its user where users have a limit; else as `count`."""
        factor = READS_FACTOR if reading else 1
        own = Allowance((session.id, reading), session.requests_per_minute * factor, "this session")
        if not settings.user_requests_per_minute:
            return self.count(own)
        user = ("user", session.project_id, session.user_id, reading)
        return self.count(own, Allowance(user, settings.user_requests_per_minute * factor, "this user"))

    def count(self, *allowances: Allowance) -> dict[str, str]:
        """Count one request against each of them, or raise `RateLimited` and count nothing.

        Returns the `x-ratelimit-*` headers of the one of which least is left.
        """
        now = self._clock.monotonic()
        self.forget()
        windows = [self._window(allowance, now) for allowance in allowances]
        tightest: tuple[int, Allowance, deque[float]] | None = None
        for allowance, window in zip(allowances, windows, strict=True):
            window.append(now)
            self._windows[allowance.whose] = window
            self._windows.move_to_end(allowance.whose)
            left = allowance.limit - len(window)
            if tightest is None or left < tightest[0]:
                tightest = left, allowance, window
        while len(self._windows) > MAX_WINDOWS:
            self._windows.popitem(last=False)
        if tightest is None:
            return {}
        left, allowance, window = tightest
        return _headers(allowance.limit, left, math.ceil(window[0] + WINDOW_SECONDS - now))

    def _window(self, allowance: Allowance, now: float) -> deque[float]:
        """The times of an allowance's requests within the last minute; `RateLimited` when there is no room."""
        window = self._windows.get(allowance.whose)
        if window is None:
            return deque()
        while window and window[0] <= now - WINDOW_SECONDS:
            window.popleft()
        if len(window) >= allowance.limit:
            wait = max(1, math.ceil(window[0] + WINDOW_SECONDS - now))
            raise RateLimited(
                f"Rate limit reached: {allowance.named} may send {allowance.limit} {allowance.what} a minute. "
                f"Try again in {wait} s.",
                code="rate_limit_exceeded",
                headers={**_headers(allowance.limit, 0, wait), "Retry-After": str(wait)},
            )
        return window

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
