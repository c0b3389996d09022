"""SQLite: one writer thread with group commit, readers on their own connections.

Whatever was queued while the last commit ran to disk goes into the next one: at 100 streams that is one fsync for many
appends. WAL lets readers go on meanwhile; `synchronous=FULL` makes a commit survive a power cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import queue
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from sqlalchemy.dialects import sqlite as dialect

from chatdock.errors import Unavailable
from chatdock.storage import migrations
from chatdock.storage.database import UnusableDatabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from io import TextIOWrapper

    from sqlalchemy import URL

    from chatdock.storage.database import Op, Row, Statement

T = TypeVar("T")
log = structlog.get_logger("chatdock.storage")

BUSY_TIMEOUT = 10.0
MAX_GROUP = 256
READERS = 2

_DIALECT = dialect.dialect(paramstyle="named")
_UNAVAILABLE = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN")


class SqliteTx:
    """A transaction on one connection. Its methods never suspend."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _execute(self, statement: Statement, parameters: dict[str, Any]) -> sqlite3.Cursor:
        if statement.compiled is None:
            compiled = statement.clause.compile(dialect=_DIALECT)
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


class SqliteDatabase:
    """A database file and the process that writes it."""

    def __init__(self, path: Path, lock: _Lock) -> None:
        self._path = path
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Queued | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_forever, name="chatdock-writer", daemon=True)
        self._reader = threading.local()
        self._reader_connections: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="chatdock-reader")
        self._connection = _connect(path)
        self._closed = False

    @classmethod
    async def open(cls, url: URL) -> SqliteDatabase:
        """Open the file, create or upgrade its tables, start the writer."""
        path = Path.cwd() / (url.database or "")
        await asyncio.to_thread(prepare, path)
        database = cls(path, await asyncio.to_thread(_Lock, path))
        database._writer.start()
        return database

    async def write(self, op: Op[T]) -> T:
        """Queue `op` for the next commit and wait until it is on disk."""
        return await self.submit(op)

    def submit(self, op: Op[T]) -> asyncio.Future[T]:
        """Queue `op` for the next commit."""
        future: asyncio.Future[T] = self._loop.create_future()
        if self._closed:
            future.set_exception(Unavailable("The server is stopping.", code="server_stopping", retry_after=5))
        else:
            self._queue.put(_Queued(op, future))
        return future

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
        connection: sqlite3.Connection | None = getattr(self._reader, "connection", None)
        try:
            if connection is None:
                connection = self._reader.connection = _connect(self._path)
                connection.execute("PRAGMA query_only=1")
                self._reader_connections.append(connection)
            connection.execute("BEGIN")
            try:
                return _drive(op, SqliteTx(connection))
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise _translate(error) from error

    def _write_forever(self) -> None:
        tx = SqliteTx(self._connection)
        stopping = False
        while not stopping:
            group: list[_Queued] = []
            entry = self._queue.get()
            while True:
                if entry is None:
                    stopping = True
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

    def _commit(self, group: list[_Queued], tx: SqliteTx) -> None:
        """Commit a group. An operation that raises is taken out and the others are run again without it."""
        failed: list[tuple[_Queued, Exception]] = []
        while group:
            current: _Queued | None = None
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                for current in group:
                    current.result = _drive(current.op, tx)
                current = None
                self._connection.execute("COMMIT")
            except Exception as error:
                self._rollback()
                cause = _translate(error) if isinstance(error, sqlite3.Error) else error
                if current is None or isinstance(cause, Unavailable):
                    with contextlib.suppress(OSError):  # a full disk takes no log lines either
                        log.error("write_failed", error=error, operations=len(group))
                    failed += [(entry, cause) for entry in group]
                    break
                failed.append((current, cause))
                group = [entry for entry in group if entry is not current]
            else:
                self._settle(group, failed)
                return
        self._settle([], failed)

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _settle(self, done: list[_Queued], failed: list[tuple[_Queued, Exception]]) -> None:
        def settle() -> None:
            for entry in done:
                if not entry.future.done():
                    entry.future.set_result(entry.result)
            for entry, error in failed:
                if not entry.future.done():
                    entry.future.set_exception(error)

        with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
            self._loop.call_soon_threadsafe(settle)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def _translate(error: sqlite3.Error) -> Exception:
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(_UNAVAILABLE):
        return Unavailable(
            "The server cannot store anything at the moment. Nothing was changed; try again later.",
            code="storage_unavailable",
            retry_after=5,
        )
    return error


class _Lock:
    """A lock on the file beside the database, by which a process knows whether it is alone.

    Every process that opened the database shares it, and the kernel lets go of it when one dies, however it dies. So
    who gets it alone knows that every live run in the database has lost its owner.
    """

    def __init__(self, path: Path) -> None:
        self._file: TextIOWrapper | None = None
        with contextlib.suppress(OSError):  # a folder that takes no file: leases tell who lives
            self._file = open(f"{path}.lock", "w")  # noqa: SIM115 - held as long as the database is open
        self.share()

    def take(self) -> bool:
        """Have it alone; False, and share it, when others have it too."""
        if self._file is None:
            return False
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.share()  # trying let go of the share
            return False
        return True

    def share(self) -> None:
        """Have it with others; waits while one of them has it alone, which is for the moment of its start."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_SH)

    def release(self) -> None:
        """Let go."""
        if self._file is not None:
            self._file.close()


def prepare(path: Path) -> None:
    """Create the tables of a new database, or bring those of an older version up to date."""
    if not path.parent.is_dir():
        raise UnusableDatabase(f"the folder of the database does not exist: {path.parent}")
    try:
        _prepare(path)
    except sqlite3.Error as error:
        raise UnusableDatabase(f"{path} cannot be used: {error}") from error


def _prepare(path: Path) -> None:
    connection = _connect(path)
    try:
        version = migrations.version_of(connection)
        if version is None:
            migrations.create(connection, _DIALECT)
        elif version != migrations.HEAD:
            connection.close()
            migrations.upgrade(f"sqlite:///{path}", version)
    finally:
        connection.close()
