"""What a server has recorded: `chatdock feedback` and `chatdock traces`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from chatdock.cli.database import DatabaseUrl, fail, with_database
from chatdock.cli.values import given

if TYPE_CHECKING:
    from chatdock.storage.database import Database


def feedback(
    project: Annotated[
        str, typer.Option(callback=given, help="The project whose users' verdicts to list.")
    ] = "default",
    database_url: DatabaseUrl = None,
) -> None:
    """List what users thought of answers, newest first: time, user, verdict, thread, item."""
    from chatdock.storage import feedback as records
    from chatdock.storage.times import from_micros

    rows = with_database(
        database_url, lambda database: database.read(lambda tx: records.of_project(tx, project)), missing="refuse"
    )
    for row in rows:
        given = from_micros(row["created_at"]).isoformat(timespec="seconds")
        typer.echo("\t".join([given, row["user_id"], row["kind"], row["thread_id"], row["item_id"]]))


def traces(
    run_or_thread: Annotated[
        str | None, typer.Argument(metavar="[RUN_OR_THREAD_ID]", help="One turn, or all turns of a thread.")
    ] = None,
    project: Annotated[str, typer.Option(callback=given, help="The project whose turns to list.")] = "default",
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

    lines = with_database(database_url, load, missing="refuse")
    if run_or_thread is not None and not lines:
        fail(f"there is no trace of {run_or_thread!r}")
    for line in lines:
        typer.echo(line)
