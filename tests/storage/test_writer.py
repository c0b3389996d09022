"""The writer: what waited shares a commit, what raises fails alone, everybody gets their own result."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import bindparam, column, insert, select, table

from chatdock.errors import Unavailable
from chatdock.storage.connect import parse_url
from chatdock.storage.database import Op, Statement, Tx
from chatdock.storage.sqlite import MAX_GROUP, SqliteDatabase

pytestmark = pytest.mark.anyio

_note = table("note", column("number"), column("text"))
_INSERT = Statement(insert(_note).values(number=bindparam("number"), text=bindparam("text")))
_COUNT = Statement(select(_note.c.number).order_by(_note.c.number))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = await SqliteDatabase.open(parse_url(f"sqlite:///{tmp_path}/notes.db"))
    connection = sqlite3.connect(tmp_path / "notes.db")
    connection.execute("CREATE TABLE note (number INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    connection.commit()
    connection.close()
    yield opened
    await opened.close()


def note(number: int, text: str | None = "so") -> Op[int]:
    """An operation that stores a note and gives its number back."""

    async def store(tx: Tx) -> int:
        await tx.run(_INSERT, number=number, text=text)
        return number

    return store


async def numbers(database: SqliteDatabase) -> list[int]:
    rows = await database.read(lambda tx: tx.all(_COUNT))
    return [row["number"] for row in rows]


class Commits:
    """Counts the writer's commits."""

    def __init__(self, database: SqliteDatabase) -> None:
        self.count = 0
        database._connection.set_trace_callback(self._traced)

    def _traced(self, statement: str) -> None:
        self.count += statement == "COMMIT"


async def test_what_is_queued_during_a_commit_shares_the_next_one(database: SqliteDatabase) -> None:
    commits = Commits(database)
    results = await asyncio.gather(*(database.write(note(number)) for number in range(100)))
    assert results == list(range(100))
    assert await numbers(database) == results
    assert commits.count <= 100 // 5, "every operation paid for a commit of its own"


async def test_a_lone_operation_waits_for_nobody(database: SqliteDatabase) -> None:
    commits = Commits(database)
    for number in range(5):
        await database.write(note(number))
    assert commits.count == 5


async def test_results_go_to_their_callers(database: SqliteDatabase) -> None:
    many = 2 * MAX_GROUP + 7

    async def caller(number: int) -> bool:
        await asyncio.sleep(0)
        return await database.write(note(number)) == number

    assert all(await asyncio.gather(*(caller(number) for number in range(many))))
    assert await numbers(database) == list(range(many))


async def test_an_operation_that_raises_fails_alone_and_leaves_nothing(database: SqliteDatabase) -> None:
    async def half(tx: Tx) -> None:
        await tx.run(_INSERT, number=1000, text="gone again")
        raise KeyError("on purpose")

    async def suspends(tx: Tx) -> None:
        await tx.run(_INSERT, number=1001, text="gone too")
        await asyncio.sleep(0)

    bad: dict[int, Op[None]] = {3: half, 50: suspends}
    writes = [database.write(bad.get(number) or note(number)) for number in range(200)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    for number, result in enumerate(results):
        if number == 3:
            assert isinstance(result, KeyError)
        elif number == 50:
            assert isinstance(result, RuntimeError)
        else:
            assert result == number
    assert await numbers(database) == [number for number in range(200) if number not in bad]


async def test_a_broken_constraint_is_its_own_callers_error(database: SqliteDatabase) -> None:
    results = await asyncio.gather(
        database.write(note(1)), database.write(note(1)), database.write(note(2, None)), database.write(note(3)),
        return_exceptions=True,
    )  # fmt: skip
    assert [type(result) for result in results] == [int, sqlite3.IntegrityError, sqlite3.IntegrityError, int]
    assert await numbers(database) == [1, 3]


async def test_what_is_returned_is_on_disk(database: SqliteDatabase, tmp_path: Path) -> None:
    for number in range(20):
        await database.write(note(number))
        other = sqlite3.connect(tmp_path / "notes.db")
        assert other.execute("SELECT max(number) FROM note").fetchone() == (number,)
        other.close()
    assert database._connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert database._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


async def test_a_read_sees_one_snapshot_and_cannot_write(database: SqliteDatabase) -> None:
    await database.write(note(1))
    with pytest.raises(Unavailable):
        await database.read(note(2))
    assert await numbers(database) == [1]


async def test_closing_commits_what_is_queued(database: SqliteDatabase, tmp_path: Path) -> None:
    writes = [asyncio.ensure_future(database.write(note(number))) for number in range(300)]
    await asyncio.sleep(0)  # every write is queued by now
    await database.close()
    assert await asyncio.gather(*writes) == list(range(300))
    with pytest.raises(Unavailable):
        await database.write(note(1000))
    connection = sqlite3.connect(tmp_path / "notes.db")
    assert connection.execute("SELECT count(*) FROM note").fetchone() == (300,)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_a_caller_that_gives_up_harms_nobody(database: SqliteDatabase) -> None:
    writes = [asyncio.ensure_future(database.write(note(number))) for number in range(50)]
    await asyncio.sleep(0)
    writes[7].cancel()
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert isinstance(results[7], asyncio.CancelledError)
    assert [result for number, result in enumerate(results) if number != 7] == [n for n in range(50) if n != 7]


async def test_a_full_database_says_so_and_recovers(database: SqliteDatabase) -> None:
    await database.write(note(1))
    (pages,) = database._connection.execute("PRAGMA page_count").fetchone()
    database._connection.execute(f"PRAGMA max_page_count = {pages}")
    results = await asyncio.gather(
        *(database.write(note(number, "x" * 10_000)) for number in range(2, 20)), return_exceptions=True
    )
    assert all(isinstance(result, Unavailable) for result in results)
    refused = results[0]
    assert isinstance(refused, Unavailable)
    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert await numbers(database) == [1]
    database._connection.execute("PRAGMA max_page_count = 1000000")
    assert await database.write(note(2, "x" * 10_000)) == 2
    assert await numbers(database) == [1, 2]


async def test_a_database_that_cannot_be_written_says_so_and_is_read(database: SqliteDatabase) -> None:
    await database.write(note(1))
    database._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(Unavailable):
        await database.write(note(2))
    assert await numbers(database) == [1]
    database._connection.execute("PRAGMA query_only = 0")
    assert await database.write(note(2)) == 2


async def test_an_error_log_that_cannot_be_written_does_not_stop_the_writer(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chatdock.storage.sqlite.log.error", full)
    database._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(Unavailable):
        await asyncio.wait_for(database.write(note(1)), 3)
    database._connection.execute("PRAGMA query_only = 0")
    assert await asyncio.wait_for(database.write(note(1)), 3) == 1
