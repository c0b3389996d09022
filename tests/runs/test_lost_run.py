"""A run that is not this server's any more is written into by nobody here, and nobody is shown what was not stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    Page,
    Thread,
    ThreadItemDoneEvent,
    ThreadUpdatedEvent,
)

from chatdock.protocol import ids
from chatdock.workflows.workflow import Emitted
from tests.harness.client import Json
from tests.harness.server import ThreadServer, eventually, serving
from tests.runs.stage import Stage
from tests.runs.wire import creating

TAKEN_OVER = "UPDATE run SET fence = fence + 1 WHERE id = ?"
ENDED = "UPDATE run SET status = 'failed' WHERE id = ?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lost")


@pytest.fixture(scope="module")
def server(folder: Path, stage: Stage) -> Iterator[ThreadServer]:
    # A lease that nobody renews within the test, so that the append alone finds out.
    with serving(folder, [stage.workflow], lease=600, sweep_interval=600) as running:
        yield running


@pytest.mark.parametrize("lost", [TAKEN_OVER, ENDED], ids=["taken over", "ended"])
@pytest.mark.parametrize("what", ["text", "item", "thread"])
def test_nothing_is_stored_or_shown_of_a_run_that_was_lost(
    server: ThreadServer, stage: Stage, folder: Path, text: str, lost: str, what: str
) -> None:
    chat = server.backend.chat(user=text)
    reader = creating(chat, text)
    stage.say(text, "before ")
    turn = reader.wait_for(lambda turn: turn.text == "before ")
    thread_id, run_id, shown = turn.thread_id, turn.run_id, reader.received
    thread = chat.call("threads.get_by_id", thread_id=thread_id)
    _execute(folder, lost, run_id)
    stored = _rows(folder, run_id, thread_id)
    stage.say(text, _line(what, thread))
    eventually(lambda: stage.is_closed(text), what="the end of the workflow")
    reader.wait()
    assert reader.received == shown
    assert _rows(folder, run_id, thread_id) == stored
    _execute(folder, "DELETE FROM run WHERE id = ?", run_id)  # nobody is left who could end it


def test_deleting_a_thread_stops_what_answers_in_it(server: ThreadServer, stage: Stage, text: str) -> None:
    for way in ("protocol", "REST"):
        said = f"{text} {way}"
        chat = server.backend.chat(user=said)
        reader = creating(chat, said)
        stage.say(said, "before ")
        thread_id = reader.wait_for(lambda turn: turn.text == "before ").thread_id
        if way == "protocol":
            chat.call("threads.delete", thread_id=thread_id)
        else:
            server.backend.delete(f"threads/{thread_id}")
        eventually(lambda said=said: stage.is_closed(said), what="the end of the workflow")  # type: ignore[misc]
        reader.wait()


def _line(what: str, thread: Json) -> Emitted:
    """What a workflow yields too late."""
    if what == "text":
        return "after"
    if what == "thread":
        renamed = {**thread, "title": "A name from the grave", "items": Page()}
        return ThreadUpdatedEvent(thread=Thread.model_validate(renamed))
    content = [AssistantMessageContent(text="after")]
    item = AssistantMessageItem(id=ids.item_id(), thread_id=thread["id"], created_at=datetime.now(UTC), content=content)
    return ThreadItemDoneEvent(item=item)


def _execute(folder: Path, statement: str, run_id: str) -> None:
    """Change the run as another process would."""
    with closing(sqlite3.connect(folder / "chatdock.db")) as database, database:
        database.execute(statement, (run_id,))


def _rows(folder: Path, run_id: str, thread_id: str) -> list[Any]:
    """What is stored of the run and its thread."""
    with closing(sqlite3.connect(folder / "chatdock.db")) as database:
        return [
            database.execute(f"SELECT * FROM {table} WHERE {column} = ?", (value,)).fetchall()
            for table, column, value in [
                ("run", "id", run_id),
                ("frame", "run_id", run_id),
                ("item", "thread_id", thread_id),
                ("thread", "id", thread_id),
            ]
        ]
