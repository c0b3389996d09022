"""Importing from hosted ChatKit again: what changed there comes, what is here is never lost, nothing counts twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatdock.moving import hosted as api
from tests.harness.hosted import FakeHosted, Json, hosted, item_of, thread_of
from tests.moving.database import chatdock, content, imported

pytestmark = pytest.mark.slow  # commands, and hosted ChatKit in a fake that wants patience

THREAD = thread_of(0)["id"]
USER, ANSWER, CALL = 0, 1, 2
"""Numbers of items of these kinds; the kinds go round in seven."""


def items_here(folder: Path, thread_id: str = THREAD) -> list[Json]:
    rows = sorted(row for row in content(folder)["item"] if row[0] == thread_id)
    return [json.loads(row[4]) for row in rows]


@pytest.fixture
def source() -> Iterator[FakeHosted]:
    """Hosted ChatKit with a thread of two turns: a question and an answer, and a call that the page has to answer."""
    with hosted(1, 0) as app:
        call = {**item_of(THREAD, 7 + CALL), "status": "in_progress", "output": None}
        app.items[THREAD] = [item_of(THREAD, USER), item_of(THREAD, ANSWER), item_of(THREAD, 7 + USER), call]
        yield app


def test_a_turn_that_was_going_on_comes_as_it_ended(tmp_path: Path, source: FakeHosted) -> None:
    imported(tmp_path, source)
    assert items_here(tmp_path)[-1]["status"] == "pending"
    source.items[THREAD] = [*source.items[THREAD][:3], item_of(THREAD, 7 + CALL), item_of(THREAD, 7 + ANSWER)]
    tally = imported(tmp_path, source)
    assert tally.threads == {"newer": 1}
    assert tally.items == 1
    here = items_here(tmp_path)
    assert [item["id"] for item in here] == [item["id"] for item in source.items[THREAD]]
    assert here[-2]["output"] == {"found": True}
    assert imported(tmp_path, source).threads == {"unchanged": 1}


def test_what_could_not_be_carried_counts_once(tmp_path: Path, source: FakeHosted) -> None:
    odd = {**item_of(THREAD, 99), "type": "chatkit.hologram"}
    message = {**item_of(THREAD, 14), "attachments": item_of(THREAD, USER)["attachments"]}
    source.items[THREAD] += [message, odd]
    first = imported(tmp_path, source).left_out
    assert first.total() == 3
    source.items[THREAD].append(item_of(THREAD, 14 + ANSWER))
    assert imported(tmp_path, source).left_out == first
    source.items[THREAD].append({**odd, "id": "cti_odd"})
    assert imported(tmp_path, source).left_out == first + type(first)(["items of type 'chatkit.hologram'"])
    assert imported(tmp_path, source, dry_run=True).left_out == {}


def test_a_long_last_turn_is_followed_to_its_end(tmp_path: Path, source: FakeHosted) -> None:
    long = [item_of(THREAD, USER), *(item_of(THREAD, 7 * number + ANSWER) for number in range(250))]
    source.items[THREAD] = long[:130]
    imported(tmp_path, source)
    source.items[THREAD] = long
    assert imported(tmp_path, source).items == 121
    assert [item["id"] for item in items_here(tmp_path)] == [item["id"] for item in long]


def test_a_message_that_is_listed_twice_stands_once(tmp_path: Path, source: FakeHosted) -> None:
    imported(tmp_path, source)
    source.items[THREAD] += [source.items[THREAD][1], item_of(THREAD, 7 + ANSWER)]
    assert imported(tmp_path, source).items == 1
    assert [item["id"] for item in items_here(tmp_path)] == [
        item["id"] for number, item in enumerate(source.items[THREAD]) if number != 4
    ]
    assert imported(tmp_path, source).threads == {"unchanged": 1}


def _refuse_cursors(path: str, query: dict[str, str]) -> tuple[int, Any] | None:
    return (400, {}) if "after" in query and path.endswith("/items") else None


def test_a_thread_that_is_read_anew_stays_as_it_is_until_all_of_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: FakeHosted
) -> None:
    monkeypatch.setattr(api, "MAX_TRIES", 1)
    source.items[THREAD] = [item_of(THREAD, number) for number in range(230)]
    imported(tmp_path, source)
    before = content(tmp_path)
    # The source refuses what was read last, as it does after another answer, and breaks down while it is read again.
    source.instead = _refuse_cursors
    tally = imported(tmp_path, source)
    assert "HTTP 400" in tally.failed[THREAD]
    assert content(tmp_path) == before
    assert source.total() < 12


@pytest.mark.parametrize("left", [0, 2])
def test_messages_that_the_source_lost_stay_here(tmp_path: Path, source: FakeHosted, left: int) -> None:
    imported(tmp_path, source)
    before = content(tmp_path)
    source.items[THREAD] = source.items[THREAD][:left]
    tally = imported(tmp_path, source)
    assert "no more at the source; they stay" in tally.failed[THREAD]
    assert content(tmp_path) == before


def test_what_was_said_while_an_import_was_interrupted_comes_with_the_one_that_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MAX_TRIES", 1)
    monkeypatch.setattr(api, "MAX_KNOCKS", 1)
    with hosted(20, 2) as app:
        app.on_request = lambda number: setattr(app, "down", number >= 12)
        stopped = imported(tmp_path, app, concurrency=1)
        assert stopped.stopped
        read = stopped.threads["new"]
        assert 0 < read < 20
        app.on_request, app.down = lambda number: None, False
        app.items[THREAD] = [item_of(THREAD, number) for number in range(5)]
        asked = list(app.requests)
        tally = imported(tmp_path, app)
        assert tally.threads == {"new": 20 - read, "newer": 1, "unchanged": read - 1}
        assert tally.items == 2 * (20 - read) + 3
        # Those that were read before come last.
        assert list(app.requests)[len(asked) :] == [path for path in app.requests if path not in asked]
        assert imported(tmp_path, app).threads == {"unchanged": 20}
    assert len(items_here(tmp_path)) == 5


def test_a_thread_that_moved_to_another_database_is_continued_from_the_source_there(
    tmp_path: Path, source: FakeHosted
) -> None:
    for folder in ("here", "there", "third"):
        (tmp_path / folder).mkdir()
    left_out = imported(tmp_path / "here", source).left_out
    for one, other in (("here", "there"), ("there", "third")):
        assert chatdock(tmp_path / one, "export", str(tmp_path / f"{one}.jsonl")).returncode == 0
        assert chatdock(tmp_path / other, "import", str(tmp_path / f"{one}.jsonl")).returncode == 0
    assert (tmp_path / "there.jsonl").read_bytes() == (tmp_path / "here.jsonl").read_bytes()
    source.items[THREAD].append(item_of(THREAD, 7 + ANSWER))
    tally = imported(tmp_path / "third", source)
    assert tally.threads == {"newer": 1}
    assert tally.left_out == left_out
    assert len(items_here(tmp_path / "third")) == 5
