"""The pace of a client: what it has sent of its request, what it has taken of a response, and when either is too slow.

Knows no socket and no clock; `Connection` tells it what happens and asks whether the client is late.
"""

from __future__ import annotations

from enum import Enum

BODY_BYTES_PER_SECOND = 1024
"""A body that comes more slowly, after the first `timeout` seconds, is late."""


class Part(Enum):
    """What a client sends next. The value is the reason with which a connection is cut that waits for it too long."""

    REQUEST = "idle"
    """Nothing of a request has come."""
    HEAD = "head"
    BODY = "body"
    LEFTOVER = "leftover"
    """The rest of a body whose request was answered without it."""
    NOTHING = "nothing"
    """The request is whole and is being answered."""


class Sending:
    """How far a client is with its request."""

    __slots__ = ("part", "received", "since", "timeout")

    def __init__(self, timeout: float, now: float) -> None:
        self.timeout = timeout
        self.begin(Part.REQUEST, now)

    def begin(self, part: Part, now: float) -> None:
        """The client sends `part` from now on."""
        self.part = part
        self.since = now
        self.received = 0
        """Bytes that came of the part."""

    def is_late(self, now: float) -> bool:
        """Whether the part should have been there by now."""
        if self.part is Part.NOTHING:
            return False
        allowed = self.timeout
        if self.part is Part.BODY:
            allowed += self.received / BODY_BYTES_PER_SECOND
        return now - self.since >= allowed


class Taking:
    """How a client takes what it is sent, by what of it waits in this process because the kernel takes no more."""

    __slots__ = ("since", "timeout", "waiting")

    def __init__(self, timeout: float, now: float) -> None:
        self.timeout = timeout
        self.since = now
        self.waiting = 0

    def took(self, now: float) -> None:
        """The client took something."""
        self.since = now

    def is_late(self, waiting: int, now: float) -> bool:
        """Whether `waiting` bytes, as seen now, have waited for `timeout` seconds and none of them was taken."""
        if waiting == 0 or self.waiting == 0 or waiting < self.waiting:
            self.since = now
        self.waiting = waiting
        return waiting > 0 and now - self.since >= self.timeout
