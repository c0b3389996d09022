"""The files of an SQLite database: made, opened, locked, and watched while they are open."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.dialects import sqlite as dialect

from chatdock.errors import Unavailable
from chatdock.storage import migrations
from chatdock.storage.database import UnusableDatabase

if TYPE_CHECKING:
    from io import TextIOWrapper

log = structlog.get_logger("chatdock.storage")

BUSY_TIMEOUT = 10.0
LOG_BYTES = 4 * 1024 * 1024
"""What the write-ahead log is cut to after a transaction that was larger."""
DIALECT = dialect.dialect(paramstyle="named")
_INCREMENTAL = 2


def connect(path: Path) -> sqlite3.Connection:
    """A connection that commits to disk, leaves nothing of what it deletes, and is used from any thread."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # before the first page is written; later it takes a VACUUM
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA journal_size_limit={LOG_BYTES}")
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA temp_store=MEMORY")
    return connection


def unavailable() -> Unavailable:
    """The answer while nothing can be stored."""
    return Unavailable(
        "The server cannot store anything at the moment. Nothing was changed; try again later.",
        code="storage_unavailable",
        retry_after=5,
    )


class Files:
    """The database and its log, as they were opened.

    SQLite goes on with a file that was deleted, or that another one was put in the place of: all that it stores is gone
    when the process ends. So nothing is stored then.
    """

    def __init__(self, path: Path) -> None:
        found = {name: _identity(name) for name in (str(path), f"{path}-wal")}
        self._opened = {name: identity for name, identity in found.items() if identity is not None}
        self._complained = False

    def check(self) -> None:
        """`Unavailable` when one of them is not there any more; says so in the log, once."""
        for name, opened in self._opened.items():
            found = _identity(name)
            if found != opened:
                self._complain(name, "deleted" if found is None else "replaced")
                raise unavailable()
        self._complained = False

    def _complain(self, name: str, what: str) -> None:
        if not self._complained:
            self._complained = True
            with contextlib.suppress(OSError):
                log.error("database_file_gone", file=name, was=what, advice="put it back, or start the server anew")


def _identity(name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Lock:
    """A lock on the file beside the database, by which a process knows whether it is alone.

    Every process that opened the database shares it, and the kernel lets go of it when one dies, however it dies. So
    who gets it alone knows that every live run in the database has lost its owner.
    """

    def __init__(self, path: Path) -> None:
        self._file: TextIOWrapper | None = None
        with contextlib.suppress(OSError):  # a folder that takes no file: leases tell who lives
            self._file = open(f"{path}.lock", "w", opener=_private)  # noqa: SIM115 - held as long as the database is
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


def _private(name: str, flags: int) -> int:
    """Open a file that nobody else may read, if it is made by this."""
    return os.open(name, flags, 0o600)


def prepare(path: Path) -> None:
    """Create the tables of a new database, or bring those of an older version up to date.

    A new file is its owner's alone, and so are those that SQLite puts beside it.
    """
    if not path.parent.is_dir():
        raise UnusableDatabase(f"the folder of the database does not exist: {path.parent}")
    with contextlib.suppress(OSError):  # it is there already, or SQLite will say what is wrong
        os.close(_private(str(path.resolve()), os.O_CREAT | os.O_EXCL | os.O_RDWR))
    try:
        _prepare(path)
        _make_shrinkable(path)
    except sqlite3.Error as error:
        raise UnusableDatabase(f"{path} cannot be used: {error}") from error


def _prepare(path: Path) -> None:
    connection = connect(path)
    try:
        version = migrations.version_of(connection)
        if version is None:
            migrations.create(connection, DIALECT)
        elif version != migrations.HEAD:
            connection.close()
            migrations.upgrade(f"sqlite:///{path}", version)
    finally:
        connection.close()


def _make_shrinkable(path: Path) -> None:
    """Rewrite a database from before files gave space back. Where that is not possible it stays as it is."""
    connection = connect(path)
    try:
        if connection.execute("PRAGMA auto_vacuum").fetchone()[0] == _INCREMENTAL:
            return
        log.info("database_rewritten", why="so that it can shrink; this is done once")
        connection.execute("PRAGMA temp_store=FILE")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        log.warning("database_not_rewritten", error=error)
    finally:
        connection.close()
