"""From a database URL to an open database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from chatdock.storage.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from chatdock.storage.database import Database


class DatabaseUrlError(ValueError):
    """The database URL cannot be used; the message says why."""


def parse_url(url: str) -> URL:
    """The parsed database URL, of a dialect that this version can open."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseUrlError("the database URL is malformed; for example sqlite:///./chatdock.db") from None
    if parsed.get_backend_name() != "sqlite":
        raise DatabaseUrlError(f"{parsed.get_backend_name()!r} databases are not supported yet; use sqlite:///path")
    if not parsed.database or parsed.database == ":memory:":
        raise DatabaseUrlError("the database must be a file: sqlite:///relative or sqlite:////absolute")
    return parsed


async def open_database(url: str) -> Database:
    """Open the database, creating or upgrading its tables."""
    return await SqliteDatabase.open(parse_url(url))
