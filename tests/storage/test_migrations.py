"""A new database and one that was upgraded from nothing are the same; what we do not know we do not touch."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from typer.testing import CliRunner

from chatdock.cli import app
from chatdock.storage import migrations
from chatdock.storage.sqlite_files import prepare

SCRIPTS = Path(migrations.__file__).parent


def config(path: Path) -> Config:
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS))
    made.set_main_option("sqlalchemy.url", f"sqlite:///{path}")
    return made


def described(path: Path) -> dict[str, Any]:
    """Every table and index: its statement in one spelling, its columns, its indexes."""
    connection = sqlite3.connect(path)
    try:
        found: dict[str, Any] = {}
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master"):
            if kind == "table":
                columns = connection.execute(f'PRAGMA table_info("{name}")').fetchall()
                indexes = [row[2:] for row in connection.execute(f'PRAGMA index_list("{name}")')]
                found[name] = (_columns(columns), sorted(indexes), "WITHOUT ROWID" in sql.upper())
            elif sql:
                found[name] = re.sub(r"[\s\"]+", " ", sql).replace("( ", "(").replace(" )", ")").lower()
        return found
    finally:
        connection.close()


def _columns(columns: list[Any]) -> list[Any]:
    return [(name, kind, not_null, default, key) for _, name, kind, not_null, default, key in columns]


def chatdock(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CHATDOCK_API_KEYS": "cdk_test"}
    return subprocess.run(
        [sys.executable, "-m", "chatdock", *arguments], capture_output=True, text=True, env=environment, timeout=60
    )


@pytest.fixture
def unknown(tmp_path: Path) -> Path:
    """A database that a newer version wrote."""
    path = tmp_path / "newer.db"
    prepare(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    return path


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A database of another program."""
    path = tmp_path / "foreign.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.execute("INSERT INTO recipes VALUES ('soup')")
    connection.commit()
    connection.close()
    return path


def test_a_new_database_equals_one_that_was_upgraded_from_nothing(tmp_path: Path) -> None:
    prepare(tmp_path / "created.db")
    command.upgrade(config(tmp_path / "upgraded.db"), "head")
    created, upgraded = described(tmp_path / "created.db"), described(tmp_path / "upgraded.db")
    assert created.keys() == upgraded.keys()
    for name, shape in created.items():
        assert upgraded[name] == shape, name
    assert {"thread", "item", "run", "frame", "run_live"} <= created.keys()


def test_a_database_of_the_first_version_is_brought_up_to_date_with_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "first.db"
    command.upgrade(config(path), "0001")
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO item VALUES ('cthr_1', 1, 'cti_1', 'end_of_turn', '{}')")
    connection.commit()
    connection.close()
    prepare(path)
    prepare(tmp_path / "created.db")
    assert described(path) == described(tmp_path / "created.db")
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT id FROM item").fetchall() == [("cti_1",)]
    connection.close()


def test_head_is_alembics_head(tmp_path: Path) -> None:
    scripts = ScriptDirectory.from_config(config(tmp_path / "none.db"))
    assert scripts.get_heads() == [migrations.HEAD]


def test_a_database_is_opened_as_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "again.db"
    prepare(path)
    before = described(path)
    prepare(path)
    assert described(path) == before


def test_the_command_makes_a_new_database_and_leaves_one_that_is_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "by_command.db"
    for _ in range(2):
        done = chatdock("db", "upgrade", "--database-url", f"sqlite:///{path}")
        assert done.returncode == 0, done.stderr
        assert "up to date" in done.stdout
    prepare(tmp_path / "created.db")
    assert described(path) == described(tmp_path / "created.db")


@pytest.mark.parametrize("command", [("db", "upgrade"), ("serve", "--port", "0")])
def test_a_database_of_a_newer_version_is_refused(unknown: Path, command: tuple[str, ...]) -> None:
    refused = chatdock(*_with_workflow(command, unknown), "--database-url", f"sqlite:///{unknown}")
    assert refused.returncode != 0
    assert "9999" in refused.stderr
    assert "does not know" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", [("db", "upgrade"), ("serve", "--port", "0")])
def test_a_database_of_something_else_is_refused_and_left_alone(foreign: Path, command: tuple[str, ...]) -> None:
    before = described(foreign)
    refused = chatdock(*_with_workflow(command, foreign), "--database-url", f"sqlite:///{foreign}")
    assert refused.returncode != 0
    assert "something else" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert described(foreign) == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, " * 1000)
    refused = chatdock("db", "upgrade", "--database-url", f"sqlite:///{path}")
    assert refused.returncode != 0
    assert "not a database" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert path.read_text().startswith("Dear reader, ")


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    refused = chatdock("db", "upgrade", "--database-url", f"sqlite:///{tmp_path}/missing/chat.db")
    assert refused.returncode != 0
    assert f"{tmp_path}/missing" in refused.stderr
    assert "Traceback" not in refused.stderr


def _with_workflow(command: tuple[str, ...], database: Path) -> list[str]:
    if command[0] != "serve":
        return list(command)
    target = database.with_suffix(".py")
    target.write_text("from chatdock import workflow\n@workflow('wf_test')\nasync def a(turn):\n    yield 'x'\n")
    return [command[0], str(target), *command[1:]]


def test_runs_of_an_older_database_learn_whose_they_are(tmp_path: Path) -> None:
    path = tmp_path / "older.db"
    command.upgrade(config(path), "0001")
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO thread (id, project_id, user_id, session_id, created_at, status, metadata, state, next_position) "
        "VALUES ('t', 'default', 'user_1', 's', 1, 'active', '{}', '{}', 1)"
    )
    connection.execute(
        "INSERT INTO run (id, thread_id, session_id, input, status, fence, last_sequence, cancel_requested, "
        "created_at) VALUES ('r', 't', 's', '{}', 'queued', 0, 1, 0, 1)"
    )
    connection.commit()
    command.upgrade(config(path), "head")
    assert connection.execute("SELECT project_id, user_id FROM run").fetchall() == [("default", "user_1")]
    connection.close()


@pytest.mark.parametrize(
    "arguments", [["keys", "list"], ["keys", "revoke", "key_1"], ["feedback"], ["traces"]], ids=" ".join
)
def test_what_only_looks_makes_no_database(tmp_path: Path, arguments: list[str]) -> None:
    url = f"sqlite:///{tmp_path}/chatdock.db"
    told = CliRunner().invoke(app, [*arguments, "--database-url", url])
    assert told.exit_code == 1
    assert told.stderr == f"chatdock: there is no database at {tmp_path}/chatdock.db\n"
    assert list(tmp_path.iterdir()) == []
