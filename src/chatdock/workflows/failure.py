"""What an author's code may raise: anything at all. `SystemExit`, `GeneratorExit` and the panic of a native library are
no `Exception`, and end neither the server nor a turn without a word."""

from __future__ import annotations

import asyncio


def is_stopped(error: BaseException) -> bool:
    """Whether this is the end of a task that somebody cancelled, caught in it, and no failure of its own."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
