"""How far a long command is: a bar on a terminal, else a line every few seconds. Both go to stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Shown = Callable[[str], None]
"""Hears what was done so far, in words. How much there is to do is known to nobody before the end."""

EVERY = 5.0
"""Seconds between two lines."""


@contextmanager
def progress(step: str) -> Iterator[Shown]:
    """Where to tell what was done; `step` says what is being done."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _lines(console.print, step)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[done]}"), TimeElapsedColumn()
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(step, total=None, done="")

        yield lambda done: bars.update(task, done=done)


def _lines(say: Callable[[str], None], step: str) -> Shown:
    last = time.monotonic()

    def show(done: str) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            say(f"{step}: {done}")

    return show
