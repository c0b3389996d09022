"""The sweep removes a few rows in each transaction, so that no run waits for it; what fails holds up nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatdock.errors import Unavailable
from chatdock.settings import Settings
from chatdock.storage import sweep as sweeping
from chatdock.storage import traces
from chatdock.storage.connect import parse_url
from chatdock.storage.schema import metadata
from chatdock.storage.sqlite import SqliteDatabase
from chatdock.storage.sweep import Sweep
from tests.harness.clock import StillClock

pytestmark = pytest.mark.anyio

SWEPT = ("frame", "run", "span", "trace", "idempotency", "session")
ROWS = 7
"""How many rows of a kind one transaction may remove, in these tests."""
OLD = 25


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "ROWS", ROWS)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = await SqliteDatabase.open(parse_url(f"sqlite:///{tmp_path}/old.db"))
    yield opened
    await opened.close()


@pytest.fixture
def file(tmp_path: Path, database: SqliteDatabase) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    yield connection
    connection.close()


def fill(file: sqlite3.Connection, number: int, *, at: int) -> None:
    """Rows of everything that the sweep removes, from one moment: three batches of events and spans for each run."""
    file.execute("BEGIN")
    for n in range(number):
        _add(file, "run", id=f"run {at} {n}", status="completed", ended_at=at, created_at=at)
        _add(file, "trace", id=f"trace {at} {n}", run_id=f"run {at} {n}", started_at=at, ended_at=at)
        for part in range(3):
            _add(file, "frame", run_id=f"run {at} {n}", first=part + 1, last=part + 1)
            _add(file, "span", trace_id=f"trace {at} {n}", id=str(part), started_at=at)
        _add(file, "idempotency", scope=f"{n % 3}", key_hash=f"{at} {n}".encode(), created_at=at)
        _add(file, "session", id=f"session {at} {n}", secret_hash=f"{at} {n}".encode(), created_at=at, expires_at=at)
    file.execute("COMMIT")


def _add(file: sqlite3.Connection, table: str, **values: Any) -> None:
    """A row with these values, and with something in whatever else has to be there."""
    columns = metadata.tables[table].columns
    row = {column.name: values.get(column.name, None if column.nullable else "") for column in columns}
    names = ", ".join(f'"{name}"' for name in row)
    file.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' for _ in row)})", list(row.values()))


def left(file: sqlite3.Connection) -> dict[str, int]:
    """How many rows there are."""
    return {table: file.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in SWEPT}


async def test_a_round_removes_all_that_is_old_in_transactions_of_a_few_rows(
    database: SqliteDatabase, file: sqlite3.Connection
) -> None:
    clock = StillClock()
    fill(file, OLD, at=clock.micros())
    clock.move(30 * 86_400)
    fill(file, 2, at=clock.micros())
    commits: list[int] = []

    def note(statement: str) -> None:
        if statement == "COMMIT":
            commits.append(database._connection.total_changes - sum(commits))

    database._connection.set_trace_callback(note)
    await Sweep(database, Settings(), clock, ()).once()
    assert left(file) == {"frame": 6, "run": 2, "span": 6, "trace": 2, "idempotency": 2, "session": 2}
    assert max(commits) <= 2 * ROWS
    assert sum(commits) == OLD * 10


async def test_what_one_round_leaves_the_next_ones_remove(
    database: SqliteDatabase, file: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "BATCHES", 2)
    clock = StillClock()
    fill(file, OLD, at=clock.micros())
    clock.move(30 * 86_400)
    sweep = Sweep(database, Settings(), clock, ())
    await sweep.once()
    assert left(file) == {
        "frame": 3 * OLD - 4 * ROWS,  # two batches as old events, two with their forgotten runs
        "run": OLD,
        "span": 3 * OLD - 2 * ROWS,
        "trace": OLD,
        "idempotency": OLD - 2 * ROWS,
        "session": OLD - 2 * ROWS,
    }
    for _ in range(10):
        await sweep.once()
    assert not any(left(file).values())


async def test_a_kind_that_cannot_be_swept_holds_up_no_other(
    database: SqliteDatabase, file: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> int:
        raise KeyError("on purpose")

    monkeypatch.setattr(traces, "forget", broken)
    clock = StillClock()
    fill(file, 3, at=clock.micros())
    clock.move(30 * 86_400)
    await Sweep(database, Settings(), clock, ()).once()
    assert left(file) == {"frame": 0, "run": 0, "span": 9, "trace": 3, "idempotency": 0, "session": 0}


async def test_a_database_that_takes_no_writes_is_asked_once_a_round(database: SqliteDatabase) -> None:
    database._connection.execute("PRAGMA query_only = 1")
    begun: list[str] = []
    database._connection.set_trace_callback(lambda statement: begun.append(statement) if "BEGIN" in statement else None)
    cached: list[str] = []
    with pytest.raises(Unavailable):
        await Sweep(database, Settings(), StillClock(), [lambda: cached.append("forgotten")]).once()
    assert len(begun) == 1
    assert cached == ["forgotten"]
