"""The database that a command works on, and `chatdock db`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, TypeVar

import typer
from pydantic import ValidationError

from chatdock.settings import Settings, unknown_variables

if TYPE_CHECKING:
    from pathlib import Path

    from chatdock.storage.database import Database

T = TypeVar("T")

DatabaseUrl = Annotated[
    str | None, typer.Option("--database-url", help="Where everything is stored; else CHATDOCK_DATABASE_URL.")
]

commands = typer.Typer(help="The database.", no_args_is_help=True)


@commands.command("upgrade")
def db_upgrade(database_url: DatabaseUrl = None) -> None:
    """Create the tables, or bring those of an older version up to date. `serve` does so by itself."""

    async def nothing(_database: Database) -> None:
        return None

    with_database(database_url, nothing, ask=False)
    typer.echo(f"The database {where(database_url)} is up to date.")


def read_settings(database_url: str | None) -> Settings:
    """The settings; variables that look like one and are none are named on stderr."""
    for sentence in unknown_variables(os.environ):
        typer.echo(f"chatdock: {sentence}", err=True)
    try:
        return Settings(database_url=database_url) if database_url else Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"CHATDOCK_{'_'.join(str(part) for part in first['loc'])}".upper()
        fail(f"{name}: {first['msg']}")


def where(database_url: str | None) -> Path:
    """The database's file."""
    from chatdock.storage.connect import path_of

    return path_of(database_url or Settings().database_url)


def with_database(
    database_url: str | None,
    work: Callable[[Database], Awaitable[T]],
    *,
    missing: Literal["make", "refuse", "pretend"] = "make",
    ask: bool = True,
) -> T:
    """What `work` makes of the database; one that is `missing` is made, for good or for this call alone, or refused.

    One that is made for good is told; where it lies only because of the folder that the command is run in, and
    somebody sits at the terminal, they are asked first, unless `ask` is False.
    """
    from chatdock.errors import ApiError
    from chatdock.storage.connect import is_there, open_database, path_of
    from chatdock.storage.database import UnusableDatabase

    url = read_settings(database_url).database_url

    async def run(url: str) -> T:
        database = await open_database(url)
        try:
            return await work(database)
        finally:
            await database.close()

    try:
        with ExitStack() as stack:
            if not is_there(url):
                if missing == "refuse":
                    raise UnusableDatabase(f"there is no database at {path_of(url)}")
                if missing == "pretend":
                    url = f"sqlite:///{stack.enter_context(TemporaryDirectory())}/chatdock.db"
                else:
                    _make(path_of(url), ask=ask and url == Settings.model_fields["database_url"].default)
            return asyncio.run(run(url))
    except (ApiError, UnusableDatabase) as error:
        fail(str(error))


def _make(path: Path, *, ask: bool) -> None:
    """Tell that a database is made at this path, or ask whether it should be."""
    if ask and sys.stdin.isatty() and sys.stderr.isatty():
        # typer's own question writes a blank to stdout, where the key goes.
        typer.echo(f"There is no database at {path}. Make one? [Y/n] ", nl=False, err=True)
        if sys.stdin.readline().strip().lower() not in {"", "y", "yes"}:
            fail("no database was made; --database-url or CHATDOCK_DATABASE_URL names another")
        return
    typer.echo(f"chatdock: there was no database at {path}; it is made now.", err=True)


def fail(message: str) -> NoReturn:
    """End the command, with the reason."""
    typer.echo(f"chatdock: {message}", err=True)
    raise typer.Exit(1)
