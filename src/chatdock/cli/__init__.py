"""The `chatdock` command: a module for each group of commands, put together here."""

from __future__ import annotations

from typing import Annotated

import typer

from chatdock import __version__
from chatdock.cli import check, database, keys, model, moving, records, serve

app = typer.Typer(
    help="ChatKit on your own machines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (serve.serve, check.check, serve.script, records.feedback, records.traces, moving.export):
    app.command()(command)
app.add_typer(keys.commands, name="keys")
app.add_typer(database.commands, name="db")
app.add_typer(model.commands, name="model")
app.add_typer(moving.commands, name="import")


def main() -> None:
    """Entry point."""
    app()


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """ChatKit on your own machines."""
    if version:
        typer.echo(f"chatdock {__version__}")
        raise typer.Exit
