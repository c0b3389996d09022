"""What an API may answer: lists that change while they are read, or make no sense, and what is no answer at all."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatdock.moving import hosted as api
from tests.harness.hosted import KEY, Json, hosted, item_of, thread_of
from tests.moving.database import chatdock, content, imported

pytestmark = pytest.mark.slow  # commands, and hosted ChatKit in a fake that wants patience

Query = dict[str, str]
THREAD = thread_of(0)["id"]
ITEMS = f"threads/{THREAD}/items"


def page(data: list[Any], *, more: bool, last: str | None = None) -> Json:
    return {"object": "list", "data": data, "first_id": None, "last_id": last, "has_more": more}


def test_threads_that_are_deleted_while_the_list_is_read_do_not_end_it(tmp_path: Path) -> None:
    with hosted(250, 1) as app:

        def delete(_number: int) -> None:
            if app.requests["threads"] == 2:  # the first page has been listed
                for number in range(90, 100):
                    app.threads.pop(thread_of(number)["id"], None)

        app.on_request = delete
        tally = imported(tmp_path, app)
    assert tally.complete
    assert tally.threads["new"] + tally.threads["gone"] == 250
    assert {row[0] for row in content(tmp_path)["thread"]} >= set(app.threads)


@pytest.mark.parametrize("read", ["threads", ITEMS])
@pytest.mark.timeout(30)
def test_a_list_that_goes_round_in_circles_ends(tmp_path: Path, read: str) -> None:
    def again(path: str, query: Query) -> tuple[int, Any] | None:
        if path != read:
            return None
        number = (int(query.get("after", "a_0").rpartition("_")[2]) + 1) % 3
        entry = thread_of(number) if read == "threads" else item_of(THREAD, number)
        return 200, page([{**entry, "id": f"a_{number}"}], more=True)

    with hosted(1, 1) as app:
        app.instead = again
        tally = imported(tmp_path, app)
    assert "in circles" in (tally.stopped or tally.failed[THREAD])


def test_a_page_that_is_empty_and_names_no_cursor_is_the_last_one(tmp_path: Path) -> None:
    with hosted(3, 0) as app:
        app.instead = lambda path, query: (
            (200, page([thread_of(2)], more=True) if "after" not in query else page([], more=True))
            if path == "threads"
            else (200, page([], more=True))
        )
        tally = imported(tmp_path, app)
    assert tally.complete
    assert tally.threads == {"new": 1}


def test_a_page_that_is_empty_and_names_a_cursor_leads_on(tmp_path: Path) -> None:
    items = [item_of(THREAD, number) for number in range(3)]
    pages = {None: page([], more=True, last="c1"), "c1": page(items, more=True, last="c2"), "c2": page([], more=False)}
    # The cursor is what the newest entry is called; `last_id` where there is none.
    pages[items[-1]["id"]] = page([item_of(THREAD, 3)], more=False)
    with hosted(1, 0) as app:
        app.instead = lambda path, query: (200, pages[query.get("after")]) if path == ITEMS else None
        tally = imported(tmp_path, app)
    assert tally.complete
    assert tally.items == 4


def test_what_pages_have_in_common_comes_once(tmp_path: Path) -> None:
    def overlap(path: str, query: Query) -> tuple[int, Any] | None:
        make = thread_of if path == "threads" else lambda number: item_of(path.split("/")[1], number)
        ids = [make(number)["id"] for number in range(6)]
        begin = max(0, ids.index(query["after"]) - 1) if "after" in query else 0
        return 200, page([make(number) for number in range(begin, min(begin + 4, 6))], more=begin + 4 < 6)

    with hosted(6, 6) as app:
        app.instead = overlap
        tally = imported(tmp_path, app)
        assert tally.threads == {"new": 6}
        assert tally.items == 36
        assert imported(tmp_path, app, dry_run=True).threads == {"unchanged": 6}
    assert len(content(tmp_path)["item"]) == 36


def test_entries_that_make_no_sense_keep_no_other_from_coming(tmp_path: Path) -> None:
    with hosted(4, 2) as app:
        odd = {
            "threads": page([None, 7, {"id": 5}, *app.threads.values()], more=False),
            ITEMS: page([None, {"id": 1}, item_of(THREAD, 1)], more=False),
        }
        app.instead = lambda path, query: (200, odd[path]) if path in odd else None
        tally = imported(tmp_path, app)
    assert tally.threads == {"new": 4}
    assert tally.failed.keys() == {"None", "5"}
    assert tally.left_out["items of type 'None'"] == 2


def test_a_thread_that_the_key_may_not_read_keeps_no_other_from_coming(tmp_path: Path) -> None:
    with hosted(5, 2) as app:
        app.instead = lambda path, query: (403, {"error": {"message": "Not yours."}}) if path == ITEMS else None
        tally = imported(tmp_path, app)
    assert tally.failed == {THREAD: "HTTP 403: Not yours."}
    assert tally.threads == {"new": 4}


def test_a_key_that_is_revoked_ends_it_and_is_told_nowhere(tmp_path: Path) -> None:
    with hosted(30, 2) as app:
        app.instead = lambda path, query: (
            (401, {"error": {"message": f"Incorrect: {KEY}"}}) if app.total() > 9 else None
        )
        done = chatdock(tmp_path, "import", "openai", "--base-url", app.url)
        assert done.returncode == 1
        assert b"Stopped: HTTP 401: Incorrect" in done.stdout
        assert KEY.encode() not in done.stdout + done.stderr
        app.instead = lambda path, query: None
        assert chatdock(tmp_path, "import", "openai", "--base-url", app.url).returncode == 0
    assert len(content(tmp_path)["thread"]) == 30
    for file in tmp_path.iterdir():
        assert KEY.encode() not in file.read_bytes()


def test_blanks_around_a_key_do_no_harm(tmp_path: Path) -> None:
    with hosted(1, 1) as app:
        assert imported(tmp_path, app, key=f" {KEY}\r\n").complete


def test_an_answer_that_trickles_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "DEADLINE", 0.1)
    with hosted(3, 2, faults=("trickle",), every=4) as app:
        tally = imported(tmp_path, app, concurrency=1)
    assert tally.complete
    assert tally.threads == {"new": 3}


def test_a_long_pause_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "LONG_PAUSE", 0.02)
    told: list[str] = []
    with hosted(3, 2, faults=("429",), every=4) as app:
        assert imported(tmp_path, app, concurrency=1, say=told.append).complete
    assert told == ["HTTP 429: Slow down.; waiting 0 s"]


def test_json_that_is_nested_without_end_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_TRIES", 2)
    with hosted(2, 1) as app:
        app.instead = lambda path, query: (200, b"[" * 100_000) if path == ITEMS else None
        tally = imported(tmp_path, app)
    assert tally.failed == {THREAD: "the answer is no JSON"}


@pytest.mark.parametrize("date", ["Thu, 01 Jan 1970 00:00:00 -0000", "Thu Jan  1 00:00:00 1970"])
def test_a_date_without_a_zone_is_in_utc(monkeypatch: pytest.MonkeyPatch, date: str) -> None:
    monkeypatch.setattr(time, "time", lambda: -60.0)
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert api._retry_after(httpx.Response(429, headers={"retry-after": date})) == 60
    finally:
        monkeypatch.undo()
        time.tzset()
