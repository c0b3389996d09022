"""From what `chatdock serve` was told to a server: everything that can go wrong goes wrong before the first request."""

from __future__ import annotations

import gc
import ipaddress
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from chatdock import __version__
from chatdock.app import create_app
from chatdock.model.errors import ModelError
from chatdock.server import CannotListen, listen, serve
from chatdock.storage.connect import path_of, prepare_database
from chatdock.storage.database import UnusableDatabase
from chatdock.tracing.export import ExportError
from chatdock.web.manifest import PATH, NotBuilt, read_manifest
from chatdock.workflows.workflow import WorkflowError

if TYPE_CHECKING:
    import socket

    from chatdock.api.edge import Edge
    from chatdock.settings import Settings
    from chatdock.workflows.workflow import Workflow

CANNOT_START = (WorkflowError, ModelError, UnusableDatabase, ExportError, OSError)
"""What stops a start; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What to serve, and where."""

    targets: tuple[str, ...]
    host: str
    port: int
    demo: bool
    settings: Settings

    def listen(self) -> list[socket.socket]:
        """The server's socket, then the operator's if there is one."""
        settings = self.settings
        listeners = [listen(self.host, self.port, settings)]
        if settings.operator_port is not None:
            try:
                listeners.append(listen(settings.operator_host, settings.operator_port, settings))
            except CannotListen as error:
                raise CannotListen(f"the operator's port: {error}; see CHATDOCK_OPERATOR_PORT") from error
        return listeners

    def load(self) -> Loaded:
        """Load the targets and look that all they need is there; one of `CANNOT_START` when it is not."""
        database = path_of(self.settings.database_url)
        stored = f"{'Everything is stored' if database.exists() else 'Everything is stored from now on'} in {database}"
        prepare_database(self.settings.database_url)
        workflows = self._workflows()
        model = None
        needed = any(entry.needs_model for entry in workflows)
        # A workflow or a chatkit-python server may run agents of its own; whether they need a model is not known here.
        if needed or "agents" in sys.modules:
            from chatdock.model.endpoint import resolve_endpoint

            try:
                model = resolve_endpoint()
            except ModelError as error:
                if needed and self.targets:
                    raise
                if needed:
                    typer.echo(f"chatdock: wf_demo is left out. {error}", err=True)
                workflows = [entry for entry in workflows if not entry.needs_model]
        served = create_app(
            self.settings,
            workflows,
            demo=self.demo,
            host=self.host,
            model=model,
            public=not _is_loopback(self.host),
        )
        return Loaded(self, served, list(dict.fromkeys(entry.id for entry in workflows)), stored)

    def _workflows(self) -> list[Workflow]:
        if self.targets:
            from chatdock.workflows.loader import load

            return [entry for target in self.targets for entry in load(target)]
        from chatdock.workflows.builtin import builtin_workflows

        return builtin_workflows()


@dataclass(frozen=True, slots=True)
class Loaded:
    """An application that is ready to be served."""

    launch: Launch
    app: Edge
    names: list[str]
    stored: str
    """Where, in words."""

    def serve(self, listeners: list[socket.socket]) -> None:
        """Say where, and serve until stopped."""
        host, port = self.launch.host, listeners[0].getsockname()[1]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        typer.echo(f"Chatdock {__version__} serves {', '.join(self.names)} at {url}")
        typer.echo(self.stored)
        try:
            read_manifest()
            typer.echo(f"The script for your pages: {url}{PATH}chatkit.js")
        except NotBuilt as error:
            typer.echo(f"chatdock: {error}", err=True)
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)  # a turn makes thousands of short-lived objects and next to no garbage
        gc.enable()
        serve(self.app, self.launch.settings, listeners, host, port)


def _is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; a name counts as one that others may reach, but for localhost."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
