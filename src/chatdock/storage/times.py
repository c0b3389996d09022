"""Times as they are stored: microseconds since 1970."""

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
    """Now, to store."""
    return time.time_ns() // 1_000
