"""Times for code that was written for chatkit-python, which makes them with `datetime.now()`, without a zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


class LocalTime(datetime):
    """A time in UTC that also subtracts from, and compares with, times that have no zone: those are the machine's.

    So `datetime.now() - thread.created_at` works, `datetime.now(UTC) - thread.created_at` too, and what is stored and
    sent is what it always is.
    """

    @classmethod
    def of(cls, time: datetime) -> LocalTime:
        """The same moment."""
        there = time.astimezone(UTC)
        return cls.combine(there.date(), there.timetz())

    def __sub__(self, other: Any) -> Any:
        return super().__sub__(self._beside(other))

    def __rsub__(self, other: Any) -> Any:
        return -(self - other)

    def __lt__(self, other: Any) -> bool:
        return super().__lt__(self._beside(other))

    def __le__(self, other: Any) -> bool:
        return super().__le__(self._beside(other))

    def __gt__(self, other: Any) -> bool:
        return super().__gt__(self._beside(other))

    def __ge__(self, other: Any) -> bool:
        return super().__ge__(self._beside(other))

    def _beside(self, other: Any) -> Any:
        alone = isinstance(other, datetime) and other.tzinfo is None and self.tzinfo is not None
        return other.astimezone(UTC) if alone else other
