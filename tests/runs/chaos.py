"""Users who go on whatever happens to the server, and who remember what they were told."""

from __future__ import annotations

import random
import re
import sqlite3
import threading
import time
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import httpx

from tests.harness.client import Chat, message
from tests.runs.checker import Sent, named_frames
from tests.runs.forked import ForkedServer
from tests.runs.wire import Wire, complete

PATIENCE = 60.0
WORKFLOW = """
import asyncio, zlib
from chatkit.types import CustomTask, ThreadItemUpdatedEvent, WorkflowTaskAdded
from chatdock import workflow

@workflow("wf_test")
async def answer(turn):
    odd = zlib.crc32(turn.text.encode()) % 6
    for number in range(25):
        yield f"{turn.text}:{number} "
        await asyncio.sleep(0.02)
        if number == 12 and odd == 0:
            update = WorkflowTaskAdded(task_index=9, task=CustomTask())
            yield ThreadItemUpdatedEvent(item_id=turn.new_id(), update=update)
        if number == 12 and odd == 1:
            raise GeneratorExit
"""
"""One message in six is answered with an update that fits nothing, one with what no workflow should raise."""
MISFITS = (
    b'{"type":"thread.item.updated","item_id":"%b","update":{"type":"workflow.task.added","task_index":0,"task":{}}}',
    b'{"type":"thread.item.updated","item_id":"%b","update":'
    b'{"type":"assistant_message.content_part.text_delta","content_index":99999999999,"delta":"x"}}',
    b'{"type":"thread.item.updated","item_id":"%b","update":{"type":"widget.root.updated","widget":[]}}',
    b'{"type":"thread.item.added","item":{"type":"assistant_message","id":"%b-","content":[7]}}',
    b'{"type":"thread.item.updated","about":"%b"}',
    b'{"about":"%b"}',
)


class User(threading.Thread):
    """Creates threads, sends messages, hangs up now and then, and resumes what broke."""

    def __init__(self, server: ForkedServer, name: str, seed: str) -> None:
        super().__init__(name=name)
        self.history: list[Sent] = []
        self.refused: list[str] = []
        """Answers that no user should have got."""
        self.resumed = 0
        self.failure: BaseException | None = None
        self._chance = random.Random(seed)
        self._server = server
        self._chat: Chat = server.backend.chat(name)
        self._threads: list[str] = []
        self._enough = threading.Event()

    def stop(self) -> None:
        """Begin nothing new."""
        self._enough.set()

    def run(self) -> None:
        """Until stopped."""
        try:
            while not self._enough.is_set():
                self._take_a_turn(f"{self.name} {len(self.history)}")
        except BaseException as error:
            self.failure = error

    def _take_a_turn(self, text: str) -> None:
        sent = Sent(text)
        self.history.append(sent)
        deadline = time.monotonic() + PATIENCE
        if self._threads and self._chance.random() < 0.6:
            operation, params = "threads.add_user_message", {"thread_id": self._chance.choice(self._threads)}
        else:
            operation, params = "threads.create", {}
        while not sent.frames:  # the same key: it happens once, however often it is sent
            self._follow(sent, operation, {**params, "input": message(text)}, {"idempotency-key": text})
            assert time.monotonic() < deadline, f"{text!r} was never accepted"
        while sent.outcome is None:
            last = max(sent.frames, key=lambda name: int(name.rpartition(":")[2]))
            self.resumed += 1
            self._follow(sent, "threads.resume", {"thread_id": sent.thread_id, "starting_after": last})
            assert time.monotonic() < deadline, f"{text!r} never ended"
        if operation == "threads.create" and sent.thread_id:
            self._threads.append(sent.thread_id)

    def _follow(self, sent: Sent, operation: str, params: Any, headers: dict[str, str] | None = None) -> None:
        """One request, until its end, the server's end, or until this user hangs up."""
        limit = self._chance.randrange(3000) if self._chance.random() < 0.2 else 1 << 30
        with suppress(OSError, HTTPException, httpx.TransportError):
            wire = Wire(self._chat, operation, headers=headers, **params)
            try:
                status = wire.begin()
                if status == 401:
                    self._chat = self._server.backend.chat(self.name)  # the session has had its ten minutes
                    return
                if status != 200:
                    self.refused.append(f"{sent.text!r}: {operation} got {status}: {wire.rest()!r}")
                    return
                while len(wire.received) < limit and wire.read_some():
                    sent.acknowledged = True
            finally:
                self._remember(sent, wire.received)
                wire.close()
            return
        self._enough.wait(0.01)  # the server is gone; soon there is another

    def _remember(self, sent: Sent, received: bytes) -> None:
        for name, frame in named_frames(complete(received)):
            if name is not None:
                if name in sent.frames:
                    self.refused.append(f"{name} came twice")
                sent.frames[name] = frame
                sent.thread_id = sent.thread_id or _thread_of(frame)
            elif frame.startswith(b": ") and frame != b": keep-alive":
                sent.outcome = frame[2:].decode()


def spoil(database: Path, chance: random.Random) -> int:
    """Leave an event that makes no sense in each run that a dead server had under way; how many there were."""
    connection = sqlite3.connect(database)
    try:
        found = connection.execute(
            "SELECT run.id, max(last), max(data) FROM run JOIN frame ON run_id = run.id"
            " WHERE status = 'running' GROUP BY run.id"
        ).fetchall()
        for run_id, last, data in found:
            item = re.search(rb'"item_id":"(\w+)"', data)
            event = chance.choice(MISFITS) % (item[1] if item else b"cti_none")
            block = b"data: %b\n\nid: %b:%d\n\n" % (event, run_id.encode(), last + 1)
            connection.execute("INSERT INTO frame VALUES (?, ?, ?, ?)", (run_id, last + 1, last + 1, block))
        connection.commit()
        return len(found)
    finally:
        connection.close()


def _thread_of(frame: bytes) -> str | None:
    """The id of the thread that a frame names."""
    at = frame.find(b'"cthr_')
    return None if at < 0 else frame[at + 1 : frame.index(b'"', at + 1)].decode()
