"""What was deleted is in none of the database's files any more, when somebody with the disk looks for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from chatkit import types
from chatkit.widgets import Card, Text

from chatdock import Turn, workflow
from chatdock.storage import attachments, traces
from chatdock.storage.threads import Scope
from chatdock.workflows.workflow import Emitted
from tests.harness.client import Chat, Json
from tests.harness.clock import StillClock
from tests.harness.server import ThreadServer, eventually, serving
from tests.runs.wire import creating

SECRET = "gone7Kq"
"""Stands in whatever a thread can hold."""
CHINESE = "不再存在的話"
USER = f"user-{SECRET}-Ada"
MINUTE, DAY = 60, 86_400
THREADS = 8


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def go() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def server(tmp_path: Path, clock: StillClock, go: asyncio.Event) -> Iterator[ThreadServer]:
    async def answer(turn: Turn) -> AsyncIterator[Emitted]:
        said = turn.text if turn.message else "an answer"
        turn.thread.title = f"title {said}"[:80]
        turn.thread.metadata = {"note": said}
        turn.state["remembered"] = said
        with turn.span("look up", said=said):
            yield f"You said {said}."
        if "hold" in said:
            await go.wait()
        shared: Json = {"thread_id": turn.thread.id, "created_at": turn.now()}
        hidden = types.HiddenContextItem(id=turn.new_id(), content=said, **shared)
        widget = types.WidgetItem(id=turn.new_id(), widget=Card(children=[Text(value=said)]), **shared)
        call = types.ClientToolCallItem(
            id=turn.new_id(), call_id="call_1", name="locate", arguments={"of": said}, **shared
        )
        for item in (hidden, widget, call):
            yield types.ThreadItemDoneEvent(item=item)

    target = workflow("wf_test")(answer)
    with serving(tmp_path, [target], clock=clock, sweep_interval=3600, trace_content=True) as running:
        yield running


def pass_(server: ThreadServer, clock: StillClock, seconds: float) -> None:
    """Let time pass, and the sweep come by until it has nothing to do."""
    clock.move(seconds)
    for _ in range(2):
        server.call(server.world.sweep.once)


def found(folder: Path, *words: str) -> list[str]:
    """Which words are in which file."""
    return [
        f"{word} in {file.name}"
        for file in sorted(folder.iterdir())
        for word in words
        if word.encode() in (content := file.read_bytes()) or word.encode("utf-16-le") in content
    ]


def fill(server: ThreadServer, user: str, chat: Chat, words: str) -> list[str]:
    """Threads with something of everything; returns their ids and those of their runs and items."""
    ids: list[str] = []
    for n in range(THREADS):
        said = f"{words} {n} " * (1 + 60 * (n % 7))
        turn = chat.create(said, headers={"idempotency-key": f"{words} {n}".encode().hex()})
        assert turn.outcome == "waiting"
        items = chat.items(turn.thread_id)
        chat.call("items.feedback", thread_id=turn.thread_id, item_ids=[items[-1]["id"]], kind="negative")
        ids += [turn.thread_id, turn.run_id, *(item["id"] for item in items)]
        _attach(server, user, turn.thread_id, words, n)
    return ids


def _attach(server: ThreadServer, user: str, thread_id: str, words: str, number: int) -> None:
    data = f'{{"id": "cfile_{number}", "name": "{words}.txt", "preview_url": "https://x.example/{words}"}}'
    scope = Scope("default", user_id=user)
    server.call(
        lambda: server.world.database.write(
            lambda tx: attachments.save(
                tx, scope, f"cfile_{words}_{number}", thread_id=thread_id, data=data, upload=None, now=1
            )
        )
    )


def traced(server: ThreadServer, thread_id: str) -> bool:
    """Whether the thread's trace is stored to its end."""
    rows = server.call(lambda: server.world.database.read(lambda tx: traces.of(tx, thread_id)))
    return [row["ended_at"] is not None for row in rows] == [True]


@pytest.mark.parametrize("by", ["the user", "the application"])
def test_nothing_of_a_deleted_thread_is_left_in_the_files(
    server: ThreadServer, clock: StillClock, tmp_path: Path, by: str
) -> None:
    variables = {"state_variables": {"place": f"place {SECRET}"}}
    chat, other = server.backend.chat(user=USER, workflow_members=variables), server.backend.chat(user="Bob")
    ids: list[str] = []
    for turn in range(2):  # one among the other, as the pages of the database hold them
        ids += fill(server, USER, chat, f"{SECRET} {CHINESE} {turn}")
        fill(server, "Bob", other, f"stays {turn}")
    threads = [one for one in ids if one.startswith("cthr_")]
    eventually(lambda: all(traced(server, thread) for thread in threads), what="the traces")
    assert len({word.partition(" in ")[0] for word in found(tmp_path, SECRET, CHINESE, *ids)}) == len(set(ids)) + 2
    for thread in threads:
        if by == "the user":
            chat.call("threads.delete", thread_id=thread)
        else:
            server.backend.delete(f"threads/{thread}")
    pass_(server, clock, MINUTE)
    # What its Idempotency-Keys stood for, the runs' ids, is remembered for a day.
    assert found(tmp_path, CHINESE, *(one for one in ids if not one.startswith("crun_"))) == []
    assert set(found(tmp_path, SECRET)) <= {f"{SECRET} in chatdock.db", f"{SECRET} in chatdock.db-wal"}, "the session's"
    pass_(server, clock, 2 * DAY)
    pass_(server, clock, MINUTE)
    assert found(tmp_path, SECRET, *ids) == [], "the user's name and state variables went with the session"
    later = server.backend.chat(user="Bob")
    assert len(later.call("threads.list", limit=100)["data"]) == 2 * THREADS
    assert found(tmp_path, "stays")


def test_nothing_is_left_of_a_thread_that_was_deleted_while_it_was_answered(
    server: ThreadServer, clock: StillClock, tmp_path: Path, go: asyncio.Event
) -> None:
    chat = server.backend.chat(user="Ada", workflow_members={})
    reader = creating(chat, f"hold {SECRET}")
    reader.wait_for(lambda turn: turn.text)
    thread_id = reader.turn.thread_id
    assert found(tmp_path, SECRET, thread_id)
    chat.call("threads.delete", thread_id=thread_id)

    async def go_on() -> None:
        go.set()

    server.call(go_on)
    reader.wait()
    eventually(lambda: server.world.engine.live_runs == 0, what="the run's end")
    later = chat.create("more").thread_id
    eventually(lambda: traced(server, later), what="the next turn's trace, behind all of this one's")
    pass_(server, clock, MINUTE)
    assert found(tmp_path, SECRET, thread_id, reader.turn.run_id) == []
