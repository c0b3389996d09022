"""`chatdock check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chatdock.cli.database import fail, read_settings


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An export of Agent Builder.")],
    write_sidecar: Annotated[
        bool, typer.Option("--write-sidecar", help="Start FILE's .chatdock.toml, everything in it commented out.")
    ] = False,
) -> None:
    """Look at an export of Agent Builder: what was repaired, what is missing, whether it runs here.

    One finding a line, with the line of the file. Nothing is changed or contacted; the file is loaded.
    """
    from chatdock.model.endpoint import resolve_endpoint
    from chatdock.model.errors import ModelError
    from chatdock.workflows.agent_builder import check as checking
    from chatdock.workflows.agent_builder.sidecar import sidecar_path

    try:
        endpoint = resolve_endpoint()
    except ModelError:
        endpoint = None
    checked = checking.check(file, endpoint, read_settings(None))
    for finding in checked.findings:
        typer.echo(f"{file}:{finding.line}: {'error: ' if finding.fatal else ''}{finding.kind}: {finding.said}")
    if checked.error is not None:
        typer.echo(f"error: {checked.error}")
    written = sidecar_path(file)
    started = write_sidecar and checked.export is not None and not written.exists()
    if started:
        assert checked.export is not None
        try:
            written.write_text(checking.started_sidecar(checked.export), encoding="utf-8")
        except OSError as error:
            fail(f"{written} cannot be written: {error.strerror or error}")
        typer.echo(f"{written} is started.", err=True)
    typer.echo(f"{file} {'runs' if checked.runs else 'cannot run'}")
    if write_sidecar and not started:
        why = "is there already, and stays as it is" if written.exists() else "was not started"
        fail(f"{written} {why}")
    if not checked.runs:
        raise typer.Exit(1)
