"""`chatdock model`: the embedded model."""

from __future__ import annotations

import typer

from chatdock.cli.database import fail

commands = typer.Typer(help="The embedded model.", no_args_is_help=True)


@commands.command("pull")
def model_pull() -> None:
    """Fetch the embedded model, 98 MB, into the user's cache."""
    from chatdock.model.errors import ModelError
    from chatdock.model.pull import pull

    try:
        typer.echo(f"The model is at {pull()}")
    except ModelError as error:
        fail(str(error))
