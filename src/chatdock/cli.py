"""The `chatdock` command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from chatdock import __version__
from chatdock.settings import Settings

if TYPE_CHECKING:
    from chatdock.launch import Launch
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


class _Sources(TyperGroup):
    """`import FILE` is `import file FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["file", *args]
        return super().parse_args(ctx, args)


import_app = typer.Typer(
    help="Bring threads in: `import openai` from hosted ChatKit, `import FILE` from what `chatdock export` wrote.",
    no_args_is_help=True,
    cls=_Sources,
)
app.add_typer(import_app, name="import")

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
    reload: Annotated[
        bool, typer.Option("--reload", help="For development: restart when a Python file of a target's folder changes.")
    ] = False,
) -> None:
    """Serve workflows. Without a TARGET: wf_demo, which a model answers, and wf_showcase, which needs none."""
    import gc

    # Thousands of classes are made while importing; not looking for garbage among them saves 0.3 s until ready.
    gc.disable()
    from chatdock.logs import configure

    configure()
    settings = _settings(database_url)
    from chatdock.launch import CANNOT_START, Launch

    launch = Launch(tuple(targets or ()), host, port, demo, settings)
    try:
        if reload:
            _serve_and_reload(launch)
        else:
            from chatdock.server import listen

            loaded = launch.load()
            loaded.serve(listen(host, port, settings))
    except CANNOT_START as error:
        _fail(str(error))


def _serve_and_reload(launch: Launch) -> None:
    from importlib.util import find_spec

    if not launch.targets:
        _fail("--reload watches the folders of its targets; name one")
    if find_spec("watchfiles") is None:
        _fail("--reload needs the package watchfiles; run: pip install 'chatdock[reload]'")
    from chatdock.reload import serve_and_reload

    serve_and_reload(launch)


@app.command()
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
    checked = checking.check(file, endpoint, _settings(None))
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
            _fail(f"{written} cannot be written: {error.strerror or error}")
        typer.echo(f"{written} is started.", err=True)
    typer.echo(f"{file} {'runs' if checked.runs else 'cannot run'}")
    if write_sidecar and not started:
        why = "is there already, and stays as it is" if written.exists() else "was not started"
        _fail(f"{written} {why}")
    if not checked.runs:
        raise typer.Exit(1)


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

    rows = _with_database(database_url, lambda database: database.read(keys.every), missing="refuse")
    for row in rows:
        state = "live" if row["revoked_at"] is None else "revoked"
        made = from_micros(row["created_at"]).isoformat(timespec="seconds")
        typer.echo("\t".join([row["id"], row["hint"], row["project_id"], state, made, row["name"]]))


@keys_app.command("revoke")
def keys_revoke(
    key_id: Annotated[str, typer.Argument(help="As `chatdock keys list` shows it.")], database_url: DatabaseUrl = None
) -> None:
    """End a key; requests with it are refused within a second."""
    from chatdock.storage import keys
    from chatdock.storage.times import micros_now

    if not _with_database(
        database_url,
        lambda database: database.write(lambda tx: keys.revoke(tx, key_id, micros_now())),
        missing="refuse",
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

    rows = _with_database(
        database_url, lambda database: database.read(lambda tx: records.of_project(tx, project)), missing="refuse"
    )
    for row in rows:
        given = from_micros(row["created_at"]).isoformat(timespec="seconds")
        typer.echo("\t".join([given, row["user_id"], row["kind"], row["thread_id"], row["item_id"]]))


@app.command()
def traces(
    run_or_thread: Annotated[
        str | None, typer.Argument(metavar="[RUN_OR_THREAD_ID]", help="One turn, or all turns of a thread.")
    ] = None,
    project: Annotated[str, typer.Option(help="The project whose turns to list.")] = "default",
    count: Annotated[int, typer.Option(help="How many turns to list.", min=1)] = 20,
    database_url: DatabaseUrl = None,
) -> None:
    """List traced turns, newest first; with an id, show a turn's spans, or those of all turns of a thread.

    A list has for each turn: time, duration, workflow, outcome, input and output tokens, run, thread.
    """
    from chatdock.storage import traces as records
    from chatdock.tracing.report import listed, shown

    async def load(database: Database) -> list[str]:
        if run_or_thread is None:
            return [listed(row) for row in await database.read(lambda tx: records.newest(tx, project, count))]
        lines: list[str] = []
        for row in await database.read(lambda tx: records.of(tx, run_or_thread)):
            spans = await database.read(lambda tx, trace=row["id"]: records.spans(tx, trace))  # type: ignore[misc]
            lines += ["", *shown(row, spans)] if lines else shown(row, spans)
        return lines

    lines = _with_database(database_url, load, missing="refuse")
    if run_or_thread is not None and not lines:
        _fail(f"there is no trace of {run_or_thread!r}")
    for line in lines:
        typer.echo(line)


ToProject = Annotated[str, typer.Option("--project", help="The project that the threads go to.")]


@import_app.command("openai")
def import_openai(
    api_key: Annotated[
        str,
        typer.Option(
            envvar="OPENAI_API_KEY", show_envvar=False, help="A key of the hosted project; better in OPENAI_API_KEY."
        ),
    ] = "",
    base_url: Annotated[str, typer.Option(help="Where hosted ChatKit is.")] = "https://api.openai.com/v1",
    project: ToProject = "default",
    user: Annotated[str | None, typer.Option(help="Threads of this user alone.")] = None,
    previews: Annotated[
        Path | None,
        typer.Option("--previews", metavar="FOLDER", help="Then fetch previews of attached images into it."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read everything, store nothing.")] = False,
    keep_unfinished: Annotated[
        bool, typer.Option("--keep-unfinished", help="Store what came of threads that cannot be read to their end.")
    ] = False,
    concurrency: Annotated[int, typer.Option(help="How many threads to read at once.", min=1, max=64)] = 4,
    database_url: DatabaseUrl = None,
) -> None:
    """Read all threads of hosted ChatKit with their items. Interrupted, it goes on when it is started again."""
    from chatdock.moving import summary
    from chatdock.moving.hosted import Hosted, HostedError
    from chatdock.moving.hosted_import import Tally, import_hosted
    from chatdock.moving.previews import Previews, fetch_previews
    from chatdock.moving.progress import progress
    from chatdock.storage.threads import Scope

    if not api_key:
        _fail("hosted ChatKit asks for a key: set OPENAI_API_KEY")

    async def work(database: Database) -> tuple[Tally, Previews | None]:
        with progress("Importing threads") as show:
            async with Hosted(base_url, api_key, connections=concurrency, say=show) as hosted:
                tally = await import_hosted(
                    database,
                    hosted,
                    project=project,
                    user=user,
                    concurrency=concurrency,
                    keep_unfinished=keep_unfinished,
                    dry_run=dry_run,
                    report=lambda tally: show(f"{tally.threads.total():,} threads, {tally.items:,} items"),
                )
        if previews is None or dry_run or tally.stopped is not None:
            return tally, None
        with progress("Fetching previews") as show:
            async with Hosted(base_url, api_key, connections=concurrency, say=show) as hosted:
                fetched = await fetch_previews(
                    database,
                    hosted,
                    previews,
                    Scope(project, user),
                    concurrency=concurrency,
                    report=lambda fetched: show(f"{fetched.kept:,} kept, {fetched.missing.total():,} not to be had"),
                )
        return tally, fetched

    try:
        tally, fetched = _with_database(database_url, work, missing="pretend" if dry_run else "make")
    except HostedError as error:
        _fail(str(error))
    for line in summary.hosted(tally, dry_run=dry_run):
        typer.echo(line)
    if previews is not None and fetched is not None:
        for line in summary.previews(fetched, previews):
            typer.echo(line)
    if not tally.complete or (fetched is not None and not fetched.complete):
        raise typer.Exit(1)


@import_app.command("file")
def import_file(
    file: Annotated[
        str, typer.Argument(help="What `chatdock export` wrote, compressed or not; `-` is standard input.")
    ],
    project: ToProject = "default",
    database_url: DatabaseUrl = None,
) -> None:
    """Bring in threads that `chatdock export` wrote; those that are here already are left as they are."""
    from chatdock.moving import files, summary
    from chatdock.moving.file_import import Tally, import_file
    from chatdock.moving.progress import progress

    async def work(database: Database) -> Tally:
        with files.reading(file) as source, progress("Importing threads") as show:
            return await import_file(
                database,
                source,
                project=project,
                report=lambda tally: show(f"{tally.threads.total():,} threads, {tally.items:,} items"),
            )

    try:
        tally = _with_database(database_url, work)
    except OSError as error:
        _fail(f"{file} cannot be read: {error.strerror or error}")
    for line in summary.file(tally):
        typer.echo(line)
    if tally.stopped is not None:
        raise typer.Exit(1)


@app.command("export")
def export(
    file: Annotated[str, typer.Argument(help="Where to; compressed if it ends in `.gz`. `-`: standard output.")] = "-",
    project: Annotated[str, typer.Option(help="The project whose threads to write.")] = "default",
    user: Annotated[str | None, typer.Option(help="Threads of this user alone.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(help="Threads made then or later; in UTC.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Write threads with everything in them as JSON Lines, for `chatdock import`. A server may run meanwhile."""
    from chatdock.moving import files
    from chatdock.moving.archive import Writer
    from chatdock.moving.export import export_threads
    from chatdock.moving.progress import progress
    from chatdock.storage.threads import Scope

    async def work(database: Database) -> Writer:
        with files.writing(file) as sink, progress("Exporting threads") as show:
            return await export_threads(
                database,
                Scope(project, user),
                sink,
                since=since and since.replace(tzinfo=UTC),
                report=lambda writer: show(f"{writer.threads:,} threads, {writer.items:,} items"),
            )

    try:
        writer = _with_database(database_url, work, missing="refuse")
    except OSError as error:
        _fail(f"{file} cannot be written: {error.strerror or error}")
    typer.echo(f"Exported: {writer.items:,} items of {writer.threads:,} threads.", err=True)


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


def _with_database(
    database_url: str | None,
    work: Callable[[Database], Awaitable[T]],
    *,
    missing: Literal["make", "refuse", "pretend"] = "make",
) -> T:
    """What `work` makes of the database; one that is `missing` is made, for good or for this call alone, or refused."""
    from chatdock.errors import ApiError
    from chatdock.storage.connect import is_there, open_database
    from chatdock.storage.database import UnusableDatabase

    async def run() -> T:
        url = _settings(database_url).database_url
        with ExitStack() as stack:
            if missing != "make" and not is_there(url):
                if missing == "refuse":
                    raise UnusableDatabase(f"there is no database at {url}")
                url = f"sqlite:///{stack.enter_context(TemporaryDirectory())}/chatdock.db"
            database = await open_database(url)
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
