"""kill -9 at random instants, again and again: nothing that was acknowledged is lost, nothing happens twice.

Events that make no sense are among the runs: what workflows yield of that kind, and what older programs left behind.

`CHATDOCK_CHAOS_KILLS=100` makes it long, `CHATDOCK_CHAOS_SEED` repeats one.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.server import eventually
from tests.runs.chaos import WORKFLOW, User, spoil
from tests.runs.checker import Sent, violations
from tests.runs.forked import ForkedServer

KILLS = int(os.environ.get("CHATDOCK_CHAOS_KILLS", "10"))
SEED = os.environ.get("CHATDOCK_CHAOS_SEED") or str(time.time_ns())
USERS = 4

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 + 15 * KILLS)]


@dataclass
class Aftermath:
    database: Path
    users: list[User]
    spoiled: int
    """Events that make no sense, left in runs that the kills broke off."""
    starts: list[float]
    """Seconds until requests were answered, for each start that was waited for."""

    @property
    def history(self) -> list[Sent]:
        return [sent for user in self.users for sent in user.history]


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    """A database, and what users remember, after so many kills; the server answers again."""
    print(f"CHATDOCK_CHAOS_SEED={SEED} CHATDOCK_CHAOS_KILLS={KILLS}")
    folder = tmp_path_factory.mktemp("chaos")
    (folder / "answers.py").write_text(WORKFLOW)
    chance = random.Random(SEED)
    with ForkedServer(folder, folder / "answers.py", sweep_interval="0.5", run_retention="86400") as server:
        users = [User(server, f"user_{number}", f"{SEED} {number}") for number in range(USERS)]
        for user in users:
            user.start()
        spoiled, starts = 0, []
        for _ in range(KILLS):
            time.sleep(chance.uniform(0, 0.8))  # the instant is the test
            server.kill()
            if chance.random() < 0.5:
                spoiled += spoil(server.database, chance)
            began, wait = time.monotonic(), chance.random() < 0.8  # else the next kill hits its recovery
            ready = server.start(wait=wait)
            if wait:
                starts.append(ready - began)
        server.kill()
        server.start()
        eventually(lambda: all(_was_answered(user) for user in users), what="an answer for every user")
        for user in users:
            user.stop()
        for user in users:
            user.join(90)
        eventually(lambda: _all_ended(server.database), what="the end of all runs")
        _every_thread_is_readable(server, users)
        yield Aftermath(server.database, users, spoiled, starts)


def _was_answered(user: User) -> bool:
    """Whether this user has read a whole answer, which the kills may have let nobody do."""
    assert user.failure is None, user.failure
    return any(map(_whole, user.history))


def _whole(sent: Sent) -> bool:
    return sent.outcome == "completed" and len(sent.frames) > 10


def _all_ended(database: Path) -> bool:
    connection = sqlite3.connect(database)
    try:
        return not connection.execute("SELECT 1 FROM run WHERE status IN ('queued', 'running')").fetchone()
    finally:
        connection.close()


def _every_thread_is_readable(server: ForkedServer, users: list[User]) -> None:
    for user in users:
        chat = server.backend.chat(user.name)
        for thread_id in {sent.thread_id for sent in user.history if sent.thread_id}:
            seen = chat.items(thread_id)
            assert seen[0]["type"] == "user_message"
            assert server.backend.get(f"threads/{thread_id}/items", limit=100)["data"]
            assert "active_run" not in chat.call("threads.get_by_id", thread_id=thread_id)


def test_nothing_is_lost_and_nothing_happens_twice(aftermath: Aftermath) -> None:
    for user in aftermath.users:
        assert user.failure is None
        assert user.refused == []
    history = aftermath.history
    assert violations(aftermath.database, history) == []
    acknowledged = sum(sent.acknowledged for sent in history)
    frames = sum(len(sent.frames) for sent in history)
    resumed = sum(user.resumed for user in aftermath.users)
    failed = sum(sent.outcome == "failed" for sent in history)
    print(
        f"{KILLS} kills: {acknowledged} messages acknowledged, {failed} broken off, {resumed} resumes, {frames} frames"
    )
    slowest = sorted(aftermath.starts)[-3:]
    print(f"{aftermath.spoiled} runs spoiled; the slowest starts took {', '.join(f'{each:.2f}' for each in slowest)} s")
    assert aftermath.spoiled >= KILLS // 4
    assert acknowledged >= KILLS
    assert resumed >= KILLS // 2, "the kills hit nobody"
    assert failed >= KILLS // 4, "the kills hit no run"


TAMPERINGS = {
    "a lost batch": ("DELETE FROM frame WHERE (run_id, first) = (:run, :middle)", "sequence numbers"),
    "a changed frame": (
        "UPDATE frame SET data = CAST(replace(CAST(data AS TEXT), 'delta', 'atled') AS BLOB) WHERE run_id = :run",
        "was seen as",
    ),
    "a lost message": ("DELETE FROM item WHERE thread_id = :thread AND type = 'user_message'", "was acknowledged"),
    "a lost answer": ("DELETE FROM item WHERE thread_id = :thread AND type = 'assistant_message'", "items differ"),
    "a second end": (
        "INSERT INTO frame SELECT id, 9999, 9999, CAST(': done' || char(10, 10) AS BLOB) FROM run WHERE id = :run",
        "2 terminal frames",
    ),
    "a lost end": ("DELETE FROM frame WHERE run_id = :run AND last = :last", "0 terminal frames"),
    "another end": ("UPDATE run SET status = 'cancelled' WHERE id = :run", "but is cancelled"),
    "a run without end": ("UPDATE run SET status = 'queued' WHERE id = :run", "not ended"),
    "a message twice": (
        "INSERT INTO item SELECT thread_id, 9999, 'cti_x', type, data FROM item"
        " WHERE thread_id = :thread AND type = 'user_message' LIMIT 1",
        "doubled",
    ),
    "two live runs": ("UPDATE run SET ended_at = created_at + 1000000000000 WHERE thread_id = :busy", "began while"),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_the_checker_reports(aftermath: Aftermath, tmp_path: Path, tampering: str) -> None:
    """The negative control: a check that cannot fail proves nothing."""
    statement, expected = TAMPERINGS[tampering]
    copy = tmp_path / "copy.db"
    source, target = sqlite3.connect(aftermath.database), sqlite3.connect(copy)
    try:
        source.backup(target)
        seen = next(filter(_whole, aftermath.history))
        run_id = next(iter(seen.frames)).rpartition(":")[0]
        rows = target.execute("SELECT first, last FROM frame WHERE run_id = ? ORDER BY first", (run_id,)).fetchall()
        busy = target.execute("SELECT thread_id FROM run GROUP BY thread_id HAVING count(*) > 1").fetchone()
        values = {"run": run_id, "thread": seen.thread_id, "middle": rows[len(rows) // 2][0], "last": rows[-1][1]}
        changed = target.execute(statement, {**values, "busy": busy[0]})
        assert changed.rowcount > 0
        target.commit()
    finally:
        source.close()
        target.close()
    found = violations(copy, aftermath.history)
    assert any(expected in line for line in found), found
