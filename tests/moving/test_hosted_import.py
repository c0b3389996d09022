"""`chatdock import openai`: everything comes, once, whatever happens on the way."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatdock import Turn, workflow
from chatdock.moving import hosted as api
from chatdock.moving.hosted import Hosted
from chatdock.moving.hosted_import import Tally, import_hosted
from chatdock.storage.database import Database
from tests.harness.hosted import KEY, FakeHosted, Json, hosted, item_of, thread_of
from tests.harness.server import ThreadServer, serving
from tests.moving.database import chatdock, content, imported, in_database

pytestmark = pytest.mark.slow  # commands, and hosted ChatKit in a fake that wants patience


@workflow("wf_test")
async def recall(turn: Turn) -> AsyncIterator[str]:
    """Says how many items it remembers."""
    yield f"{len(await turn.history())} items, the first by a {(await turn.history())[0].type}"


def rest_items(server: ThreadServer, thread_id: str) -> list[Json]:
    found: list[Json] = []
    while True:
        after = {"after": found[-1]["id"]} if found else {}
        page = server.backend.get(f"threads/{thread_id}/items", order="asc", limit=100, **after)
        found += page["data"]
        if not page["has_more"]:
            return found


def without_previews(item: Json) -> Json:
    files = [{**file, "type": "file", "preview_url": None} for file in item.get("attachments", ())]
    return {**item, "attachments": files} if files else item


def test_every_thread_and_item_comes_with_its_id_its_date_and_its_place(tmp_path: Path) -> None:
    with hosted(12, 20) as app:
        app.items[thread_of(3)["id"]] = [item_of(thread_of(3)["id"], number) for number in range(250)]
        app.items[thread_of(4)["id"]] = []
        tally = imported(tmp_path, app)
    assert tally.threads == {"new": 12}
    assert tally.items == 10 * 20 + 250
    assert tally.complete
    with serving(tmp_path, [recall]) as server:
        listed = server.backend.get("threads", order="asc", limit=100)["data"]
        assert listed == list(app.threads.values())
        for thread in listed:
            expected = [without_previews(item) for item in app.items_of(thread["id"])]
            assert rest_items(server, thread["id"]) == expected


def test_importing_twice_changes_nothing(tmp_path: Path) -> None:
    with hosted(8, 20) as app:
        imported(tmp_path, app)
        before = content(tmp_path)
        again = imported(tmp_path, app)
    assert again.threads == {"unchanged": 8}
    assert again.items == 0
    assert content(tmp_path) == before


def test_what_was_said_at_the_source_since_is_added(tmp_path: Path) -> None:
    first, second = thread_of(0)["id"], thread_of(4)["id"]
    with hosted(5, 10) as app:
        imported(tmp_path, app)
        app.items[first] = [item_of(first, number) for number in range(130)]
        app.threads[second] = {**app.threads[second], "title": "A title", "status": {"type": "closed", "reason": "Old"}}
        app.threads |= {thread_of(9)["id"]: thread_of(9)}
        tally = imported(tmp_path, app)
    assert tally.threads == {"newer": 1, "unchanged": 4, "new": 1}
    assert tally.items == 120 + 10
    with serving(tmp_path, [recall]) as server:
        assert [item["id"] for item in rest_items(server, first)] == [item["id"] for item in app.items[first]]
        assert server.backend.get(f"threads/{second}") == app.threads[second]


def test_the_users_go_on_with_their_threads_and_the_import_leaves_those_alone(tmp_path: Path) -> None:
    with hosted(3, 5) as app:
        imported(tmp_path, app)
        thread_id = thread_of(1)["id"]
        with serving(tmp_path, [recall]) as server:
            chat = server.backend.chat("user_1")
            assert [thread["id"] for thread in chat.call("threads.list")["data"]] == [thread_id]
            assert len(chat.call("threads.get_by_id", thread_id=thread_id)["items"]["data"]) == 5
            events = chat.send(thread_id, "And now?").events
            assert [e["item"]["type"] for e in events if e["type"] == "thread.item.done"][-1] == "assistant_message"
            said = rest_items(server, thread_id)
            assert said[-1]["content"][0]["text"] == "6 items, the first by a user_message"
            server.backend.chat("user_2").call("threads.delete", thread_id=thread_of(2)["id"])
        before = content(tmp_path)
        app.items[thread_id] = app.items_of(thread_id)
        app.count = 7
        tally = imported(tmp_path, app)
        assert tally.threads == {"newer": 1, "continued": 1, "deleted": 1}
        for there in (app.items[thread_id] + [item_of(thread_id, 6)], [item_of(thread_id, 0), item_of(thread_id, 8)]):
            app.items[thread_id] = there
            told = chatdock(tmp_path, "import", "openai", "--base-url", app.url).stdout.decode()
            assert (
                f"1 threads left alone: continued here since they were imported, and at the source too\n    {thread_id}"
                in told
            )
    after = content(tmp_path)
    assert [row for row in after["item"] if row[0] != thread_of(0)["id"]] == [
        row for row in before["item"] if row[0] != thread_of(0)["id"]
    ]
    assert len(after["thread"]) == 2


def test_a_server_goes_on_while_an_import_fills_its_database(tmp_path: Path) -> None:
    mine = thread_of(0)["id"]
    with hosted(60, 20) as app, serving(tmp_path, [recall]) as server, ThreadPoolExecutor(1) as pool:
        import_ = pool.submit(imported, tmp_path, app)
        chat = server.backend.chat("user_0", rate_limits={"max_requests_per_1_minute": 10_000})
        turns = 0
        while not import_.done() or not turns:
            if any(thread["id"] == mine for thread in chat.call("threads.list", limit=100)["data"]):
                turns += 1
                assert chat.send(mine, "And now?").text.startswith(f"{18 + 2 * turns + 1} items")
        assert import_.result().threads == {"new": 60}
        app.count = 25
        assert imported(tmp_path, app).threads == {"newer": 59, "parted": 1}
        assert len(chat.items(mine)) == 20 + 2 * turns


def test_a_call_that_waits_is_answered_here(tmp_path: Path) -> None:
    thread_id = thread_of(0)["id"]
    with hosted(1, 0) as app:
        app.items[thread_id] = [
            item_of(thread_id, 0),
            {**item_of(thread_id, 2), "status": "in_progress", "output": None},
        ]
        imported(tmp_path, app)
        with serving(tmp_path, [recall]) as server:
            chat = server.backend.chat("user_0")
            chat.stream("threads.add_client_tool_output", thread_id=thread_id, result={"found": 2})
            said = rest_items(server, thread_id)
            assert said[1]["output"] == '{"found":2}'
            assert said[2]["type"] == "chatkit.assistant_message"
        app.items[thread_id] = [item_of(thread_id, 0), item_of(thread_id, 2)]
        assert imported(tmp_path, app).threads == {"continued": 1}


def test_threads_and_items_of_one_second_are_listed_once_each_and_in_their_order(tmp_path: Path) -> None:
    with hosted(7, 0) as app:
        for thread in app.threads.values():
            thread |= {"created_at": 1_760_000_000, "user": "ada", "title": None, "status": {"type": "active"}}
            # Their ids are not in the order of the items.
            items = [{**item_of(thread["id"], 7 * n + 1), "created_at": 1_760_000_000} for n in reversed(range(9))]
            app.items[thread["id"]] = items
        imported(tmp_path, app)
    with serving(tmp_path, [recall]) as server:
        chat = server.backend.chat("ada")
        asks: list[Callable[..., Json]] = [partial(chat.call, "threads.list"), partial(server.backend.get, "threads")]
        for ask in asks:
            found: list[str] = []
            while len(found) < 20:
                page = ask(limit=2, order="desc", **({"after": found[-1]} if found else {}))
                found += [thread["id"] for thread in page["data"]]
                if not page["has_more"]:
                    break
            assert sorted(found) == sorted(app.threads)
        for thread_id in app.threads:
            shown = [item["id"] for item in rest_items(server, thread_id)]
            assert shown == [item["id"] for item in app.items[thread_id]]


def test_a_thread_that_is_here_from_elsewhere_is_left_alone(tmp_path: Path) -> None:
    with hosted(2, 5) as app:
        imported(tmp_path, app, project="first")
        before = content(tmp_path)
        tally = imported(tmp_path, app, project="second")
        assert tally.threads == {"elsewhere": 2}
        assert content(tmp_path) == before
        with closing(sqlite3.connect(tmp_path / "chatdock.db")) as connection, connection:
            connection.execute("DELETE FROM imported_thread")
        assert imported(tmp_path, app, project="first").threads == {"other": 2}
    assert content(tmp_path) == before


def test_limits_failures_and_broken_connections_cost_time_and_nothing_else(tmp_path: Path) -> None:
    faults = ("429", "cut", "500", "drop", "empty")
    with hosted(60, 20, faults=faults, every=4) as app:
        tally = imported(tmp_path, app)
    assert tally.complete
    assert tally.threads == {"new": 60}
    held = content(tmp_path)
    assert len(held["item"]) == len({row[2] for row in held["item"]}) == 1200
    assert app.refused >= 3
    assert app.total() < 2 * 61


def test_a_limit_that_is_announced_is_kept(tmp_path: Path) -> None:
    with hosted(12, 3, limit=5, reset=0.15) as app:
        tally = imported(tmp_path, app, concurrency=1)
    assert tally.threads == {"new": 12}
    assert app.refused == 0
    with hosted(12, 3, limit=5, reset=0.15) as app:
        (tmp_path / "crowd").mkdir()
        tally = imported(tmp_path / "crowd", app, concurrency=6)
    assert tally.threads == {"new": 12}


def test_a_thread_that_cannot_be_read_is_reported_and_comes_with_the_next_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MAX_TRIES", 3)
    broken = thread_of(2)["id"]
    with hosted(6, 5, failing={broken}) as app:
        tally = imported(tmp_path, app)
        assert tally.threads == {"new": 5}
        assert set(tally.failed) == {broken}
        assert "Something broke" in tally.failed[broken]
        assert not tally.complete
        app.failing.clear()
        tally = imported(tmp_path, app)
    assert tally.threads == {"new": 1, "unchanged": 5}
    assert tally.complete


def test_a_source_that_fails_altogether_stops_the_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_TRIES", 3)
    with hosted(30, 5) as app:

        def break_down(number: int) -> None:
            app.down = number >= 12

        app.on_request = break_down
        tally = imported(tmp_path, app)
        assert tally.stopped is not None
        assert "Something broke" in tally.stopped
        assert app.total() < 50
        read = tally.threads["new"]
        app.on_request, app.down = lambda number: None, False
        again = imported(tmp_path, app)
    assert 0 < read < 12
    assert again.complete
    # Of what was read before the stop, only news are asked for.
    assert again.threads["unchanged"] >= read
    assert again.threads["new"] + again.threads["unchanged"] == 30


def test_threads_that_cannot_be_read_do_not_keep_the_others_from_coming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MAX_TRIES", 2)
    with hosted(20, 5) as app:
        app.failing.update(list(app.threads)[3:15])
        tally = imported(tmp_path, app, concurrency=1)
    assert tally.threads == {"new": 8}
    assert set(tally.failed) == app.failing


def test_two_imports_at_once_store_everything_once(tmp_path: Path) -> None:
    async def both(database: Database) -> list[Tally]:
        async with Hosted(app.url, KEY, connections=4) as one, Hosted(app.url, KEY, connections=4) as two:
            return list(await asyncio.gather(*(import_hosted(database, source) for source in (one, two))))

    with hosted(40, 120) as app:
        tallies = in_database(tmp_path, both)
    assert all(tally.complete for tally in tallies)
    held = content(tmp_path)
    assert len(held["thread"]) == 40
    assert len(held["item"]) == len({row[2] for row in held["item"]}) == 40 * 120
    assert {row[1] for row in held["item"]} == set(range(1, 121))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2),
        ({"retry-after": "2", "retry-after-ms": "150"}, 0.15),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_every_form_of_retry_after_is_understood(headers: dict[str, str], seconds: float | None) -> None:
    assert api._retry_after(httpx.Response(429, headers=headers)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("6m0s", 360), ("1h2m3.5s", 3723.5), ("20ms", 0.02), ("", None)]
)
def test_every_form_of_a_reset_is_understood(text: str, seconds: float | None) -> None:
    assert api._duration(text) == seconds


def test_a_thread_that_is_not_as_the_api_describes_it_is_named_and_the_others_come(tmp_path: Path) -> None:
    with hosted(6, 2) as app:
        odd: list[Json] = [{"created_at": 10**15}, {"user": 7}, {"created_at": None}]
        for number, members in enumerate(odd):
            app.threads[thread_of(number)["id"]] |= members
        tally = imported(tmp_path, app)
    assert {thread_id: reason.rpartition(": ")[2] for thread_id, reason in tally.failed.items()} == {
        thread_of(0)["id"]: "its created_at is no time in Unix seconds",
        thread_of(1)["id"]: "its user is no text",
        thread_of(2)["id"]: "its created_at is no time in Unix seconds",
    }
    assert tally.threads == {"new": 3}
    assert not tally.complete


def test_what_is_not_known_of_a_thread_is_counted_and_the_thread_comes(tmp_path: Path) -> None:
    with hosted(3, 2) as app:
        odd: list[Json] = [
            {"status": {"type": "melted"}, "title": 7},
            {"metadata": {"a": 1}, "tags": []},
            {"status": None},
        ]
        for number, members in enumerate(odd):
            app.threads[thread_of(number)["id"]] |= members
        tally = imported(tmp_path, app)
        again = imported(tmp_path, app)
    assert tally.complete
    assert tally.threads == {"new": 3}
    assert {kind: count for kind, count in tally.left_out.items() if "thread" in kind} == {
        "status {'type': 'melted'} of threads, which became 'active'": 1,
        "status None of threads, which became 'active'": 1,
        "members 'metadata' of threads": 1,
    }
    assert again.left_out == tally.left_out
    assert {row[5] for row in content(tmp_path)["thread"]} <= {None, "Thread 1", "Thread 2"}


@pytest.mark.parametrize("command", [(), ("--dry-run",)])
def test_a_wrong_key_ends_it_with_what_the_api_says(tmp_path: Path, command: tuple[str, ...]) -> None:
    with hosted(2, 5) as app:
        done = chatdock(tmp_path, "import", "openai", "--base-url", app.url, "--api-key", "sk-wrong", *command)
    assert done.returncode == 1
    assert b"HTTP 401: Incorrect API key provided." in done.stdout
    assert b"sk-wrong" not in done.stdout + done.stderr
    assert app.total() == 1


def test_what_cannot_be_carried_is_counted_by_kind_and_the_rest_comes(tmp_path: Path) -> None:
    thread_id = thread_of(0)["id"]
    good = item_of(thread_id, 1)
    odd: list[Any] = [
        {**good, "id": "cti_1", "type": "chatkit.hologram"},
        {**good, "id": "cti_2", "type": "chatkit.hologram"},
        {**good, "id": "cti_3", "content": None},
        {**item_of(thread_id, 3), "id": "cti_4", "widget": "no JSON"},
        {**item_of(thread_id, 2), "id": "cti_5", "arguments": "[1]"},
    ]
    with hosted(1, 0) as app:
        app.items[thread_id] = [*odd[:2], good, *odd[2:]]
        done = chatdock(tmp_path, "import", "openai", "--base-url", app.url)
        assert [row[2] for row in content(tmp_path)["item"]] == [good["id"]]
        again = chatdock(tmp_path, "import", "openai", "--base-url", app.url)
    for result in (done, again):
        assert result.returncode == 0, result.stderr
        told = result.stdout.decode()
        assert "2 items of type 'chatkit.hologram'" in told
        for kind in ("assistant_message", "widget", "client_tool_call"):
            assert f"1 items of type 'chatkit.{kind}' that are not as the API describes them" in told
    assert "1 threads new" in done.stdout.decode()
    assert "1 threads had nothing new" in again.stdout.decode()


def test_text_that_is_half_a_character_comes_mended(tmp_path: Path) -> None:
    thread_id = thread_of(0)["id"]
    with hosted(1, 0) as app:
        broken = item_of(thread_id, 1)
        app.items[thread_id] = [broken]
        app.escape = ("Answer 1", "Answer \\ud83d 1")
        assert imported(tmp_path, app).items == 1
    [row] = content(tmp_path)["item"]
    assert json.loads(row[4])["content"][0]["text"].startswith("Answer � 1")


def test_a_dry_run_reads_everything_and_stores_nothing(tmp_path: Path) -> None:
    with hosted(5, 120) as app:
        done = chatdock(tmp_path, "import", "openai", "--base-url", app.url, "--dry-run")
    told = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    assert "stored nothing: 600 items of 5 threads" in told
    assert "5 attachments: name" in told
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_on_a_database_changes_nothing(tmp_path: Path) -> None:
    with hosted(3, 5) as app:
        imported(tmp_path, app)
        before = content(tmp_path, "thread", "item", "imported_thread")
        app.count, app.threads = 8, app.threads | {thread_of(9)["id"]: thread_of(9)}
        app.items[thread_of(1)["id"]] = [item_of(thread_of(1)["id"], number) for number in (0, 1, 9)]
        tally = imported(tmp_path, app, dry_run=True)
        assert tally.threads == {"newer": 3, "new": 1}
        assert tally.items == 2 * 3 + 1 + 8
        assert content(tmp_path, "thread", "item", "imported_thread") == before


def test_threads_of_one_user(tmp_path: Path) -> None:
    with hosted(205, 1) as app:
        tally = imported(tmp_path, app, user="user_3")
        assert tally.threads == {"new": 3}
        assert {row[2] for row in content(tmp_path)["thread"]} == {"user_3"}
        assert imported(tmp_path, app).threads == {"new": 202, "unchanged": 3}


def test_an_answer_that_was_given_again_replaces_the_one_that_was_read(tmp_path: Path) -> None:
    thread_id = thread_of(0)["id"]
    with hosted(2, 4) as app:
        imported(tmp_path, app)
        app.items[thread_id] = [*app.items_of(thread_id)[:3], item_of(thread_id, 8), item_of(thread_id, 9)]
        tally = imported(tmp_path, app)
        assert tally.threads == {"newer": 1, "unchanged": 1}
        assert imported(tmp_path, app).threads == {"unchanged": 2}
    with serving(tmp_path, [recall]) as server:
        assert [e["id"] for e in rest_items(server, thread_id)] == [e["id"] for e in app.items[thread_id]]
        server.backend.chat("user_0").send(thread_id, "And now?")
        assert len(rest_items(server, thread_id)) == 7


def test_a_thread_that_goes_away_while_it_is_read_is_not_stored(tmp_path: Path) -> None:
    with hosted(2, 250) as app:
        gone = thread_of(1)["id"]

        def delete(_number: int) -> None:
            if app.requests[f"threads/{gone}/items"] == 2:
                app.threads.pop(gone, None)

        app.on_request = delete
        tally = imported(tmp_path, app)
    assert tally.threads == {"new": 1, "gone": 1}
    for table, rows in content(tmp_path, "thread", "item", "imported_thread").items():
        assert {row[0] for row in rows} == {thread_of(0)["id"]}, table


def test_a_thread_cannot_be_seen_before_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_TRIES", 2)
    thread_id = thread_of(0)["id"]
    with hosted(1, 250) as app:
        _fail_at_second_page(app, thread_id)
        tally = imported(tmp_path, app)
        assert set(tally.failed) == {thread_id}
        assert content(tmp_path)["thread"] == []
        app.on_request = lambda number: None
        app.failing.clear()
        pages = app.requests[f"threads/{thread_id}/items"]
        assert imported(tmp_path, app).threads == {"new": 1}
        assert app.requests[f"threads/{thread_id}/items"] - pages == 2  # the first page is not asked for again
    with serving(tmp_path, [recall]) as server:
        assert [e["id"] for e in rest_items(server, thread_id)] == [e["id"] for e in app.items_of(thread_id)]


def test_of_a_thread_that_has_no_end_what_came_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MAX_TRIES", 2)
    thread_id = thread_of(0)["id"]
    with hosted(1, 250) as app:
        _fail_at_second_page(app, thread_id)
        imported(tmp_path, app)
        tally = imported(tmp_path, app, keep_unfinished=True)
        assert tally.failed[thread_id].endswith("; what came before is stored")
        assert len(content(tmp_path)["item"]) == 100
        assert [row[0] for row in content(tmp_path)["thread"]] == [thread_id]
        app.on_request = lambda number: None
        app.failing.clear()
        assert imported(tmp_path, app).threads == {"newer": 1}
    with serving(tmp_path, [recall]) as server:
        assert [e["id"] for e in rest_items(server, thread_id)] == [e["id"] for e in app.items_of(thread_id)]


def _fail_at_second_page(app: FakeHosted, thread_id: str) -> None:
    def fail(_number: int) -> None:
        if app.requests[f"threads/{thread_id}/items"] >= 2:
            app.failing.add(thread_id)

    app.on_request = fail


def test_without_a_key_nothing_is_asked(tmp_path: Path) -> None:
    done = chatdock(tmp_path, "import", "openai", "--api-key", "")
    assert done.returncode == 1
    assert b"OPENAI_API_KEY" in done.stderr


@pytest.mark.parametrize(("base_url", "key"), [("api.openai.com/v1", "sk-1"), ("http://127.0.0.1:9/v1", "sk-…")])
def test_an_address_or_a_key_that_cannot_be_used_is_said_at_once(tmp_path: Path, base_url: str, key: str) -> None:
    done = chatdock(tmp_path, "import", "openai", "--api-key", key, "--base-url", base_url)
    assert done.returncode == 1
    assert done.stderr.startswith(b"chatdock: ")
    assert b"Traceback" not in done.stderr
