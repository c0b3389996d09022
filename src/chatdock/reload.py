"""`chatdock serve --reload`: the server is replaced when a Python file of its targets' folders changes.

The process that was started holds the listening socket and watches; servers are its children. A new one loads the
targets while the old one goes on answering, and takes its place once they are loaded. So no request meets a closed
port, and a file that does not load, half edited as it may be, leaves the server as it was.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from dataclasses import replace
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from watchfiles import PythonFilter, watch

from chatdock.launch import CANNOT_START
from chatdock.logs import configure, take_over

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable
    from multiprocessing.connection import Connection
    from types import FrameType

    from chatdock.launch import Launch

DRAIN_SECONDS = 1.0
"""How long live runs may go on when their server is replaced."""
END_SECONDS = 15.0
"""A server that has not ended after so long is killed."""
LOOK_MS = 200

_spawn = multiprocessing.get_context("spawn")


def serve_and_reload(launch: Launch) -> None:
    """Serve until stopped."""
    quick = min(launch.settings.drain_timeout, DRAIN_SECONDS)
    launch = replace(launch, settings=launch.settings.model_copy(update={"drain_timeout": quick}))
    folders = sorted({folder for target in launch.targets for folder in folders_of(target)})
    listeners = launch.listen()
    stop = threading.Event()
    current: _Server | None = None

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and current is not None:
            current.process.terminate()  # its second one: it stops at once
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    typer.echo(f"Reloads when a Python file below {', '.join(map(str, folders))} changes.")
    # The first round has no changes: what changes while the first server is being loaded is seen by the next.
    begun = False
    looks = watch(
        *folders, watch_filter=PythonFilter(), stop_event=stop, step=50, rust_timeout=LOOK_MS, yield_on_timeout=True
    )
    for changes in looks:
        if changes:
            typer.echo(f"Changed: {', '.join(sorted(path for _, path in changes))}", err=True)
        if changes or not begun:
            current = _replaced(current, launch, listeners, stop)
            begun = True
        elif current is not None and not current.process.is_alive():
            current = None
            typer.echo("chatdock: the server has ended; the next change starts another.", err=True)
    if current is not None:
        current.end()
    for listener in listeners:
        listener.close()


def folders_of(target: str) -> Iterable[Path]:
    """Where a target's files lie, without importing any of them."""
    location = target.partition(":")[0]
    if location.endswith(".py"):
        return [Path(location).resolve().parent]
    spec = PathFinder.find_spec(location.partition(".")[0], [str(Path.cwd()), *sys.path])
    if spec is None:
        return [Path.cwd()]
    if spec.submodule_search_locations:
        return [Path(folder).resolve() for folder in spec.submodule_search_locations]
    return [Path(spec.origin or "").resolve().parent]


def _replaced(
    current: _Server | None, launch: Launch, listeners: list[socket.socket], stop: threading.Event
) -> _Server | None:
    """The new server in the current one's place; the current one when the new one cannot be loaded."""
    new = _Server(launch, listeners)
    if not new.loaded(stop):
        new.end()
        if not stop.is_set():
            left = "The last version that loaded goes on answering" if current else "Requests wait"
            typer.echo(f"{left}; the next change is tried again.", err=True)
        return current
    if current is not None:
        current.end()
    new.begin()
    return new


class _Server:
    """One server, in a process of its own."""

    def __init__(self, launch: Launch, listeners: list[socket.socket]) -> None:
        self._pipe, theirs = _spawn.Pipe()
        self.process = _spawn.Process(target=_serve, args=(launch, listeners, theirs), name="chatdock-server")
        self.process.start()
        theirs.close()

    def loaded(self, stop: threading.Event) -> bool:
        """Wait until its targets are loaded; False when they cannot be, or when everything is to end."""
        while not self._pipe.poll(0.1):
            if stop.is_set():
                return False
        try:
            self._pipe.recv()
        except EOFError:
            return False
        return True

    def begin(self) -> None:
        """Let it take requests."""
        self._pipe.send(True)

    def end(self) -> None:
        """Let it drain and end."""
        self.process.terminate()
        self.process.join(END_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self._pipe.close()


def _serve(launch: Launch, listeners: list[socket.socket], pipe: Connection) -> None:
    gc.disable()  # until everything is loaded, as without --reload
    os.setpgid(0, 0)  # Ctrl+C is for the parent, which ends its servers one way
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.dont_write_bytecode = True  # two edits within a second look the same to Python's cache
    configure(content=launch.settings.log_content)
    take_over(content=launch.settings.log_content)
    try:
        loaded = launch.load()
    except CANNOT_START as error:
        typer.echo(f"chatdock: {error}", err=True)
        sys.exit(1)
    try:
        pipe.send(True)
        pipe.recv()
    except (EOFError, OSError):  # the parent has ended
        return
    try:
        loaded.serve(listeners)
    except CANNOT_START as error:
        typer.echo(f"chatdock: {error}", err=True)
        sys.exit(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
