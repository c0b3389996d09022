"""What time brings, with a clock that the test moves: what is kept for how long, and what is forgotten after it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from chatkit.types import ClientToolCallItem, ThreadItemDoneEvent

from chatdock import Turn, workflow
from chatdock.workflows.workflow import Emitted
from tests.harness.client import ApiFailure, Chat, Json, message
from tests.harness.clock import StillClock
from tests.harness.server import ThreadServer, eventually, serving
from tests.runs.wire import creating, sending

MINUTE, HOUR, DAY = 60, 3600, 86_400
RARELY = 3600
"""Seconds between rounds of the sweep, so that those of the test are the only ones."""


class Kept:
    """A server on a clock that stands, and what is in its database."""

    def __init__(self, server: ThreadServer, clock: StillClock, folder: Path) -> None:
        self.server = server
        self.clock = clock
        self.go = asyncio.Event()
        self._path = folder / "chatdock.db"

    def chat(self, **members: Any) -> Chat:
        """A user's client."""
        return self.server.backend.chat(**members)

    def pass_(self, seconds: float) -> None:
        """Let time pass, and the sweep come by."""
        self.clock.move(seconds)
        self.sweep()

    def sweep(self) -> None:
        """One round of it."""
        self.server.call(self.server.world.sweep.once)

    def rows(self, table: str, columns: str = "*") -> list[Json]:
        """What the database holds."""
        connection = sqlite3.connect(self._path)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(f"SELECT {columns} FROM {table}")]
        finally:
            connection.close()

    def statuses(self) -> dict[str, str]:
        """The status of every run."""
        return {row["id"]: row["status"] for row in self.rows("run")}


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def kept(tmp_path: Path, clock: StillClock) -> Iterator[Kept]:
    async def answer(turn: Turn) -> AsyncIterator[Emitted]:
        if turn.text == "ask":
            yield ThreadItemDoneEvent(
                item=ClientToolCallItem(
                    id=turn.new_id(),
                    thread_id=turn.thread.id,
                    created_at=turn.now(),
                    call_id="call_1",
                    name="locate",
                    arguments={},
                )
            )
            return
        if turn.text == "hold":
            await found.go.wait()
        yield f"It is {turn.state.get('place', 'unknown')}."

    target = workflow("wf_test")(answer)
    with serving(
        tmp_path, [target], clock=clock, sweep_interval=RARELY, multitask_strategy="enqueue", session_max_seconds=DAY
    ) as server:
        found = Kept(server, clock, tmp_path)
        yield found


async def so(turn: Turn) -> AsyncIterator[str]:
    yield "so"


def keyed(key: str) -> dict[str, str]:
    return {"idempotency-key": key}


# Runs


def test_a_run_that_waits_is_completed_by_the_users_answer(kept: Kept) -> None:
    chat = kept.chat()
    asked = chat.create("ask")
    assert kept.statuses() == {asked.run_id: "waiting"}
    answered = chat.stream("threads.add_client_tool_output", thread_id=asked.thread_id, result="here")
    assert kept.statuses() == {asked.run_id: "completed", answered[0].run_id: "completed"}
    kept.pass_(DAY + HOUR)
    assert kept.statuses() == {}


def test_a_run_that_waits_is_kept_until_it_is_answered_however_long_that_takes(kept: Kept) -> None:
    asked = kept.chat().create("ask")
    done = kept.chat().create("hello")
    for _ in range(3):
        kept.pass_(2 * DAY)
    assert kept.statuses() == {asked.run_id: "waiting"}
    assert done.run_id not in kept.statuses()
    later = kept.chat()
    assert later.call("threads.cancel", thread_id=asked.thread_id)["run"] == {"id": asked.run_id, "status": "waiting"}
    answered = later.stream("threads.add_client_tool_output", thread_id=asked.thread_id, result="here")
    assert answered[-1].comment == "completed"
    assert kept.statuses()[asked.run_id] == "completed"


def test_a_runs_events_are_kept_for_ten_minutes_and_its_record_for_a_day(kept: Kept) -> None:
    turn = kept.chat().create("hello")
    kept.pass_(9 * MINUTE)
    assert kept.rows("frame")
    kept.pass_(2 * MINUTE)
    assert not kept.rows("frame")
    kept.pass_(DAY - 12 * MINUTE)
    assert kept.statuses() == {turn.run_id: "completed"}
    kept.pass_(2 * MINUTE)
    assert kept.statuses() == {}
    assert [item["type"] for item in kept.chat().items(turn.thread_id)] == ["user_message", "assistant_message"]


def test_events_that_are_kept_for_longer_than_a_day_keep_their_run(tmp_path: Path, clock: StillClock) -> None:
    with serving(
        tmp_path, [workflow("wf_test")(so)], clock=clock, sweep_interval=RARELY, run_retention=3 * DAY
    ) as server:
        kept = Kept(server, clock, tmp_path)
        turn = kept.chat().create()
        kept.pass_(2 * DAY)
        again = kept.chat().stream("threads.resume", thread_id=turn.thread_id, starting_after=turn.frames[0].id)
        assert again == turn.frames[1:]
        kept.pass_(DAY + HOUR)
        assert not kept.rows("frame")
        assert kept.statuses() == {}


# Idempotency-Keys


def test_an_idempotency_key_stands_for_its_run_for_a_day_and_for_nothing_after_it(kept: Kept) -> None:
    chat = kept.chat(expires_after={"anchor": "created_at", "seconds": DAY})
    first = chat.create("hello", headers=keyed("day"))
    assert chat.create("hello", headers=keyed("day")).frames == first.frames
    kept.pass_(DAY - MINUTE)
    assert len(kept.rows("idempotency")) == 1
    with pytest.raises(ApiFailure) as gone:  # it is known; its events are not there any more
        chat.create("hello", headers=keyed("day"))
    assert (gone.value.status, gone.value.error["param"]) == (404, "Idempotency-Key")
    kept.pass_(2 * MINUTE)
    assert kept.rows("idempotency") == []
    assert kept.chat().create("hello", headers=keyed("day")).thread_id != first.thread_id


def test_an_idempotency_key_stands_for_its_session_for_as_long_as_that_is_kept(kept: Kept) -> None:
    def create() -> Json:
        body = {"user": "user_1", "workflow": {"id": "wf_test"}}
        response = kept.server.backend.http.post("/v1/chatkit/sessions", json=body, headers=keyed("session"))
        assert response.status_code == 200, response.text
        made: Json = response.json()
        return made

    first = create()
    assert create() == first
    kept.pass_(DAY - MINUTE)
    again = create()
    assert (again["id"], again["status"], again["client_secret"]) == (first["id"], "expired", "")
    kept.pass_(2 * MINUTE)
    assert create()["id"] != first["id"]


def test_a_session_that_is_kept_for_less_than_a_day_takes_its_key_with_it(tmp_path: Path, clock: StillClock) -> None:
    with serving(
        tmp_path, [workflow("wf_test")(so)], clock=clock, sweep_interval=RARELY, session_retention=60
    ) as server:
        kept = Kept(server, clock, tmp_path)
        body = {"user": "user_1", "workflow": {"id": "wf_test"}}
        ids = []
        for _ in range(2):
            made = server.backend.http.post("/v1/chatkit/sessions", json=body, headers=keyed("short"))
            assert made.status_code == 200, made.text
            ids.append(made.json()["id"])
            kept.pass_(HOUR)
            assert kept.rows("session") == kept.rows("idempotency") == []
        assert ids[0] != ids[1]


# Sessions


def test_a_sessions_record_goes_a_day_after_its_end(kept: Kept) -> None:
    expired = kept.server.backend.session(user="Ada", workflow_members={"state_variables": {"place": "Kraków"}})
    cancelled = kept.server.backend.session(expires_after={"anchor": "created_at", "seconds": DAY})
    kept.server.backend.http.post(f"/v1/chatkit/sessions/{cancelled['id']}/cancel")
    kept.pass_(DAY + 9 * MINUTE)
    assert {row["id"] for row in kept.rows("session")} == {expired["id"]}
    kept.pass_(2 * MINUTE)
    assert kept.rows("session") == []
    assert kept.server.backend.http.post(f"/v1/chatkit/sessions/{expired['id']}/cancel").status_code == 404
    with pytest.raises(ApiFailure) as refused:
        kept.server.backend.chat_with(expired["client_secret"]).call("threads.list")
    assert refused.value.status == 401


def test_a_session_whose_message_waits_is_kept_with_its_state_variables(kept: Kept) -> None:
    first = creating(kept.chat(), "hold")
    first.wait_for(lambda turn: turn.of("stream_options"))
    thread_id = first.turn.thread_id
    chat = kept.chat(workflow_members={"state_variables": {"place": "Kraków"}})
    waiting = sending(chat, thread_id, "where?")
    waiting.wait_for(lambda turn: turn.of("stream_options"))
    kept.pass_(3 * DAY)
    assert len(kept.rows("session")) == 2

    async def go() -> None:
        kept.go.set()

    kept.server.call(go)
    first.wait()
    assert waiting.wait().text == "It is Kraków."
    kept.sweep()
    assert kept.rows("session") == []


def test_a_session_is_refused_from_its_last_second_on_though_it_was_looked_up_just_before(kept: Kept) -> None:
    chat = kept.chat(expires_after={"anchor": "created_at", "seconds": 600})
    kept.clock.move(599.5 - kept.clock.micros() % 1_000_000 / 1_000_000)  # it ends with a whole second
    for _ in range(2):
        assert chat.call("threads.list")["data"] == []
        kept.clock.move(0.3)
    assert len(kept.server.world.sessions.recent) == 1, "it is looked up again, which is not what is tested here"
    with pytest.raises(ApiFailure) as refused:
        chat.call("threads.list")
    assert (refused.value.status, refused.value.error["code"]) == (401, "invalid_client_secret")


def test_what_was_looked_up_is_not_kept_in_memory(kept: Kept) -> None:
    world = kept.server.world
    chats = [kept.chat(user=f"user {number}") for number in range(5)]
    for chat in chats:
        chat.create("hello")
    made = kept.server.call(lambda: _key_of(world.database))
    assert (
        kept.server.backend.http.get("/v1/chatkit/threads", headers={"authorization": f"Bearer {made}"}).status_code
        == 200
    )
    assert (len(world.sessions.recent), len(world.keys.recent), len(world.limiter)) == (5, 1, 5)
    kept.pass_(1)
    assert (len(world.sessions.recent), len(world.keys.recent), len(world.limiter)) == (0, 0, 5)
    kept.pass_(59)
    assert len(world.limiter) == 0


async def _key_of(database: Any) -> str:
    from chatdock.chat import keys

    return (await keys.create(database, "default", "test")).secret


def test_a_minute_after_its_requests_a_session_may_ask_again(kept: Kept) -> None:
    chat = kept.chat(limit=1)
    chat.create("hello")
    with pytest.raises(ApiFailure) as refused:
        chat.create("hello")
    assert refused.value.response.headers["retry-after"] == "60"
    kept.clock.move(59.9)
    assert chat.post("threads.create", {"input": message("hello")}).status_code == 429
    kept.clock.move(0.1)
    assert chat.create("hello").outcome == "completed"
    assert len(kept.server.world.limiter) == 1


def test_traces_are_kept_for_a_week(kept: Kept) -> None:
    kept.chat().create("hello")
    eventually(lambda: [row for row in kept.rows("trace") if row["ended_at"]], what="the trace")
    kept.pass_(7 * DAY - MINUTE)
    assert len(kept.rows("trace")) == 1
    kept.pass_(2 * MINUTE)
    assert kept.rows("trace") == kept.rows("span") == []
