"""The `chatdock` command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer
from pydantic import ValidationError

from chatdock import __version__
from chatdock.settings import Settings

if TYPE_CHECKING:
    from chatdock.storage.database import Database

T = TypeVar("T")

app = typer.Typer(
    help="ChatKit on your own machines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
keys_app = typer.Typer(help="API keys for your back end.", no_args_is_help=True)
db_app = typer.Typer(help="The database.", no_args_is_help=True)
model_app = typer.Typer(help="The embedded model.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
app.add_typer(db_app, name="db")
app.add_typer(model_app, name="model")

DatabaseUrl = Annotated[
    str | None, typer.Option("--database-url", help="Where everything is stored; else CHATDOCK_DATABASE_URL.")
]


def main() -> None:
    """Entry point."""
    app()


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """ChatKit on your own machines."""
    if version:
        typer.echo(f"chatdock {__version__}")
        raise typer.Exit


@app.command()
def serve(
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="[TARGET]...", help="file.py, pkg.module or module:object.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on; 0 for any free one.")] = 8000,
    database_url: DatabaseUrl = None,
    demo: Annotated[bool, typer.Option("--demo", help="Serve a chat page at / with anonymous sessions.")] = False,
) -> None:
    """Serve workflows. Without a TARGET: wf_demo, which a model answers, and wf_showcase, which needs none."""
    import gc

    # Thousands of classes are made while importing; not looking for garbage among them saves 0.3 s until ready.
    gc.disable()
    from chatdock.logs import configure

    configure()
    settings = _settings(database_url)
    from chatdock.app import create_app
    from chatdock.model.errors import ModelError
    from chatdock.server import listen
    from chatdock.server import serve as run_server
    from chatdock.storage.connect import prepare_database
    from chatdock.storage.database import UnusableDatabase
    from chatdock.web.manifest import PATH, NotBuilt, read_manifest
    from chatdock.workflows.workflow import WorkflowError

    try:
        prepare_database(settings.database_url)
        if targets:
            from chatdock.workflows.loader import load

            workflows = [entry for target in targets for entry in load(target)]
        else:
            from chatdock.workflows.builtin import builtin_workflows

            workflows = builtin_workflows()
        model = None
        if any(entry.needs_model for entry in workflows):
            from chatdock.model.endpoint import resolve_endpoint

            try:
                model = resolve_endpoint()
            except ModelError as error:
                if targets:
                    raise
                typer.echo(f"chatdock: wf_demo is left out. {error}", err=True)
                workflows = [entry for entry in workflows if not entry.needs_model]
        served = create_app(settings, workflows, demo=demo, model=model)
        listener = listen(host, port, settings)
        port = listener.getsockname()[1]
        names = ", ".join(dict.fromkeys(entry.id for entry in workflows))
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{port}"
        typer.echo(f"Chatdock {__version__} serves {names} at {url}")
        try:
            read_manifest()
            typer.echo(f"The script for your pages: {url}{PATH}chatkit.js")
        except NotBuilt as error:
            typer.echo(f"chatdock: {error}", err=True)
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)  # a turn makes thousands of short-lived objects and next to no garbage
        gc.enable()
        run_server(served, settings, listener, host, port)
    except (WorkflowError, ModelError, UnusableDatabase, OSError) as error:
        _fail(str(error))


@app.command()
def script(
    url: Annotated[str, typer.Option(help="Where browsers reach this server.")] = "http://localhost:8000",
) -> None:
    """Print the script tag for your pages, with the hash of this version's script."""
    from chatdock.web.manifest import NotBuilt, read_manifest

    try:
        typer.echo(read_manifest().tag(url))
    except NotBuilt as error:
        _fail(str(error))


@keys_app.command("create")
def keys_create(
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    project: Annotated[
        str, typer.Option(help="The project that it opens; its threads are seen by its keys alone.")
    ] = "default",
    database_url: DatabaseUrl = None,
) -> None:
    """Make an API key and print it, this once."""
    from chatdock.chat import keys

    made = _with_database(database_url, lambda database: keys.create(database, project, name))
    typer.echo(made.secret)
    typer.echo(f"Key {made.id} of project {project!r}. It is not shown again.", err=True)


@keys_app.command("list")
def keys_list(database_url: DatabaseUrl = None) -> None:
    """List the keys, without their secrets."""
    from chatdock.storage import keys
    from chatdock.storage.times import from_micros

    rows = _with_database(database_url, lambda database: database.read(keys.every))
    for row in rows:
        state = "live" if row["revoked_at"] is None else "revoked"
        made = from_micros(row["created_at"]).isoformat(timespec="seconds")
        typer.echo("\t".join([row["id"], row["hint"], row["project_id"], state, made, row["name"]]))


@keys_app.command("revoke")
def keys_revoke(
    key_id: Annotated[str, typer.Argument(help="As `chatdock keys list` shows it.")], database_url: DatabaseUrl = None
) -> None:
    """End a key; requests with it are refused within a second."""
    from chatdock.runs.work import micros_now
    from chatdock.storage import keys

    if not _with_database(
        database_url, lambda database: database.write(lambda tx: keys.revoke(tx, key_id, micros_now()))
    ):
        _fail(f"there is no live key {key_id!r}")
    typer.echo(f"Key {key_id} is revoked.")


@app.command()
def feedback(
    project: Annotated[str, typer.Option(help="The project whose users' verdicts to list.")] = "default",
    database_url: DatabaseUrl = None,
) -> None:
    """List what users thought of answers, newest first: time, user, verdict, thread, item."""
    from chatdock.storage import feedback as records
    from chatdock.storage.times import from_micros

    for row in _with_database(database_url, lambda database: database.read(lambda tx: records.of_project(tx, project))):
        given = from_micros(row["created_at"]).isoformat(timespec="seconds")
        typer.echo("\t".join([given, row["user_id"], row["kind"], row["thread_id"], row["item_id"]]))


@db_app.command("upgrade")
def db_upgrade(database_url: DatabaseUrl = None) -> None:
    """Create the tables, or bring those of an older version up to date. `serve` does so by itself."""

    async def nothing(_database: Database) -> None:
        return None

    _with_database(database_url, nothing)
    typer.echo("The database is up to date.")


@model_app.command("pull")
def model_pull() -> None:
    """Fetch the embedded model, 98 MB, into the user's cache."""
    from chatdock.model.errors import ModelError
    from chatdock.model.pull import pull

    try:
        typer.echo(f"The model is at {pull()}")
    except ModelError as error:
        _fail(str(error))


def _settings(database_url: str | None) -> Settings:
    try:
        return Settings(database_url=database_url) if database_url else Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"CHATDOCK_{'_'.join(str(part) for part in first['loc'])}".upper()
        _fail(f"{name}: {first['msg']}")


def _with_database(database_url: str | None, work: Callable[[Database], Awaitable[T]]) -> T:
    from chatdock.errors import ApiError
    from chatdock.storage.connect import open_database
    from chatdock.storage.database import UnusableDatabase

    async def run() -> T:
        database = await open_database(_settings(database_url).database_url)
        try:
            return await work(database)
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except (ApiError, UnusableDatabase) as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    typer.echo(f"chatdock: {message}", err=True)
    raise typer.Exit(1)
