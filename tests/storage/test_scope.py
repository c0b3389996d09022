"""Every statement on what belongs to users names whose it means: a project, or a thread or run found through one."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

from sqlalchemy.dialects import sqlite

from chatdock import storage
from chatdock.storage import threads
from chatdock.storage.database import Statement

OWNERS = r"(project_id|thread_id|run_id|trace_id|secret_hash|hash|scope) = :"
"""A condition on one of these columns: a project's, a thread's, a run's, a trace's, or the hash of a credential's."""

BY_ID_ALONE = {
    # Of a thread that its caller has found in a scope, or has just made.
    "threads._PLACE", "threads._EXISTS", "threads._FOLLOW", "threads._TITLE", "threads._SAVE", "threads._RENAME",
    "threads._STATE", "threads._DELETES", "items._NEXT",
    # Of a run that this server executes or takes over, with its fence, or whose thread its caller compares.
    "runs._BY_ID", "runs._TAKE_OVER", "runs._APPEND", "runs._STILL_MINE", "runs._END", "runs._HEARTBEAT",
    "sessions._RUNNING", "traces._ADD_TRACE", "traces._CHANGE_TRACE", "traces._ADD_SPAN",
    # Unique over all projects: an attachment's id is taken or not, whoever has it.
    "attachments._EXISTS", "attachments._UPLOADED",
}  # fmt: skip
OF_THE_OPERATOR = {"keys._LIST", "keys._REVOKE"}
"""Asked by commands on the machine, which belong to whoever owns the file."""
OF_THE_HOUSE = {
    "attachments._REMOVE_UNSENT", "idempotency._FORGET", "runs._ORPHANS", "runs._ALL_FOREIGN", "runs._QUEUED",
    "runs._COMPACT", "runs._FORGET", "runs._FORGET_FRAMES", "sessions._FORGET", "sessions._FORGET_KEYS",
    "traces._FORGET", "traces._FORGET_SPANS",
}  # fmt: skip
"""Sweeps and recovery: their rows reach no client."""


def statements() -> Iterator[tuple[str, str]]:
    """Every statement of the rooms' modules by its name, as SQL."""
    dialect = sqlite.dialect(paramstyle="named")
    for module in pkgutil.iter_modules(storage.__path__):
        if module.name == "migrations":
            continue
        for name, value in vars(importlib.import_module(f"chatdock.storage.{module.name}")).items():
            for statement in value if isinstance(value, list) else [value]:
                if isinstance(statement, Statement):
                    yield f"{module.name}.{name}", str(statement.clause.compile(dialect=dialect))


def test_no_statement_lacks_whose_it_means_but_those_that_are_named_here() -> None:
    unscoped = {
        name for name, sql in statements() if "WHERE" in sql or sql.startswith("SELECT") if not re.search(OWNERS, sql)
    }
    unscoped.discard("threads._DELETES")  # some of them name the thread as `id`
    listed = BY_ID_ALONE | OF_THE_OPERATOR | OF_THE_HOUSE
    assert unscoped - listed == set(), "these statements reach rows of any project or user"
    assert listed - unscoped - {"threads._DELETES"} == set(), "these need not be listed any more"


def test_threads_are_found_by_project_and_user_alone() -> None:
    for shape in [(False, False, False), (True, False, False), (True, True, False), (True, True, True)]:
        made = [
            threads._by_id(*shape),
            *(threads._page("asc", *page, True, *shape) for page in [(False, True), (True, False)]),
        ]
        for statement in made:
            sql = str(statement.clause.compile(dialect=sqlite.dialect(paramstyle="named")))
            assert "thread.project_id = :project" in sql
            assert ("thread.user_id = :user" in sql) is shape[0]
            assert ("thread.session_id = :session" in sql) is shape[1]
