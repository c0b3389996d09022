"""The database as the rest of the house sees it: transactions to write in, transactions to read in.

An operation is `async def op(tx)`; it awaits nothing but its transaction. So the same operation runs on SQLite, where
the writer thread drives it to its end without ever suspending, and on a server that answers over a socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class UnusableDatabase(Exception):
    """The database cannot be opened; the message says why."""


class Row(Protocol):
    """A record; columns by name."""

    def __getitem__(self, column: str, /) -> Any:
        """The column's value."""
        ...


class Statement:
    """An SQLAlchemy Core statement, compiled once for each dialect and then executed by the driver itself.

    SQLAlchemy's own execution costs 40 to 60 µs a statement; a turn needs five.
    """

    __slots__ = ("clause", "compiled")

    def __init__(self, clause: Any) -> None:
        self.clause = clause
        self.compiled: tuple[str, dict[str, Any]] | None = None


class Tx(Protocol):
    """A transaction. Parameters go by name."""

    async def one(self, statement: Statement, **parameters: Any) -> Row | None:
        """The first row, or None."""
        ...

    async def all(self, statement: Statement, **parameters: Any) -> Sequence[Row]:
        """Every row."""
        ...

    async def each(self, statement: Statement, take: Callable[[Row], bool], **parameters: Any) -> bool:
        """Give `take` one row after the other, until it returns False; whether it took every one."""
        ...

    async def run(self, statement: Statement, **parameters: Any) -> int:
        """Execute for effect; returns the number of rows that changed."""
        ...


Op = Callable[[Tx], Awaitable[T]]


class Database(Protocol):
    """One schema, any dialect."""

    async def write(self, op: Op[T]) -> T:
        """Run `op` in a transaction and return once it is committed, to disk.

        An exception from `op` rolls back that operation alone. `Unavailable` when the database takes no writes.
        An operation may be run again before its commit, so it has no other effects than through its transaction.
        """
        ...

    def submit(self, op: Op[T]) -> asyncio.Future[T]:
        """The same without waiting; the future's result or exception is the operation's."""
        ...

    async def read(self, op: Op[T]) -> T:
        """Run `op` on one consistent snapshot."""
        ...

    async def check(self) -> None:
        """`Unavailable` when nothing can be stored: what the last few seconds showed, or a small write does now."""
        ...

    async def shrink(self) -> bool:
        """Give a little of the space that is free back to the file system; whether there is more."""
        ...

    async def settle(self) -> bool:
        """Move what was committed to its place, so that no log holds what was deleted since; False when others read."""
        ...

    def alone(self) -> AbstractAsyncContextManager[bool]:
        """Whether no other process has the database open; if so, none can open it inside the block."""
        ...

    async def close(self) -> None:
        """Finish what is queued and let go of the files."""
        ...
