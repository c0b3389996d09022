"""kill -9: what was begun is ended at boot with what was said by then, what waited is answered, nothing is asked twice."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.harness.client import Chat, Json, Turn
from tests.harness.server import eventually
from tests.runs.forked import ForkedServer
from tests.runs.wire import Reader, creating, sending

RECOVERY_SECONDS = 2.0
WORKFLOW = """
import asyncio, pathlib
from chatdock import workflow

@workflow("wf_test")
async def answer(turn):
    with open(pathlib.Path(__file__).with_suffix(".asked"), "a") as asked:
        asked.write(turn.text + "\\n")
    yield f"{turn.text} begins "
    while turn.text in {"live", "first", "stopped"}:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if turn.text != "stopped":
                raise
    yield "and ends"
"""


class Crash:
    """A server with one run of each kind, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.target = folder / "answers.py"
        self.target.write_text(WORKFLOW)
        self.server = ForkedServer(folder, self.target, multitask_strategy="enqueue")
        self.chat = self.server.backend.chat()
        self.before: dict[str, Turn] = {}
        self.recovered_after = 0.0

    def happen(self) -> None:
        readers = {text: self._begun(text) for text in ("live", "first", "stopped")}
        readers["done"] = creating(self.chat, "done")
        eventually(lambda: readers["done"].ended)
        readers["queued"] = sending(self.chat, readers["first"].turn.thread_id, "queued")
        readers["queued"].wait_for(lambda turn: turn.of("stream_options"))
        cancelling = threading.Thread(target=self._cancel, args=(readers["stopped"].turn.thread_id,))
        cancelling.start()
        eventually(self._cancel_is_stored)
        self.server.kill()
        cancelling.join()
        self.before = {text: reader.wait() for text, reader in readers.items()}
        ready = self.server.start()
        eventually(lambda: not any(self.is_live(text) for text in self.before), seconds=RECOVERY_SECONDS)
        self.recovered_after = time.monotonic() - ready

    def is_live(self, text: str) -> bool:
        return "active_run" in self.thread(text)

    def thread(self, text: str) -> Json:
        """The thread in which this was said."""
        return self.chat.call("threads.get_by_id", thread_id=self.before[text].thread_id)

    def after(self, text: str) -> Turn:
        """The turn as it is replayed now."""
        turn = self.before[text]
        first, *_ = turn.frames
        rest = self.chat.stream("threads.resume", thread_id=turn.thread_id, starting_after=first.id)
        return Turn([first, *rest])

    def asked(self) -> list[str]:
        """What the workflow was asked, over all its lives."""
        return self.target.with_suffix(".asked").read_text().split()

    def _begun(self, text: str) -> Reader:
        reader = creating(self.chat, text)
        reader.wait_for(lambda turn: turn.text == f"{text} begins ")
        return reader

    def _cancel(self, thread_id: str) -> None:
        with suppress(httpx.TransportError), self.server.backend.chat_with(self.chat.secret).http as http:
            http.post("/v1/chatkit/conversation", json={"type": "threads.cancel", "params": {"thread_id": thread_id}})

    def _cancel_is_stored(self) -> bool:
        connection = sqlite3.connect(self.server.database)
        try:
            return bool(connection.execute("SELECT 1 FROM run WHERE cancel_requested AND status = 'running'").fetchone())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crash]:
    folder = tmp_path_factory.mktemp("crash")
    (folder / "answers.py").write_text(WORKFLOW)
    with ForkedServer(folder, folder / "answers.py", multitask_strategy="enqueue") as server:
        crash = Crash.__new__(Crash)
        crash.__init__(folder)  # type: ignore[misc]
        yield crash
