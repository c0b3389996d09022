"""What a database holds, looked at from outside."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from chatdock.moving.hosted import Hosted
from chatdock.moving.hosted_import import Tally, import_hosted
from chatdock.storage.connect import open_database
from chatdock.storage.database import Database
from tests.harness.hosted import KEY, FakeHosted

T = TypeVar("T")


def url(folder: Path) -> str:
    """The address of the folder's database."""
    return f"sqlite:///{folder}/chatdock.db"


def in_database(folder: Path, work: Callable[[Database], Awaitable[T]]) -> T:
    """What `work` makes of the folder's database."""

    async def run() -> T:
        database = await open_database(url(folder))
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


def imported(folder: Path, app: FakeHosted, **options: Any) -> Tally:
    """Import into the folder's database, in this process, with short pauses."""

    async def work(database: Database) -> Tally:
        concurrency = options.setdefault("concurrency", 4)
        own = {name: options.pop(name) for name in ("say",) if name in options}
        key = options.pop("key", KEY)
        async with Hosted(app.url, key, connections=concurrency, first_pause=0.005, **own) as source:
            return await import_hosted(database, source, **options)

    return in_database(folder, work)


def content(folder: Path, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of some tables; of those that hold what users see, by default."""
    connection = sqlite3.connect(folder / "chatdock.db")
    try:
        return {
            table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)
            for table in tables or ("thread", "item", "feedback", "attachment")
        }
    finally:
        connection.close()


def chatdock(
    folder: Path, *arguments: str, stdin: bytes | None = None, preexec: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """The command, on the folder's database; `preexec` is called in its process, before it begins."""
    return subprocess.run(
        command(folder, *arguments),
        capture_output=True,
        input=stdin,
        env=environment(),
        cwd=folder,
        timeout=100,
        preexec_fn=preexec,
    )


def command(folder: Path, *arguments: str) -> list[str]:
    """How it is called."""
    return [sys.executable, "-m", "chatdock", *arguments, "--database-url", url(folder)]


def environment() -> dict[str, str]:
    """What it finds around it."""
    return {**os.environ, "OPENAI_API_KEY": KEY}
