"""Threads from hosted ChatKit: how many a second, in how much memory, and whether all of them after a kill -9."""

import contextlib
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.table import Table

from bench import servers
from bench.process import usage
from bench.run import Bench

FEW, MANY = 1_000, 10_000
ITEMS = 20
LIMIT = 900
"""Seconds that one command may take."""


@dataclass(frozen=True)
class Taken:
    seconds: float
    rss: int
    """Bytes, at most."""


def run(bench: Bench) -> None:
    if bench.url:
        bench.console.print("import: left out, the fake of hosted ChatKit is started here\n")
        return
    many = MANY // 5 if bench.quick else MANY
    table = Table(
        "command",
        "threads",
        "items moved",
        "seconds",
        "items/s",
        "peak RSS MB",
        title="import: a fake of hosted ChatKit on this machine answers 429 and 500 and cuts connections now and then",
    )

    def row(name: str, threads: int, taken: Taken, items: int | None = None) -> None:
        items = threads * ITEMS if items is None else items
        speed = f"{items / taken.seconds:,.0f}" if items else ""
        table.add_row(name, f"{threads:,}", f"{items:,}", f"{taken.seconds:.1f}", speed, f"{taken.rss / 1e6:.0f}")

    for threads in (FEW, many):
        database = bench.directory / f"import-{threads}.db"
        file = bench.directory / f"export-{threads}.jsonl"
        with servers.hosted(bench.directory, threads, ITEMS) as url:
            source = ["import", "openai", "--base-url", url]
            row("import openai", threads, command(database, *source))
            _expect(database, threads)
            row("the same again, nothing new", threads, command(database, *source), 0)
        row("export FILE", threads, command(database, "export", str(file)))
        other = bench.directory / f"copy-{threads}.db"
        row("import FILE", threads, command(other, "import", str(file)))
        _expect(other, threads)
    database = bench.directory / "import-killed.db"
    with servers.hosted(bench.directory, many, ITEMS) as url:
        source = ["import", "openai", "--base-url", url]
        kept = []
        for part in (0.25, 0.5, 0.75):
            command(database, *source, kill_at=int(part * many * ITEMS))
            kept.append(f"{_count(database, 'item'):,}")
        rest = many * ITEMS - _count(database, "item")
        row("import openai, the rest after 3 times kill -9", many, command(database, *source), rest)
    _expect(database, many)
    bench.console.print(table)
    bench.console.print(f"Items in the database after each kill: {', '.join(kept)}; in the end each of them once.\n")


def command(database: Path, *arguments: str, kill_at: int | None = None) -> Taken:
    """Run a command to its end, or until the database holds so many items."""
    line = [sys.executable, "-m", "chatdock", *arguments, "--database-url", f"sqlite:///{database}"]
    environment = {**os.environ, "PYTHONPATH": str(servers.ROOT / "src"), "OPENAI_API_KEY": servers.HOSTED_KEY}
    begin = time.monotonic()
    with (database.parent / "import.log").open("w+b") as log:
        process = subprocess.Popen(line, env=environment, stdout=log, stderr=log)
        rss, looks = 0, 0
        while process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended just now
                rss = max(rss, usage(process.pid).rss)
            looks += 1
            if kill_at is not None and looks % 5 == 0 and _count(database, "item") >= kill_at:
                process.kill()
            if time.monotonic() - begin > LIMIT:
                process.kill()
                raise TimeoutError(f"{shlex.join(line)} took more than {LIMIT} s")
            time.sleep(0.05)
        expected = 0 if kill_at is None else -signal.SIGKILL
        if process.returncode != expected:
            log.seek(0)
            raise SystemExit(f"{shlex.join(line)} ended with {process.returncode}: {log.read().decode()[-2000:]}")
    return Taken(time.monotonic() - begin, rss)


def _count(database: Path, table: str) -> int:
    with closing(sqlite3.connect(database)) as connection:
        try:
            (count,) = connection.execute(f"select count(*) from {table}").fetchone()
        except sqlite3.OperationalError:  # there are no tables yet
            return 0
        return int(count)


def _expect(database: Path, threads: int) -> None:
    """All of it is there, and once."""
    found = _count(database, "thread"), _count(database, "item"), _count(database, "(select distinct id from item)")
    if found != (threads, threads * ITEMS, threads * ITEMS):
        raise SystemExit(f"{database} holds {found}, not {threads} threads with {ITEMS} items each")
