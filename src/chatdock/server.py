"""Runs the application under uvicorn: prints when it is ready, drains on SIGTERM, frees half-dead connections."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import signal
import socket
from typing import TYPE_CHECKING, Any, cast

import structlog
import uvicorn

from chatdock.api.connection import Connections
from chatdock.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chatdock.api.edge import Edge
    from chatdock.settings import Settings

log = structlog.get_logger("chatdock.server")

GRACEFUL_SECONDS = 2
STUCK_SECONDS = 1.0
BACKLOG = 2048
RESERVED_FILES = 128
"""Open files that connections leave to the database, model endpoints and whatever a workflow opens."""
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)
UNSENT_BYTES = 131_072
"""What the kernel takes for a reader beyond what is on its way: more of a response waits where it can be seen."""


class Server(uvicorn.Server):
    """uvicorn, except that SIGTERM first lets live runs finish while new work gets 503."""

    def __init__(self, app: Edge, settings: Settings, host: str, port: int) -> None:
        self.connections = Connections(settings, app.metrics, limit=_connection_limit(settings))
        config = uvicorn.Config(
            app,
            http=cast("type[asyncio.Protocol]", self.connections.protocol),
            ws="none",
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            lifespan="on",
            backlog=BACKLOG,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
        )
        super().__init__(config)
        self._app = app
        self._settings = settings
        self._draining: asyncio.Task[None] | None = None
        self._watchdog: Watchdog | None = None
        self._next_look = 0.0
        self._out_of_files = False

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, and end even when a workflow does not: its run has been ended without it."""
        await super().serve(sockets)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left and (await asyncio.wait(left, timeout=STUCK_SECONDS))[1]:
            log.error("tasks_ignore_cancel")
            os._exit(0)

    def run_watched(self, sockets: list[socket.socket]) -> None:
        """Serve until stopped, whatever workflows do: raise what no loop survives, or block it."""
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            loop = runner.get_loop()
            watchdog = self._watchdog = Watchdog(loop, drain_timeout=self._settings.drain_timeout)
            watchdog.start()
            serving = loop.create_task(self.serve(sockets))
            while not serving.done():
                try:
                    loop.run_until_complete(serving)
                except (KeyboardInterrupt, SystemExit) as error:
                    # A task that raises one of these ends asyncio's loop. The operator's own are signals by now.
                    if not self.started or self.should_exit or serving.done():
                        raise
                    log.error("task_exited", exc_info=error)
                    loop.call_soon(watchdog.listen)
            watchdog.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start. What asyncio says each second while files run out is said once, by `_look_at_files`."""
        asyncio.get_running_loop().set_exception_handler(_without_accept_errors)
        await super().startup(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Look at the connections as often as their deadlines want; whether to stop."""
        now = asyncio.get_running_loop().time()
        if now >= self._next_look:
            self._next_look = now + self.connections.interval
            self.connections.look(now)
            self._look_at_files()
        return await super().on_tick(counter)

    def _look_at_files(self) -> None:
        """Say once that no file can be opened, and once that it is over: uvloop drops new connections in silence."""
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            if error.errno in OUT_OF_FILES and not self._out_of_files:
                self._out_of_files = True
                log.error("out_of_open_files", limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0], error=str(error))
        else:
            if self._out_of_files:
                self._out_of_files = False
                log.warning("open_files_again")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT drain; a second one stops at once."""
        loop = asyncio.get_running_loop()
        caught = (signal.SIGTERM, signal.SIGINT)
        for sig in caught:
            loop.add_signal_handler(sig, self._on_signal)
        if self._watchdog is not None:
            self._watchdog.listen()
        try:
            yield
        finally:
            if self._watchdog is not None:
                self._watchdog.let_signals_be()
            for sig in caught:
                loop.remove_signal_handler(sig)

    def _on_signal(self) -> None:
        if self._draining is None:
            self._draining = asyncio.ensure_future(self._drain())
        else:
            self._draining.cancel()

    async def _drain(self) -> None:
        try:
            if self.started:
                engine = self._app.world.engine
                log.info("draining", live_runs=engine.live_runs)
                try:
                    await engine.drain()
                except asyncio.CancelledError:  # by a second signal
                    await engine.close()
        finally:
            self.should_exit = True


def _without_accept_errors(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if not (isinstance(error, OSError) and error.errno in OUT_OF_FILES):
        loop.default_exception_handler(context)


def _connection_limit(settings: Settings) -> int:
    """As many as the settings say, if the process may have as many open files; what it may have is raised for it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.connection_limit + RESERVED_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            log.warning("connection_limit_lowered", to=max(1, soft - RESERVED_FILES), open_files=soft)
            return max(1, soft - RESERVED_FILES)
    return settings.connection_limit


class CannotListen(OSError):
    """The address cannot be had; the message names it and the way out."""


def listen(host: str, port: int, settings: Settings) -> socket.socket:
    """A listening socket; connections whose peer stops acknowledging are dropped by the kernel. Or `CannotListen`."""
    try:
        return _listening(host, port, settings)
    except OSError as error:
        raise CannotListen(_why_not(host, port, error)) from error


def _why_not(host: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{host!r} is no address of this machine; --host 127.0.0.1 is for itself, --host 0.0.0.0 for everybody"
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"port {port} of {host} is in use by another program; "
                "end that one, or name another port with --port (0 takes any free one)"
            )
        case errno.EACCES:
            return f"port {port} may not be opened by this user; name one from 1024 on with --port"
        case _:
            return f"port {port} of {host} cannot be listened on: {error.strerror or error}"


def _listening(host: str, port: int, settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named so that asyncio sets TCP_NODELAY: without, small answers wait 40 ms for acknowledgements.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    user_timeout: Any = getattr(socket, "TCP_USER_TIMEOUT", None)
    if user_timeout is not None:
        listener.setsockopt(socket.IPPROTO_TCP, user_timeout, int(settings.slow_reader_timeout * 1000))
    unsent: Any = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if unsent is not None:
        listener.setsockopt(socket.IPPROTO_TCP, unsent, UNSENT_BYTES)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def serve(app: Edge, settings: Settings, listeners: list[socket.socket], host: str, port: int) -> None:
    """Serve until stopped. Raises what the application's start was refused for."""
    server = Server(app, settings, host, port)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run_watched(listeners)
    except SystemExit:
        if app.refused is not None:
            raise app.refused from None
        raise
