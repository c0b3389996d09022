"""What time it is, and times as they are stored: microseconds since 1970."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """A stored time, in UTC."""
    return _START + micros * _MICROSECOND


def to_micros(moment: datetime) -> int:
    """The time to store; one without a zone is the machine's."""
    return (moment.astimezone(UTC) - _START) // _MICROSECOND


def micros_now() -> int:
    """Now, to store, for those who belong to no world."""
    return time.time_ns() // 1_000


class Clock:
    """The time, for everything in one world that asks for it; tests hold one that they move.

    Leases are not on it: they are on the database's own clock.
    """

    def micros(self) -> int:
        """Now, to store."""
        return micros_now()

    def now(self) -> datetime:
        """Now, in UTC."""
        return from_micros(self.micros())

    def monotonic(self) -> float:
        """Seconds that no change of the machine's time touches, from an arbitrary beginning."""
        return time.monotonic()
