"""The watchdog: a thread that tells what blocks the event loop, and ends a process that does not end by itself.

One coroutine that computes, or sleeps with `time.sleep`, stops every other one: no request is answered, no lease
renewed, and no signal seen. The thread is the only one left to say so.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

log = structlog.get_logger("chatdock.server")

BEAT_SECONDS = 1.0
BLOCKED_BEATS = 5
"""After so many beats without an answer a loop is blocked. A process that was stopped as a whole misses none."""
END_SECONDS = 8.0
"""How long a process may take to end beyond the time that live runs have."""
FRAMES = 20


class Watchdog:
    """Watches the loop that runs in the thread in which it is made."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        drain_timeout: float,
        beat: float = BEAT_SECONDS,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._loop = loop
        self._drain_timeout = drain_timeout
        self._beat = beat
        self._end = end
        self._watched = threading.get_ident()
        self._signals, self._wakeup = socket.socketpair()
        self._wakeup.setblocking(False)
        self._forward = -1
        self._answered = True
        self._missed = 0
        self._told_at: float | None = None
        self._told = 0
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="chatdock-watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def listen(self) -> None:
        """See signals before the loop does, which gets them all the same. In the main thread, while the loop runs."""
        wakeup = self._wakeup.fileno()
        before = signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        if before != wakeup:
            self._forward = before

    def let_signals_be(self) -> None:
        """Leave signals to the loop."""
        signal.set_wakeup_fd(self._forward, warn_on_full_buffer=False)

    def close(self) -> None:
        """Stop watching, unless the process was told to end: then it has to."""
        self._closed = True

    def _watch(self) -> None:
        with self._signals, self._wakeup:
            while self._told_at is not None or not self._closed:
                self._wait()
                self._look()
                self._look_at_the_end()

    def _wait(self) -> None:
        """Until the next beat, which a signal does not hasten."""
        until = time.monotonic() + self._beat
        while (left := until - time.monotonic()) > 0:
            if not select.select([self._signals], [], [], left)[0]:
                return
            received = self._signals.recv(64)
            with suppress(OSError):
                os.write(self._forward, received)
            told = sum(number in (signal.SIGTERM, signal.SIGINT) for number in received)
            if told:
                self._told += told
                self._told_at = self._told_at or time.monotonic()

    def _look(self) -> None:
        if not self._answered:
            self._missed += 1
            if self._missed == BLOCKED_BEATS:
                log.error("loop_blocked", seconds=round(self._missed * self._beat, 1), stack=self._stack())
            return
        if self._missed >= BLOCKED_BEATS:
            log.warning("loop_goes_on", seconds=round(self._missed * self._beat, 1))
        self._missed = 0
        self._answered = False
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:  # it is closed: what is left of the process has its time
            self._answered = True

    def _answer(self) -> None:
        self._answered = True

    def _look_at_the_end(self) -> None:
        if self._told_at is None:
            return
        passed = time.monotonic() - self._told_at
        # Live runs that the loop cannot execute need no time, and a second signal grants none.
        blocked = self._missed >= 2 and (passed >= self._drain_timeout or self._told > 1)
        if blocked or passed >= self._drain_timeout + END_SECONDS:
            log.error("ended_without_a_drain", seconds=round(passed, 1), stack=self._stack())
            self._end(1)

    def _stack(self) -> str:
        """What the watched thread does, the innermost function first."""
        frame = sys._current_frames().get(self._watched)
        found = traceback.extract_stack(frame, limit=FRAMES)[::-1] if frame is not None else []
        return " < ".join(f"{each.name} ({each.filename}:{each.lineno})" for each in found)
