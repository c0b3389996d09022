"""SQLite: one writer thread with group commit, readers on their own connections.

Whatever was queued while the last commit ran to disk goes into the next one: at 100 streams that is one fsync for many
appends. WAL lets readers go on meanwhile; `synchronous=FULL` makes a commit survive a power cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import queue
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from sqlalchemy import text

from chatdock.errors import Unavailable
from chatdock.storage.database import Statement
from chatdock.storage.sqlite_files import BUSY_TIMEOUT, DIALECT, Files, Lock, connect, prepare, unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from sqlalchemy import URL

    from chatdock.storage.database import Op, Row, Tx

T = TypeVar("T")
log = structlog.get_logger("chatdock.storage")

MAX_GROUP = 256
READERS = 2
SPARE_PAGES = 1024
"""How many free pages stay in the file for what comes next; giving them back and taking them again costs more."""
SHRINK_PAGES = 256
READERS_AWAITED_MILLISECONDS = 20
"""How long the writer waits for readers when the log is to be emptied; after it there is another time."""
CHECKED_SECONDS = 5.0
"""How long the outcome of the last write tells whether there can be another."""
CHECK_TIMEOUT = 2.0

_REWRITE_VERSION = Statement(text("UPDATE alembic_version SET version_num = version_num"))
_UNAVAILABLE = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN")


class SqliteTx:
    """A transaction on one connection. Its methods never suspend."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _execute(self, statement: Statement, parameters: dict[str, Any]) -> sqlite3.Cursor:
        if statement.compiled is None:
            compiled = statement.clause.compile(dialect=DIALECT)
            fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
            statement.compiled = str(compiled), fixed
        sql, defaults = statement.compiled
        return self._connection.execute(sql, {**defaults, **parameters} if defaults else parameters)

    async def one(self, statement: Statement, **parameters: Any) -> Row | None:
        """The first row, or None."""
        row: Row | None = self._execute(statement, parameters).fetchone()
        return row

    async def all(self, statement: Statement, **parameters: Any) -> Sequence[Row]:
        """Every row."""
        return self._execute(statement, parameters).fetchall()

    async def each(self, statement: Statement, take: Callable[[Row], bool], **parameters: Any) -> bool:
        """Give `take` one row after the other, until it returns False; whether it took every one."""
        return all(map(take, self._execute(statement, parameters)))

    async def run(self, statement: Statement, **parameters: Any) -> int:
        """Execute for effect; returns the number of rows that changed."""
        return self._execute(statement, parameters).rowcount


def _drive(op: Op[T], tx: SqliteTx) -> T:
    """Run an operation to its end, here and now."""
    try:
        op(tx).__await__().__next__()
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise RuntimeError("a storage operation awaited something other than its transaction")


class _Queued:
    __slots__ = ("future", "op", "result")

    def __init__(self, op: Op[Any], future: asyncio.Future[Any]) -> None:
        self.op = op
        self.future = future
        self.result: Any = None


class _Upkeep:
    """What the writer does between two transactions."""

    __slots__ = ("future", "result", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], Any], future: asyncio.Future[Any]) -> None:
        self.work = work
        self.future = future
        self.result: Any = None


class SqliteDatabase:
    """A database file and the process that writes it."""

    def __init__(self, path: Path, lock: Lock) -> None:
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Queued | _Upkeep | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_forever, name="chatdock-writer", daemon=True)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="chatdock-reader")
        self._connection = connect(path)
        # All at once, since who connects later may find another file there.
        self._reader_connections = [connect(path) for _ in range(READERS)]
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        for connection in self._reader_connections:
            connection.execute("PRAGMA query_only=1")
            self._idle.put(connection)
        self._files = Files(path)
        self._outcome: tuple[float, Exception | None] = (-math.inf, None)
        self._closed = False

    @classmethod
    async def open(cls, url: URL) -> SqliteDatabase:
        """Open the file, create or upgrade its tables, start the writer."""
        path = Path.cwd() / (url.database or "")
        await asyncio.to_thread(prepare, path)
        database = cls(path, await asyncio.to_thread(Lock, path))
        database._writer.start()
        return database

    async def write(self, op: Op[T]) -> T:
        """Queue `op` for the next commit and wait until it is on disk."""
        return await self.submit(op)

    def submit(self, op: Op[T]) -> asyncio.Future[T]:
        """Queue `op` for the next commit."""
        future: asyncio.Future[T] = self._loop.create_future()
        if self._closed:
            future.set_exception(_stopping())
        else:
            self._queue.put(_Queued(op, future))
        return future

    async def check(self) -> None:
        """`Unavailable` when nothing can be stored: what the last few seconds showed, or a small write does now."""
        self._files.check()
        at, error = self._outcome
        if time.monotonic() - at < CHECKED_SECONDS:
            if error is not None:
                raise error
            return
        try:
            await asyncio.wait_for(self.write(_touch), CHECK_TIMEOUT)
        except TimeoutError:
            raise unavailable() from None

    async def shrink(self) -> bool:
        """Give a little of the space that is free back to the file system; whether there is more."""
        return await self._between(_shrink)

    async def settle(self) -> bool:
        """Move what was committed to its place, so that no log holds what was deleted since; False when others read."""
        return await self._between(_settle)

    async def _between(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Let the writer do this on its connection, outside of transactions."""
        future: asyncio.Future[T] = self._loop.create_future()
        if self._closed:
            raise _stopping()
        self._queue.put(_Upkeep(work, future))
        return await future

    async def read(self, op: Op[T]) -> T:
        """Run `op` in a read transaction on a reader thread."""
        return await self._loop.run_in_executor(self._readers, self._read, op)

    async def close(self) -> None:
        """Commit what is queued, stop the threads, close the connections."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._readers.shutdown)
        for connection in (*self._reader_connections, self._connection):
            connection.close()
        self._lock.release()

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        """Whether no other process has the database open; if so, none can open it inside the block."""
        alone = await asyncio.to_thread(self._lock.take)
        try:
            yield alone
        finally:
            self._lock.share()

    def _read(self, op: Op[T]) -> T:
        connection = self._idle.get()
        try:
            connection.execute("BEGIN")
            try:
                return _drive(op, SqliteTx(connection))
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise _translate(error) from error
        finally:
            self._idle.put(connection)

    def _write_forever(self) -> None:
        tx = SqliteTx(self._connection)
        stopping = False
        while not stopping:
            group: list[_Queued] = []
            upkeep: _Upkeep | None = None
            entry = self._queue.get()
            while True:
                if entry is None:
                    stopping = True
                    break
                if isinstance(entry, _Upkeep):
                    upkeep = entry
                    break
                group.append(entry)
                if len(group) >= MAX_GROUP:
                    break
                try:
                    entry = self._queue.get_nowait()
                except queue.Empty:
                    break
            if group:
                self._commit(group, tx)
            if upkeep is not None:
                self._keep_up(upkeep)

    def _commit(self, group: list[_Queued], tx: SqliteTx) -> None:
        """Commit a group. An operation that raises is taken out and the others are run again without it."""
        failed: list[tuple[_Queued | _Upkeep, Exception]] = []
        while group:
            current: _Queued | None = None
            changes = self._connection.total_changes
            try:
                self._files.check()
                self._connection.execute("BEGIN IMMEDIATE")
                for current in group:
                    current.result = _drive(current.op, tx)
                current = None
                self._connection.execute("COMMIT")
            except Exception as error:
                self._rollback()
                cause = _translate(error) if isinstance(error, sqlite3.Error) else error
                if current is None or isinstance(cause, Unavailable):
                    self._outcome = time.monotonic(), cause
                    if not isinstance(error, Unavailable):  # that is told when the files are missed
                        with contextlib.suppress(OSError):  # a full disk takes no log lines either
                            log.error("write_failed", error=error, operations=len(group))
                    failed += [(entry, cause) for entry in group]
                    break
                failed.append((current, cause))
                group = [entry for entry in group if entry is not current]
            else:
                if self._connection.total_changes > changes:  # a commit of nothing shows nothing
                    self._outcome = time.monotonic(), None
                self._tell(group, failed)
                return
        self._tell([], failed)

    def _keep_up(self, upkeep: _Upkeep) -> None:
        try:
            self._files.check()
            upkeep.result = upkeep.work(self._connection)
        except Exception as error:
            cause = _translate(error) if isinstance(error, sqlite3.Error) else error
            self._tell([], [(upkeep, cause)])
        else:
            self._tell([upkeep], [])

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _tell(self, done: Sequence[_Queued | _Upkeep], failed: Sequence[tuple[_Queued | _Upkeep, Exception]]) -> None:
        def tell() -> None:
            for entry in done:
                if not entry.future.done():
                    entry.future.set_result(entry.result)
            for entry, error in failed:
                if not entry.future.done():
                    entry.future.set_exception(error)

        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
            self._loop.call_soon_threadsafe(tell)


def _shrink(connection: sqlite3.Connection) -> bool:
    before = _free_pages(connection)
    if before <= SPARE_PAGES:
        return False
    # A script, since `execute()` stops this after its first page.
    connection.executescript(f"PRAGMA incremental_vacuum({min(SHRINK_PAGES, before - SPARE_PAGES)})")
    return SPARE_PAGES < _free_pages(connection) < before


def _free_pages(connection: sqlite3.Connection) -> int:
    pages: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return pages


def _settle(connection: sqlite3.Connection) -> bool:
    connection.execute(f"PRAGMA busy_timeout={READERS_AWAITED_MILLISECONDS}")
    try:
        held_up, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not held_up
    finally:
        connection.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT * 1000)}")


async def _touch(tx: Tx) -> None:
    """Write the smallest thing there is, as it was."""
    await tx.run(_REWRITE_VERSION)


def _stopping() -> Unavailable:
    return Unavailable("The server is stopping.", code="server_stopping", retry_after=5)


def _translate(error: sqlite3.Error) -> Exception:
    name = getattr(error, "sqlite_errorname", None) or ""
    return unavailable() if name.startswith(_UNAVAILABLE) else error
