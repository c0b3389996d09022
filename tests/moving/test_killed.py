"""Imports that are killed, again and again: complete in the end, and nothing twice."""

from __future__ import annotations

import random
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.harness.hosted import FakeHosted, hosted, item_of
from tests.harness.server import eventually
from tests.moving.database import chatdock, command, content, environment

THREADS, ITEMS, LONG = 300, 20, 230
KILLS = 6
CONCURRENCY = 4

pytestmark = pytest.mark.slow


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(folder, *arguments), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def kill_at(folder: Path, app: FakeHosted, requests: int) -> None:
    """Run the import and kill it when it has sent so many requests."""
    until = app.total() + requests
    process: list[subprocess.Popen[bytes]] = []

    def kill(_number: int) -> None:
        if app.total() >= until and process:
            process[0].kill()

    app.on_request = kill
    process.append(start(folder, "import", "openai", "--base-url", app.url, "--concurrency", str(CONCURRENCY)))
    assert process[0].wait(60) == -9
    app.on_request = lambda number: None


@pytest.mark.timeout(300)
def test_an_import_from_hosted_chatkit_that_is_killed_goes_on(tmp_path: Path) -> None:
    chance = random.Random(7)
    with hosted(THREADS, ITEMS, faults=("429", "cut", "500"), every=40) as app:
        long = [thread_id for number, thread_id in enumerate(app.threads) if number % 50 == 20]
        for thread_id in long:
            app.items[thread_id] = [item_of(thread_id, number) for number in range(LONG)]
        for _ in range(KILLS):
            kill_at(tmp_path, app, chance.randint(10, 60))
        done = chatdock(tmp_path, "import", "openai", "--base-url", app.url)
        assert done.returncode == 0, done.stdout
        expected = {thread_id: [item["id"] for item in app.items_of(thread_id)] for thread_id in app.threads}
    found: dict[str, list[str]] = {}
    for thread_id, _position, item_id, _type, _data in sorted(content(tmp_path)["item"]):
        found.setdefault(thread_id, []).append(item_id)
    assert found == expected
    assert {row[0] for row in content(tmp_path)["thread"]} == set(app.threads)
    # What was stored before a kill is not read again from the start: only what was on its way then.
    assert app.first_pages.total() <= THREADS + KILLS * (CONCURRENCY + 1) + app.total() // app.every + 1


@pytest.mark.timeout(300)
def test_an_import_from_a_file_that_is_killed_goes_on(tmp_path: Path) -> None:
    chance = random.Random(8)
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    with hosted(150, 40) as app:
        first = next(iter(app.threads))
        app.items[first] = [item_of(first, number) for number in range(3000)]
        assert chatdock(source, "import", "openai", "--base-url", app.url).returncode == 0
    assert chatdock(source, "export", str(tmp_path / "all.jsonl")).returncode == 0
    chatdock(target, "db", "upgrade")
    with closing(sqlite3.connect(target / "chatdock.db")) as look:

        def held() -> int:
            count: int = look.execute("SELECT count(*) FROM item").fetchone()[0]
            return count

        def beyond(wanted: int) -> bool:
            return held() > wanted

        killed = 0
        while killed < 4:
            wanted = held() + chance.randint(100, 1500)
            process = start(target, "import", str(tmp_path / "all.jsonl"))
            if not _killed(process, partial(beyond, wanted)):
                break
            killed += 1
        assert killed
    assert chatdock(target, "import", str(tmp_path / "all.jsonl")).returncode == 0
    assert chatdock(target, "export", str(tmp_path / "again.jsonl")).returncode == 0
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "all.jsonl").read_bytes()


def _killed(process: subprocess.Popen[bytes], when: Callable[[], bool]) -> bool:
    """Kill a process as soon as something is so; False when it had ended by itself."""
    eventually(lambda: process.poll() is not None or when(), every=0.001, what="the moment of the kill")
    process.kill()
    return process.wait() == -9
