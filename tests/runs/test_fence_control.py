"""The checker can fail: without the fence in the statements, the same interleaving breaks promises, and it says so."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import Integer, LargeBinary, bindparam, insert, select, update

from chatdock.protocol import frames, ids
from chatdock.storage import runs, threads
from chatdock.storage.connect import open_database
from chatdock.storage.database import Statement, Tx
from chatdock.storage.schema import frame, run
from tests.runs.checker import violations

pytestmark = pytest.mark.anyio


async def interleave(path: Path) -> bool:
    """A server is paused in the middle of a run, another ends the run, the first goes on; whether it could write."""
    url = f"sqlite:///{path}"
    first = await open_database(url)
    async with first.alone() as alone:
        assert alone
    second = await open_database(url)
    async with second.alone() as alone:
        assert not alone
    run_id, thread_id = ids.run_id(), ids.thread_id()
    try:
        await first.write(lambda tx: _begin(tx, run_id, thread_id))
        await first.write(lambda tx: _append(tx, run_id, 1, 2))
        taken = await second.write(lambda tx: runs.take_over(tx, run_id, 1, "second", 10))
        assert taken is not None
        assert taken["fence"] == 2
        assert await second.write(lambda tx: _end(tx, run_id, 2, 3, "failed"))
        wrote = await first.write(lambda tx: _append(tx, run_id, 1, 5))
        ended = await first.write(lambda tx: _end(tx, run_id, 1, 6, "completed"))
        return bool(wrote) or ended
    finally:
        await second.close()
        await first.close()


async def test_a_former_owner_can_neither_append_nor_end(tmp_path: Path) -> None:
    assert not await interleave(tmp_path / "fenced.db")
    assert violations(tmp_path / "fenced.db", []) == []


async def test_only_one_of_two_takes_over(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/taken.db")
    run_id = ids.run_id()
    await database.write(lambda tx: _begin(tx, run_id, ids.thread_id()))
    winners = [
        await database.write(lambda tx, owner=owner: runs.take_over(tx, run_id, 1, owner, 10))  # type: ignore[misc]
        for owner in ("second", "third")
    ]
    assert [row is not None for row in winners] == [True, False]
    await database.close()


async def test_without_the_fence_the_checker_reports_the_interleaving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anybodys = run.c.id == bindparam("run_id")
    columns = [
        bindparam("first", type_=Integer),
        bindparam("last", type_=Integer),
        bindparam("data", type_=LargeBinary),
    ]
    append = insert(frame).from_select(["run_id", "first", "last", "data"], select(run.c.id, *columns).where(anybodys))
    end = update(run).where(anybodys).values(status=bindparam("outcome"), last_sequence=bindparam("last"))
    monkeypatch.setattr(runs, "_APPEND", Statement(append))
    monkeypatch.setattr(runs, "_END", Statement(end.returning(run.c.cancel_requested)))
    assert await interleave(tmp_path / "unfenced.db")
    found = violations(tmp_path / "unfenced.db", [])
    assert any("terminal frames" in line for line in found), found
    assert any("sequence numbers" in line for line in found), found


async def _begin(tx: Tx, run_id: str, thread_id: str) -> None:
    now = time.time_ns() // 1000
    await threads.add(
        tx, id=thread_id, project_id="p", user_id="u", session_id="s", created_at=now, title=None, status="active",
        status_reason=None, allowed_image_domains=None, metadata="{}", state="{}", next_position=1,
    )  # fmt: skip
    await runs.add(
        tx, id=run_id, thread_id=thread_id, project_id="p", user_id="u", session_id="s", input="{}", status="running",
        owner="first", fence=1, lease=10, last_sequence=1, created_at=now,
    )  # fmt: skip
    await runs.add_frames(tx, run_id, 1, 1, frames.batch(run_id, 1, [b'{"type":"notice"}']))


async def _append(tx: Tx, run_id: str, fence: int, number: int) -> bool:
    data = frames.batch(run_id, number, [b'{"type":"notice"}'])
    return bool(await runs.append(tx, run_id, fence, first=number, last=number, data=data))


async def _end(tx: Tx, run_id: str, fence: int, number: int, outcome: str) -> bool:
    data = frames.batch(run_id, number, [b'{"type":"notice"}']) + frames.terminal(outcome)
    now = time.time_ns() // 1000
    return await runs.end(
        tx, run_id, fence, outcome=outcome, first=number, last=number + 1, data=data, now=now, error=None
    )
