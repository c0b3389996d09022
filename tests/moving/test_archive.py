"""`chatdock export` and `chatdock import FILE`: all of it, byte for byte, and nothing of what was cut or changed."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import resource
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatdock import Turn, workflow
from chatdock.conformance.samples import ITEMS, attachments
from chatdock.errors import Conflict
from chatdock.moving import archive, file_import
from chatdock.moving.export import export_threads
from chatdock.moving.file_import import Tally, import_file
from chatdock.protocol.frames import dump, dump_item
from chatdock.protocol.kinds import HIDDEN_TYPES
from chatdock.storage import attachments as attachment_records
from chatdock.storage import feedback, imports, items, threads
from chatdock.storage.database import Database, Tx
from chatdock.storage.threads import Scope
from tests.chat.shapes import Script, done, hidden
from tests.harness.client import CANARY
from tests.harness.server import serving
from tests.moving.database import chatdock, content, in_database

EVERY = [make for makes in ITEMS.values() for make in makes]
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def _counts(kind: str) -> str:
    return orjson.dumps({kind: 3}).decode()


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
objects = st.dictionaries(
    texts,
    st.recursive(
        st.none()
        | st.booleans()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.integers(-(2**53), 2**53)
        | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)
drawn_threads = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from(["user_1", "user_2"]),
        "session_id": texts,
        "created_at": st.integers(0, 2**52),
        "title": st.none() | texts,
        "status": st.sampled_from(["active", "locked", "closed"]),
        "status_reason": st.none() | texts,
        "allowed_image_domains": st.none() | st.lists(texts, max_size=2).map(lambda domains: json.dumps(domains)),
        "metadata": objects.map(json.dumps),
        "state": objects.map(json.dumps),
        "items": st.lists(st.tuples(st.integers(1, 3), st.sampled_from(EVERY)), max_size=8),
        "feedback": st.booleans(),
        "attachments": st.booleans(),
        "hosted": st.none()
        | st.fixed_dictionaries({"last_item_id": st.none() | texts, "left_out": texts.map(_counts)}),
    }
)


async def put(tx: Tx, number: int, thread: dict[str, Any], project: str = "default") -> None:
    """Store a drawn thread; between its items positions are free, as after a retry."""
    columns = dict(thread)
    thread_id = f"cthr_{number}"
    given, verdict, files = columns.pop("items"), columns.pop("feedback"), columns.pop("attachments")
    hosted = columns.pop("hosted")
    position = 0
    for order, (step, make) in enumerate(given):
        position += step
        item = make(thread_id, f"cti_{order}", NOW)
        # Hidden context may be null, and is stored with it.
        data = item.model_dump_json() if item.type in HIDDEN_TYPES else dump_item(item).decode()
        await items.add(tx, thread_id, item.id, item.type, data, position=position)
    await threads.add(tx, id=thread_id, project_id=project, next_position=position + 1, **columns)
    if hosted is not None:
        await imports.save(tx, thread_id, project, next_position=position, stored=True, read_at=None, **hosted)
    if verdict:
        await feedback.put(
            tx,
            thread_id=thread_id,
            item_id="cti_0",
            project_id=project,
            user_id=columns["user_id"],
            kind="negative",
            now=5,
        )
    for file in attachments(thread_id, thread_id) if files else ():
        data = dump(file).decode()
        scope = Scope(project, columns["user_id"])
        assert await attachment_records.save(tx, scope, file.id, thread_id=thread_id, data=data, upload=None, now=7)


def plain(number: int, count: int = 3) -> dict[str, Any]:
    """A thread without anything special."""
    return {
        "user_id": "user_1",
        "session_id": "",
        "created_at": 1_000_000 * number,
        "title": None,
        "status": "active",
        "status_reason": None,
        "allowed_image_domains": None,
        "metadata": "{}",
        "state": "{}",
        "items": [(1, EVERY[n % len(EVERY)]) for n in range(count)],
        "feedback": True,
        "attachments": True,
        "hosted": {"last_item_id": "cti_1", "left_out": "{}"},
    }


def filled(folder: Path, drawn: list[dict[str, Any]]) -> None:
    """Store threads in the folder's database."""

    async def fill(tx: Tx) -> None:
        for number, thread in enumerate(drawn):
            await put(tx, number, thread)

    in_database(folder, lambda database: database.write(fill))


def exported(folder: Path, **options: Any) -> bytes:
    """The folder's threads as JSON Lines."""

    async def work(database: Database) -> bytes:
        sink = io.BytesIO()
        await export_threads(database, Scope("default"), sink, **options)
        return sink.getvalue()

    return in_database(folder, work)


def imported(folder: Path, data: bytes) -> Tally:
    """Import JSON Lines into the folder's database."""
    return in_database(folder, lambda database: import_file(database, io.BytesIO(data)))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(drawn=st.lists(drawn_threads, min_size=1, max_size=4), batch=st.sampled_from([1, 3, 500]))
def test_what_was_exported_and_imported_is_exported_alike(drawn: list[dict[str, Any]], batch: int) -> None:
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as two,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(file_import, "BATCH", batch)
        filled(Path(one), drawn)
        first = exported(Path(one))
        tally = imported(Path(two), first)
        assert tally.stopped is None
        assert tally.threads == {"new": len(drawn)}
        assert exported(Path(two)) == first
        before, after = content(Path(one)), content(Path(two))
        assert content(Path(two), "imported_thread") == content(Path(one), "imported_thread")
        assert after["item"] == before["item"]
        assert after["feedback"] == before["feedback"]
        assert [row[:4] for row in after["attachment"]] == [row[:4] for row in before["attachment"]]
        assert imported(Path(two), first).threads == {"here": len(drawn)}
        assert content(Path(two)) == after


@pytest.fixture
def three(tmp_path: Path) -> bytes:
    """Three threads as JSON Lines; `tmp_path/there` holds an empty database."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    filled(tmp_path / "here", [plain(number) for number in range(3)])
    return exported(tmp_path / "here")


def whole_threads(data: bytes) -> int:
    return sum(line.startswith(b'{"type":"check"') for line in data.splitlines(keepends=True) if line.endswith(b"\n"))


@pytest.mark.slow
def test_of_a_file_that_was_cut_the_whole_threads_come_and_it_says_so(tmp_path: Path, three: bytes) -> None:
    for end in range(0, len(three), 97):
        folder = tmp_path / f"cut_{end}"
        folder.mkdir()
        cut = three[:end]
        tally = imported(folder, cut)
        assert tally.stopped is not None
        assert tally.threads.total() == whole_threads(cut)
        held = content(folder)
        assert len(held["thread"]) == whole_threads(cut)
        assert {row[0] for row in held["item"]} == {row[0] for row in held["thread"]}
        if end % 3 == 0:
            assert imported(folder, three).stopped is None
            assert exported(folder) == three


@pytest.mark.parametrize(
    "change",
    [
        (b'"next_position":4', b'"next_position":5'),
        (b'"kind":"negative"', b'"kind":"positive"'),
        (b'"user":"user_1"', b'"user":"user_2"'),
    ],
)
def test_a_thread_that_was_changed_is_not_stored_nor_what_follows(
    tmp_path: Path, three: bytes, change: tuple[bytes, bytes]
) -> None:
    lines = three.splitlines(keepends=True)
    second = next(n for n, line in enumerate(lines) if b'"id":"cthr_1"' in line)
    changed = b"".join(lines[:second]) + b"".join(lines[second:]).replace(*change, 1)
    assert changed != three
    tally = imported(tmp_path / "there", changed)
    assert "was changed" in str(tally.stopped)
    assert [row[0] for row in content(tmp_path / "there")["thread"]] == ["cthr_0"]


def drop(kind: bytes) -> Callable[[list[bytes]], list[bytes]]:
    def change(lines: list[bytes]) -> list[bytes]:
        first = next(n for n, line in enumerate(lines) if line.startswith(b'{"type":"%b"' % kind))
        return lines[:first] + lines[first + 1 :]

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (drop(b"thread"), "line 2: a thread should begin here"),
        (drop(b"item"), "was changed"),
        (drop(b"check"), "begins before the last one has ended"),
        (drop(b"header"), "not a file that `chatdock export` wrote"),
        (lambda lines: [*lines, lines[-1]], "something stands behind"),
        (lambda lines: [lines[0], lines[-1]], "does not fit"),
        (lambda lines: [lines[0], lines[1], lines[3], lines[2], *lines[4:]], "out of order"),
        (lambda lines: [lines[0], lines[1].replace(b'"status":"active"', b'"status":"odd"')], "line 2: thread.status"),
        (
            lambda lines: [lines[0], lines[1].replace(b'"title"', b'"new":1,"title"')],
            "line 2: thread.new",
        ),
        (lambda lines: [lines[0], lines[1], b'{"type":"item","position":1,"data":{"type":"odd"}}\n'], "line 3: "),
        (
            lambda lines: [line.replace(b"\n", b"\r\n") for line in lines],
            "line 3: it is not as `chatdock export` writes",
        ),
        (lambda lines: [b"Dear reader,\n", *lines], "not a file that `chatdock export` wrote"),
    ],
)
def test_a_file_that_is_not_as_export_writes_it_is_refused_with_the_line(
    tmp_path: Path, three: bytes, change: Callable[[list[bytes]], list[bytes]], told: str
) -> None:
    tally = imported(tmp_path / "there", b"".join(change(three.splitlines(keepends=True))))
    assert told in str(tally.stopped)


def test_a_file_of_a_newer_format_is_refused(tmp_path: Path, three: bytes) -> None:
    newer = three.replace(b'"version":1', b'"version":2', 1)
    tally = imported(tmp_path / "there", newer)
    assert (
        tally.stopped == "the file cannot be read on: the file has format version 2; this version of Chatdock reads 1"
    )
    assert not any(content(tmp_path / "there").values())


def test_what_an_interrupted_import_left_behind_is_no_hindrance(tmp_path: Path, three: bytes) -> None:
    async def leave(tx: Tx) -> None:
        for position in range(1, 9):
            item = EVERY[0]("cthr_1", f"cti_{9 - position}", NOW)
            await items.add(tx, "cthr_1", item.id, item.type, dump_item(item).decode(), position=position)

    in_database(tmp_path / "there", lambda database: database.write(leave))
    assert imported(tmp_path / "there", three).threads == {"new": 3}
    assert exported(tmp_path / "there") == three


def test_of_two_imports_at_once_neither_loses_anything(
    tmp_path: Path, three: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_import, "BATCH", 1)
    monkeypatch.setattr(file_import, "AHEAD", 1)

    async def both(database: Database) -> list[Tally | BaseException]:
        imports = (import_file(database, io.BytesIO(three)) for _ in range(2))
        return await asyncio.gather(*imports, return_exceptions=True)

    outcomes = in_database(tmp_path / "there", both)
    assert all(isinstance(outcome, Tally | Conflict) for outcome in outcomes), outcomes
    imported(tmp_path / "there", three)
    assert exported(tmp_path / "there") == three


async def _append(database: Database, stop: asyncio.Event) -> int:
    count = 3
    while not stop.is_set():
        item = EVERY[0]("cthr_0", f"cti_{count}", NOW)
        data = dump_item(item).decode()
        await database.write(lambda tx, item=item, data=data: items.add(tx, "cthr_0", item.id, item.type, data))  # type: ignore[misc]
        count += 1
    return count


def test_a_thread_is_exported_as_it_was_at_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatdock.moving.export.ITEMS", 5)
    filled(tmp_path, [plain(0)])

    async def work(database: Database) -> set[int]:
        stop = asyncio.Event()
        writing = asyncio.create_task(_append(database, stop))
        seen: set[int] = set()
        while len(seen) < 10:
            sink = io.BytesIO()
            await export_threads(database, Scope("default"), sink)
            lines = [orjson.loads(line) for line in sink.getvalue().splitlines()]
            positions = [line["position"] for line in lines if line["type"] == "item"]
            assert positions == list(range(1, lines[1]["next_position"]))
            seen.add(len(positions))
        stop.set()
        await writing
        return seen

    assert len(in_database(tmp_path, work)) == 10


@pytest.mark.slow
def test_threads_of_one_user_and_threads_since_a_day(tmp_path: Path) -> None:
    day = 86_400
    filled(tmp_path, [{**plain(day * number), "user_id": f"user_{number % 2}"} for number in range(4)])

    def ids(*options: str) -> list[str]:
        result = chatdock(tmp_path, "export", *options)
        assert result.returncode == 0, result.stderr
        return [entry["id"] for line in result.stdout.splitlines() if (entry := orjson.loads(line))["type"] == "thread"]

    assert ids() == ["cthr_0", "cthr_1", "cthr_2", "cthr_3"]
    assert ids("--user", "user_1") == ["cthr_1", "cthr_3"]
    assert ids("--since", "1970-01-03") == ["cthr_2", "cthr_3"]
    assert ids("--since", "1970-01-03T00:00:01") == ["cthr_3"]
    assert ids("--project", "other") == []


@workflow("wf_test")
async def keeper(turn: Turn) -> Script:
    """Counts in its state and remembers in hidden context."""
    turn.state["turns"] = turn.state.get("turns", 0) + 1
    yield done(hidden(turn, CANARY))
    remembered = [item for item in await turn.history() if item.type == "hidden_context_item"]
    yield f"Turn {turn.state['turns']}, {len(remembered)} notes"


@pytest.mark.slow
def test_a_server_goes_on_with_threads_that_were_moved_to_its_database(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    with serving(tmp_path / "old", [keeper]) as server:
        chat = server.backend.chat("ada")
        thread_id = chat.create("hello").thread_id
        answer = chat.items(thread_id)[-1]
        chat.call("items.feedback", thread_id=thread_id, item_ids=[answer["id"]], kind="positive")
        result = chatdock(tmp_path / "old", "export", "threads.jsonl.gz")
        assert result.returncode == 0, result.stderr
        shown = chat.items(thread_id)
    packed = (tmp_path / "old" / "threads.jsonl.gz").read_bytes()
    lines = gzip.decompress(packed)
    result = chatdock(tmp_path / "new", "import", "--project", "default", "-", stdin=lines)
    assert result.returncode == 0, result.stderr
    assert b"1 threads new" in result.stdout
    with serving(tmp_path / "new", [keeper]) as server:
        chat = server.backend.chat("ada")
        assert chat.items(thread_id) == shown
        chat.send(thread_id, "and now?")
        assert chat.items(thread_id)[-1]["content"][0]["text"] == "Turn 2, 2 notes"
        assert len(content(tmp_path / "new")["feedback"]) == 1
    # Packed too, whatever its name.
    assert chatdock(tmp_path / "new", "import", "-", stdin=packed).stdout == (
        b"Imported: 0 items of 0 threads.\n  1 threads left alone: here already\n"
    )
    # A compressed file that was cut.
    (tmp_path / "cut.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "third").mkdir()
    result = chatdock(tmp_path / "third", "import", str(tmp_path / "cut.jsonl.gz"))
    assert result.returncode == 1
    assert b"Stopped: the file cannot be read on" in result.stdout


@pytest.mark.slow
def test_an_export_that_fails_leaves_no_file_of_that_name(tmp_path: Path) -> None:
    filled(tmp_path, [plain(1)])
    (tmp_path / "taken").mkdir()
    result = chatdock(tmp_path, "export", "missing/threads.jsonl")
    assert result.returncode == 1
    assert result.stderr.startswith(b"chatdock: missing/threads.jsonl cannot be written: No such file or directory")
    result = chatdock(tmp_path, "import", "missing.jsonl")
    assert result.returncode == 1
    assert result.stderr.startswith(b"chatdock: missing.jsonl cannot be read: No such file or directory")
    result = chatdock(tmp_path, "export", "taken")
    assert result.returncode == 1
    assert sorted(path.name for path in tmp_path.iterdir() if "partial" in path.name) == []


def test_a_database_that_takes_no_more_is_said_once_and_what_was_stored_stays(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    filled(tmp_path / "here", [plain(number) for number in range(300)])
    (tmp_path / "all.jsonl").write_bytes(exported(tmp_path / "here"))
    chatdock(tmp_path / "there", "db", "upgrade")

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (350_000, resource.RLIM_INFINITY))

    done = chatdock(tmp_path / "there", "import", str(tmp_path / "all.jsonl"), preexec=full)
    assert done.returncode == 1
    assert done.stdout.decode().splitlines()[-1].startswith("Stopped: The server cannot store anything")
    assert done.stderr == b""
    stored = len(content(tmp_path / "there")["thread"])
    assert 0 < stored < 300
    assert f"{stored:,} threads new".encode() in done.stdout
    assert chatdock(tmp_path / "there", "import", str(tmp_path / "all.jsonl")).returncode == 0
    assert exported(tmp_path / "there") == exported(tmp_path / "here")


def test_what_is_not_there_is_not_exported_as_nothing(tmp_path: Path) -> None:
    done = chatdock(tmp_path, "export")
    assert done.returncode == 1
    assert done.stderr.startswith(f"chatdock: there is no database at {tmp_path}/chatdock.db".encode())
    assert list(tmp_path.iterdir()) == []


def test_a_long_thread_is_held_in_memory_a_piece_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatdock.moving.export.ITEMS", 7)
    monkeypatch.setattr(file_import, "BATCH", 7)
    filled(tmp_path, [plain(1, count=100)])
    first = exported(tmp_path)
    (tmp_path / "there").mkdir()
    most = 0
    kept = file_import._put

    async def watched(tx: Tx, project: str, block: Any) -> Any:
        nonlocal most
        most = max(most, len(block.items))
        return await kept(tx, project, block)

    monkeypatch.setattr(file_import, "_put", watched)
    imported(tmp_path / "there", first)
    assert most == 7
    assert exported(tmp_path / "there") == first


def test_the_description_of_the_format_is_true(three: bytes) -> None:
    lines = [orjson.loads(line) for line in three.splitlines()]
    assert lines[0] == archive.HEADER
    assert archive.__doc__ is not None
    kinds = list(dict.fromkeys(line["type"] for line in lines))
    described = [json.loads(f'"{kind}"') for kind in kinds if f'{{"type":"{kind}"' in archive.__doc__]
    assert described == kinds == ["header", "thread", "item", "feedback", "attachment", "hosted", "check", "end"]
