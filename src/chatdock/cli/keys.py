"""`chatdock keys`: API keys of a back end."""

from __future__ import annotations

from typing import Annotated

import typer

from chatdock.cli.database import DatabaseUrl, fail, where, with_database
from chatdock.cli.values import given

commands = typer.Typer(help="API keys for your back end.", no_args_is_help=True)


@commands.command("create")
def keys_create(
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    project: Annotated[
        str, typer.Option(callback=given, help="The project that it opens; its threads are seen by its keys alone.")
    ] = "default",
    database_url: DatabaseUrl = None,
) -> None:
    """Make an API key and print it, this once."""
    from chatdock.chat import keys

    made = with_database(database_url, lambda database: keys.create(database, project, name))
    typer.echo(made.secret)
    typer.echo(f"Key {made.id} of project {project!r}, in {where(database_url)}. It is not shown again.", err=True)


@commands.command("list")
def keys_list(database_url: DatabaseUrl = None) -> None:
    """List the keys, without their secrets."""
    from chatdock.storage import keys
    from chatdock.storage.times import from_micros

    rows = with_database(database_url, lambda database: database.read(keys.every), missing="refuse")
    for row in rows:
        state = "live" if row["revoked_at"] is None else "revoked"
        made = from_micros(row["created_at"]).isoformat(timespec="seconds")
        typer.echo("\t".join([row["id"], row["hint"], row["project_id"], state, made, row["name"]]))


@commands.command("revoke")
def keys_revoke(
    key_id: Annotated[str, typer.Argument(help="As `chatdock keys list` shows it.")], database_url: DatabaseUrl = None
) -> None:
    """End a key; requests with it are refused within a second."""
    from chatdock.storage import keys
    from chatdock.storage.times import micros_now

    if not with_database(
        database_url,
        lambda database: database.write(lambda tx: keys.revoke(tx, key_id, micros_now())),
        missing="refuse",
    ):
        fail(f"there is no live key {key_id!r}")
    typer.echo(f"Key {key_id} is revoked.")
