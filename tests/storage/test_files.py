"""The database's files: their owner's alone, no larger than what is in them, and missed when they are gone."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from chatdock import Turn, workflow
from chatdock.errors import Unavailable
from chatdock.settings import Settings
from chatdock.storage import sqlite, sqlite_files
from chatdock.storage.connect import parse_url
from chatdock.storage.database import Op, Statement, Tx
from chatdock.storage.sqlite import SPARE_PAGES, SqliteDatabase
from chatdock.storage.sqlite_files import LOG_BYTES, prepare
from chatdock.storage.sweep import Sweep
from tests.harness.client import ApiFailure
from tests.harness.clock import StillClock
from tests.harness.server import DEADLINE, ThreadServer, eventually, serving

pytestmark = pytest.mark.anyio

MEGABYTE = 1024 * 1024
DAY = 86_400
_SPARE = SPARE_PAGES * 4096
_ITEM = Statement(text("INSERT INTO item (thread_id, position, id, type, data) VALUES (:thread, :n, :n, 'x', :data)"))
_CLEAR = Statement(text("DELETE FROM item WHERE thread_id = :thread"))
_COUNT = Statement(text("SELECT count(*) AS items FROM item"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chatdock.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = await SqliteDatabase.open(parse_url(f"sqlite:///{path}"))
    yield opened
    await opened.close()


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What the log says of the files."""
    said: list[tuple[str, dict[str, Any]]] = []
    for module in (sqlite, sqlite_files):
        for level in ("error", "warning", "info"):
            monkeypatch.setattr(module.log, level, lambda event, **members: said.append((event, members)))
    return said


def items(thread: str, number: int, size: int) -> Op[None]:
    """An operation that stores so many items of so many bytes."""

    async def store(tx: Tx) -> None:
        for n in range(number):
            await tx.run(_ITEM, thread=thread, n=n, data=os.urandom(size // 2).hex())

    return store


def clear(thread: str) -> Op[int]:
    return lambda tx: tx.run(_CLEAR, thread=thread)


async def count(database: SqliteDatabase) -> int:
    row = await database.read(lambda tx: tx.one(_COUNT))
    assert row is not None
    return int(row["items"])


def size(path: Path, suffix: str = "") -> int:
    """How large a file is."""
    return (path.parent / f"{path.name}{suffix}").stat().st_size


def modes(folder: Path) -> dict[str, str]:
    """Who may do what with each file."""
    return {file.name: oct(file.stat().st_mode & 0o777) for file in folder.iterdir()}


# Whose they are


@pytest.fixture
def _everybody_may() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_everybody_may")
async def test_new_files_are_their_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "chatdock.db"
    database = await SqliteDatabase.open(parse_url(f"sqlite:///{path}"))
    try:
        await database.write(items("t", 1, 10))
        await count(database)
        names = ("chatdock.db", "chatdock.db-wal", "chatdock.db-shm", "chatdock.db.lock")
        assert modes(tmp_path) == dict.fromkeys(names, "0o600")
    finally:
        await database.close()


@pytest.mark.usefixtures("_everybody_may")
def test_a_file_that_a_link_leads_to_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "chatdock.db").symlink_to(tmp_path / "data" / "real.db")
    prepare(tmp_path / "chatdock.db")
    assert modes(tmp_path / "data")["real.db"] == "0o600"


def test_what_the_operator_allowed_stays_allowed(path: Path) -> None:
    prepare(path)
    path.chmod(0o640)
    prepare(path)
    assert modes(path.parent)["chatdock.db"] == "0o640"


# How large they are


async def test_the_log_does_not_stay_as_large_as_its_largest_transaction(database: SqliteDatabase, path: Path) -> None:
    await database.write(items("t", 20, MEGABYTE))
    assert size(path, "-wal") > 20 * MEGABYTE
    for n in range(3):
        await database.write(items(str(n), 1, 100))
    assert size(path, "-wal") <= LOG_BYTES


async def test_the_sweep_gives_back_what_was_deleted_and_empties_the_log(database: SqliteDatabase, path: Path) -> None:
    clock = StillClock()
    sweep = Sweep(database, Settings(), clock, ())
    for thread in "abcdef":
        await database.write(items(thread, 4, MEGABYTE))
    await database.write(items("kept", 100, 1000))
    await database.settle()
    full = size(path)
    assert full > 24 * MEGABYTE
    for thread in "abcdef":
        await database.write(clear(thread))
    for _ in range(3):
        await sweep.once()
    clock.move(60)
    await sweep.once()
    assert size(path) < _SPARE + MEGABYTE
    assert size(path, "-wal") == 0
    assert await count(database) == 100
    assert database._connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


async def test_a_little_free_space_stays_for_what_comes_next(database: SqliteDatabase) -> None:
    await database.write(items("t", 3, MEGABYTE))
    await database.write(clear("t"))
    (free,) = database._connection.execute("PRAGMA freelist_count").fetchone()
    assert 500 < free < SPARE_PAGES
    assert await database.shrink() is False
    assert database._connection.execute("PRAGMA freelist_count").fetchone()[0] == free


async def test_a_reader_that_reads_for_long_does_not_hold_up_the_writer(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_files, "BUSY_TIMEOUT", 3600)
    database = await SqliteDatabase.open(parse_url(f"sqlite:///{path}"))
    await database.write(items("t", 1, 100))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM item").fetchone()
    await database.write(items("u", 1, 100))
    assert await asyncio.wait_for(database.settle(), DEADLINE) is False
    reader.close()
    assert await database.settle() is True
    assert size(path, "-wal") == 0
    await database.close()


async def test_a_database_from_before_files_shrank_is_rewritten_once(
    path: Path, complaints: list[tuple[str, dict[str, Any]]]
) -> None:
    prepare(path)
    older = sqlite3.connect(path)
    older.execute("PRAGMA auto_vacuum=NONE")
    older.execute("VACUUM")
    older.execute("INSERT INTO item VALUES ('kept', 1, 'cti_1', 'x', '{}')")
    older.commit()
    assert older.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    older.close()
    for _ in range(2):
        database = await SqliteDatabase.open(parse_url(f"sqlite:///{path}"))
        await database.write(items("t", 10, MEGABYTE))
        await database.write(clear("t"))
        while await database.shrink():
            pass
        await database.settle()
        assert size(path) < _SPARE + MEGABYTE
        assert await count(database) == 1
        await database.close()
    assert [event for event, _ in complaints] == ["database_rewritten"]


async def test_a_database_that_cannot_be_rewritten_now_is_opened_as_it_is(
    path: Path, complaints: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA auto_vacuum=NONE")
    other.execute("VACUUM")
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(sqlite_files, "BUSY_TIMEOUT", 0.01)
    prepare(path)
    assert [event for event, _ in complaints] == ["database_rewritten", "database_not_rewritten"]
    other.execute("ROLLBACK")
    other.close()


async def test_what_is_deleted_is_overwritten_however_sqlite_was_built(database: SqliteDatabase) -> None:
    assert database._connection.execute("PRAGMA secure_delete").fetchone()[0] == 1


# Whether they are there


async def _answer(turn: Turn) -> AsyncIterator[str]:
    yield "so"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ThreadServer]:
    with serving(tmp_path, [workflow("wf_test")(_answer)], sweep_interval=3600, lease=3600) as running:
        yield running


def ready(server: ThreadServer) -> int:
    """What `/readyz` answers."""
    response = server.backend.http.get("/readyz")
    if response.status_code == 503:
        assert response.json()["error"]["code"] == "storage_unavailable"
        assert int(response.headers["retry-after"]) > 0
    return response.status_code


def test_a_database_that_takes_no_writes_makes_the_server_unready(
    server: ThreadServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CHECKED_SECONDS", 0)
    assert ready(server) == 200
    connection = server.world.database._connection  # type: ignore[attr-defined]
    connection.execute("PRAGMA query_only = 1")
    assert ready(server) == 503
    connection.execute("PRAGMA query_only = 0")
    assert ready(server) == 200


def test_a_write_that_just_failed_makes_the_server_unready_at_once(server: ThreadServer) -> None:
    chat = server.backend.chat()
    assert ready(server) == 200
    server.world.database._connection.execute("PRAGMA query_only = 1")  # type: ignore[attr-defined]
    with pytest.raises(ApiFailure):
        chat.create()
    assert ready(server) == 503


def test_asking_often_writes_nothing(server: ThreadServer) -> None:
    server.backend.chat().create()
    connection = server.world.database._connection  # type: ignore[attr-defined]
    before = connection.total_changes
    assert [ready(server) for _ in range(20)] == [200] * 20
    assert connection.total_changes == before


def test_a_writer_that_is_stuck_makes_the_server_unready(server: ThreadServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "CHECKED_SECONDS", 0)
    monkeypatch.setattr(sqlite, "CHECK_TIMEOUT", 0.05)
    free = threading.Event()

    async def sticks(_: Tx) -> None:
        free.wait()

    async def submit() -> None:
        server.world.database.submit(sticks)

    server.call(submit)
    try:
        assert ready(server) == 503
    finally:
        free.set()
    eventually(lambda: ready(server) == 200)


@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("what", ["deleted", "replaced"])
def test_a_file_that_is_gone_is_missed_and_nothing_is_stored_beside_it(
    server: ThreadServer, path: Path, complaints: list[tuple[str, dict[str, Any]]], what: str, suffix: str
) -> None:
    chat = server.backend.chat()
    turn = chat.create("before")
    file = Path(f"{path}{suffix}")
    away = file.with_name("away")
    file.rename(away)
    if what == "replaced":
        file.write_bytes(b"")
    assert [ready(server), ready(server)] == [503, 503]
    with pytest.raises(ApiFailure) as refused:
        chat.create("lost otherwise")
    assert (refused.value.status, refused.value.error["code"]) == (503, "storage_unavailable")
    assert str(path) not in refused.value.response.text
    assert len(chat.items(turn.thread_id)) == 2, "what is there can still be read"
    ((event, said),) = complaints
    assert (event, said["file"], said["was"]) == ("database_file_gone", str(file), what)
    away.rename(file)
    assert chat.send(turn.thread_id, "after").outcome == "completed"
    assert ready(server) == 200


async def test_nothing_is_written_to_a_file_that_is_gone(database: SqliteDatabase, path: Path) -> None:
    os.unlink(path)
    with pytest.raises(Unavailable):
        await database.write(items("t", 1, 10))
    with pytest.raises(Unavailable):
        await database.shrink()
    assert await count(database) == 0
