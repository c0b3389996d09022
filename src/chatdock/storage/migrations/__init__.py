"""Alembic's home. A new database gets today's tables at once; an older one is upgraded step by step."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.schema import CreateIndex, CreateTable

from chatdock.storage.database import UnusableDatabase
from chatdock.storage.schema import metadata

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy.engine.interfaces import Dialect

HEAD = "0006"
"""The newest revision; a test holds it against the files beside this one."""


def version_of(connection: sqlite3.Connection) -> str | None:
    """The database's revision; None when it is empty."""
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "alembic_version" in tables:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    if tables:
        raise UnusableDatabase("the database holds tables of something else; name another file")
    return None


def create(connection: sqlite3.Connection, dialect: Dialect) -> None:
    """Today's tables in an empty database, without importing Alembic, which takes half a second."""
    statements: list[Any] = []
    for table in metadata.sorted_tables:
        statements.append(CreateTable(table))
        statements.extend(CreateIndex(index) for index in sorted(table.indexes, key=lambda index: index.name or ""))
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version_of(connection) is None:  # another process may have been faster
            for statement in statements:
                connection.execute(str(statement.compile(dialect=dialect)))
            connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
            connection.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(Exception):
            connection.execute("ROLLBACK")
        raise


def upgrade(url: str, version: str) -> None:
    """Run the migrations from `version` to the newest."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version not in known:
        raise UnusableDatabase(f"the database has revision {version}, which this version of Chatdock does not know")
    command.upgrade(config, "head")
