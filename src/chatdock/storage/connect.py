"""From a database URL to an open database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from chatdock.storage.database import UnusableDatabase
from chatdock.storage.sqlite import SqliteDatabase
from chatdock.storage.sqlite_files import prepare

if TYPE_CHECKING:
    from chatdock.storage.database import Database


def parse_url(url: str) -> URL:
    """The parsed database URL, of a dialect that this version can open."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UnusableDatabase("the database URL is malformed; for example sqlite:///./chatdock.db") from None
    if parsed.get_backend_name() != "sqlite":
        raise UnusableDatabase(f"{parsed.get_backend_name()!r} databases are not supported yet; use sqlite:///path")
    if not parsed.database or parsed.database == ":memory:":
        raise UnusableDatabase("the database must be a file: sqlite:///relative or sqlite:////absolute")
    return parsed


def path_of(url: str) -> Path:
    """The database's file."""
    return Path.cwd() / (parse_url(url).database or "")


def is_there(url: str) -> bool:
    """Whether the database has been made."""
    return path_of(url).exists()


async def open_database(url: str) -> Database:
    """Open the database, creating or upgrading its tables."""
    return await SqliteDatabase.open(parse_url(url))


def prepare_database(url: str) -> None:
    """Create or upgrade the tables before anything else is started; `UnusableDatabase` says what is wrong."""
    prepare(path_of(url))
