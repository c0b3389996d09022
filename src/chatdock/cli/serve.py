"""`chatdock serve`, and `chatdock script` for the pages that talk to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chatdock.cli.database import DatabaseUrl, fail, read_settings
from chatdock.cli.values import given

if TYPE_CHECKING:
    from chatdock.launch import Launch


def serve(
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="[TARGET]...", help="file.py, pkg.module or module:object.")
    ] = None,
    host: Annotated[str, typer.Option(callback=given, help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 for any free one.")] = 8000,
    database_url: DatabaseUrl = None,
    demo: Annotated[bool, typer.Option("--demo", help="Serve a chat page at / with anonymous sessions.")] = False,
    reload: Annotated[
        bool, typer.Option("--reload", help="For development: restart when a Python file of a target's folder changes.")
    ] = False,
) -> None:
    """Serve workflows. Without a TARGET: wf_demo, which a model answers, and wf_showcase, which needs none."""
    import gc

    # Thousands of classes are made while importing; not looking for garbage among them saves 0.3 s until ready.
    gc.disable()
    from chatdock.logs import configure, take_over

    settings = read_settings(database_url)
    configure(content=settings.log_content)
    take_over(content=settings.log_content)
    from chatdock.launch import CANNOT_START, Launch

    launch = Launch(tuple(targets or ()), host, port, demo, settings)
    try:
        if reload:
            _serve_and_reload(launch)
        else:
            loaded = launch.load()
            loaded.serve(launch.listen())
    except CANNOT_START as error:
        fail(str(error))


def _serve_and_reload(launch: Launch) -> None:
    from importlib.util import find_spec

    if not launch.targets:
        fail("--reload watches the folders of its targets; name one")
    if find_spec("watchfiles") is None:
        fail("--reload needs the package watchfiles; run: pip install 'chatdock[reload]'")
    from chatdock.reload import serve_and_reload

    serve_and_reload(launch)


def script(
    url: Annotated[str, typer.Option(help="Where browsers reach this server.")] = "http://localhost:8000",
) -> None:
    """Print the script tag for your pages, with the hash of this version's script."""
    from chatdock.web.manifest import NotBuilt, read_manifest

    try:
        typer.echo(read_manifest().tag(url))
    except NotBuilt as error:
        fail(str(error))
