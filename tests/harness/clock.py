"""A clock that tests move."""

from __future__ import annotations

from chatdock.storage.times import Clock


class StillClock(Clock):
    """Stands where it was made until the test moves it: what takes a day is over with one line."""

    def __init__(self) -> None:
        self._micros = super().micros()
        self.seconds = 1_000.0

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self._micros += int(seconds * 1_000_000)
        self.seconds += seconds

    def micros(self) -> int:
        """Microseconds since 1970."""
        return self._micros

    def monotonic(self) -> float:
        """Seconds since an arbitrary beginning."""
        return self.seconds
