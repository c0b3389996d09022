"""Threads that come and go: `chatdock import` and `chatdock export`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from chatdock.cli.database import DatabaseUrl, fail, with_database
from chatdock.cli.values import given

if TYPE_CHECKING:
    from chatdock.storage.database import Database


class _Sources(TyperGroup):
    """`import FILE` is `import file FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["file", *args]
        return super().parse_args(ctx, args)


commands = typer.Typer(
    help="Bring threads in: `import openai` from hosted ChatKit, `import FILE` from what `chatdock export` wrote.",
    no_args_is_help=True,
    cls=_Sources,
)

ToProject = Annotated[str, typer.Option("--project", callback=given, help="The project that the threads go to.")]


@commands.command("openai")
def import_openai(
    api_key: Annotated[
        str,
        typer.Option(
            envvar="OPENAI_API_KEY", show_envvar=False, help="A key of the hosted project; better in OPENAI_API_KEY."
        ),
    ] = "",
    base_url: Annotated[str, typer.Option(help="Where hosted ChatKit is.")] = "https://api.openai.com/v1",
    project: ToProject = "default",
    user: Annotated[str | None, typer.Option(callback=given, help="Threads of this user alone.")] = None,
    previews: Annotated[
        Path | None,
        typer.Option(
            "--previews", callback=given, metavar="FOLDER", help="Then fetch previews of attached images into it."
        ),
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
        fail("hosted ChatKit asks for a key: set OPENAI_API_KEY")

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
        tally, fetched = with_database(database_url, work, missing="pretend" if dry_run else "make")
    except HostedError as error:
        fail(str(error))
    for line in summary.hosted(tally, dry_run=dry_run):
        typer.echo(line)
    if previews is not None and fetched is not None:
        for line in summary.previews(fetched, previews):
            typer.echo(line)
    if not tally.complete or (fetched is not None and not fetched.complete):
        raise typer.Exit(1)


@commands.command("file")
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
        tally = with_database(database_url, work)
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror or error}")
    for line in summary.file(tally):
        typer.echo(line)
    if tally.stopped is not None:
        raise typer.Exit(1)


def export(
    file: Annotated[str, typer.Argument(help="Where to; compressed if it ends in `.gz`. `-`: standard output.")] = "-",
    project: Annotated[str, typer.Option(callback=given, help="The project whose threads to write.")] = "default",
    user: Annotated[str | None, typer.Option(callback=given, help="Threads of this user alone.")] = None,
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
        writer = with_database(database_url, work, missing="refuse")
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror or error}")
    typer.echo(f"Exported: {writer.items:,} items of {writer.threads:,} threads.", err=True)
