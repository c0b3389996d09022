"""Records that were read a moment ago, so that not every request has to ask the database who is calling."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from chatdock.storage.times import Clock

T = TypeVar("T")

CACHE_SECONDS = 1.0
"""How long a record is trusted: what another process ends is refused at most so much later."""
CACHED = 20_000


class Recent(Generic[T]):
    """What secrets open, by their hashes. Holds nothing that is older than it is trusted, once the sweep came by."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._read: OrderedDict[bytes, tuple[float, T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._read)

    def get(self, digest: bytes) -> T | None:
        """The record; None when it has to be read."""
        read = self._read.get(digest)
        return None if read is None or self._old(read) else read[1]

    def keep(self, digest: bytes, record: T) -> None:
        """Trust a record that was just read."""
        self._read[digest] = self._clock.monotonic(), record
        self._read.move_to_end(digest)
        if len(self._read) > CACHED:
            self._read.popitem(last=False)

    def drop(self, digest: bytes) -> None:
        """Trust it no more."""
        self._read.pop(digest, None)

    def forget(self) -> None:
        """Drop what is trusted no more."""
        while self._read and self._old(next(iter(self._read.values()))):
            self._read.popitem(last=False)

    def _old(self, read: tuple[float, T]) -> bool:
        return self._clock.monotonic() - read[0] >= CACHE_SECONDS
