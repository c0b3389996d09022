"""Whatever users do in whatever order, also across restarts: the server does what a small model of it says."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.harness.client import Chat, Frame, message
from tests.harness.server import ThreadServer, eventually, serving
from tests.runs.folding import fold
from tests.runs.model import PARTIAL, Model, Run, Thread
from tests.runs.stage import Stage
from tests.runs.wire import Reader, resuming

UNLIMITED: dict[str, Any] = {"user_run_limit": 1000, "session_response_limit": 1000, "user_response_limit": 1000}
"""What the model knows nothing of."""
EXAMPLES, STEPS = 34, 40
BETWEEN_RESTARTS = 12
KEYS = st.sampled_from([None, None, "red", "green"])
PICK = st.integers(0, 1 << 16)


class Client:
    """One run as its tab sees it: reads, hangs up, resumes with the last id that it knows."""

    def __init__(self, reader: Reader) -> None:
        self.reader: Reader | None = reader
        self.earlier: list[Frame] = []

    @property
    def frames(self) -> list[Frame]:
        """Everything it has got."""
        return [*self.earlier, *(self.reader.frames if self.reader else [])]

    def hang_up(self) -> None:
        """Remember what came."""
        if self.reader is not None:
            self.earlier += self.reader.drop().frames
            self.reader = None


class ServerAndModel(RuleBasedStateMachine):
    """Does everything to both."""

    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.model = Model()
        self.stage = Stage()
        self.ids: dict[int, str] = {}
        self.watchers: dict[int, Reader] = {}
        self.clients: dict[int, Client] = {}
        self.requests: dict[str, tuple[str, dict[str, Any]]] = {}
        self.running: AbstractContextManager[ThreadServer] | None = None
        self.server: ThreadServer
        self.chat: Chat
        self.touched: int | None = None
        self.since_restart = 0

    @initialize()
    def start(self) -> None:
        self._serve(None)

    # Messages

    @rule(key=KEYS)
    def create(self, key: str | None) -> None:
        text = self.model.new_text()
        expected = self.model.create(text, key)
        reader = self._request("threads.create", {"input": message(text)}, key, expected)
        if reader is not None and isinstance(expected, Run):
            index = self.model.born - 1 if expected.number == self.model.numbers else None
            self._begun(reader, expected, index)

    @precondition(lambda self: self.model.threads)
    @rule(pick=PICK, key=KEYS)
    def send(self, pick: int, key: str | None) -> None:
        index, _ = self._thread(pick)
        text = self.model.new_text()
        expected = self.model.send(index, text, key)
        reader = self._request(
            "threads.add_user_message", {"thread_id": self.ids[index], "input": message(text)}, key, expected
        )
        if reader is not None and isinstance(expected, Run):
            self._begun(reader, expected, index)

    @precondition(lambda self: self.model.threads)
    @rule(pick=PICK, which=PICK)
    def retry(self, pick: int, which: int) -> None:
        index, thread = self._thread(pick)
        questions = [position for position, (kind, _) in enumerate(thread.items) if kind == "user"]
        position = questions[which % len(questions)]
        item = self.chat.items(self.ids[index])[position]
        expected = self.model.retry(index, position)
        params = {"thread_id": self.ids[index], "item_id": item["id"]}
        reader = self._request("threads.retry_after_item", params, None, expected)
        if reader is not None and isinstance(expected, Run):
            self._begun(reader, expected, index)

    @precondition(lambda self: self.requests)
    @rule(pick=PICK)
    def repeat_with_its_key(self, pick: int) -> None:
        key = list(self.requests)[pick % len(self.requests)]
        operation, params = self.requests[key]
        request, run = self.model.keys[key]
        present = any(run in thread.runs for thread in self.model.threads.values())
        reader = Reader(self.chat, operation, headers={"idempotency-key": key}, **params)
        if not present:
            reader.wait()
            assert reader.status == 404, request
            return
        whole = self.watchers[run.number].frames
        eventually(lambda: len(reader.frames) >= len(whole), what=f"what {key} stands for")
        assert reader.frames[: len(whole)] == whole
        reader.drop()

    # The workflow

    @precondition(lambda self: self._live())
    @rule(pick=PICK)
    def say(self, pick: int) -> None:
        _, run = self._live_run(pick)
        self.model.say(run, PARTIAL)
        self.stage.say(run.question, PARTIAL)
        self.watchers[run.number].wait_for(lambda turn: turn.text == run.said)

    @precondition(lambda self: self._live())
    @rule(pick=PICK, fails=st.booleans())
    def end(self, pick: int, fails: bool) -> None:
        index, run = self._live_run(pick)
        if fails:
            self.stage.say(run.question, ValueError("scripted"))
        else:
            self.stage.end(run.question)
        self.model.end(index, "failed" if fails else "completed", error=fails)
        self._ended(run)

    # What users do beside talking

    @precondition(lambda self: self.model.threads)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        index, thread = self._thread(pick)
        run = self.model.end(index, "cancelled")
        for _ in range(2):
            answer = self.chat.call("threads.cancel", thread_id=self.ids[index])
            assert answer["run"]["status"] == thread.runs[-1].outcome
            assert answer["run"]["id"] == self.watchers[thread.runs[-1].number].turn.run_id
        if run is not None:
            self._ended(run)

    @precondition(lambda self: self.clients)
    @rule(pick=PICK)
    def disconnect(self, pick: int) -> None:
        list(self.clients.values())[pick % len(self.clients)].hang_up()

    @precondition(lambda self: self._away())
    @rule(pick=PICK)
    def resume(self, pick: int) -> None:
        away = self._away()
        index, run = away[pick % len(away)]
        client = self.clients[run.number]
        last = next((frame.id for frame in reversed(client.earlier) if frame.id), None)
        if last is None or (client.earlier and client.earlier[-1].comment):
            return
        client.reader = resuming(self.chat, self.ids[index], last)
        expected = self.watchers[run.number].frames
        eventually(lambda: client.frames == expected, what="the rest")

    @precondition(lambda self: self._live())
    @rule(pick=PICK)
    def join(self, pick: int) -> None:
        index, run = self._live_run(pick)
        expected = fold(self.watchers[run.number].frames)
        tab = resuming(self.chat, self.ids[index])
        tab.wait_for(lambda turn: fold(turn.frames) == expected, what="the snapshot")
        tab.drop()

    @precondition(lambda self: len(self.model.threads) > 2)
    @rule(pick=PICK)
    def delete(self, pick: int) -> None:
        index, thread = self._thread(pick)
        for status in (200, 404):
            assert self.model.delete(index) == status
            assert self.chat.post("threads.delete", {"thread_id": self.ids[index]}).status_code == status
        for run in thread.runs:
            self.watchers[run.number].wait()
            client = self.clients.pop(run.number, None)
            if client is not None:
                client.hang_up()

    @precondition(lambda self: self.since_restart >= BETWEEN_RESTARTS)
    @rule()
    def restart(self) -> None:
        self.since_restart = 0
        self._stop()
        live = [run for thread in self.model.threads.values() if (run := thread.live)]
        self.model.restart()
        for run in live:
            self._ended(run)
        self._serve(self.chat.secret)

    # What must be true after every step

    @invariant()
    def every_thread_is_as_the_model_says(self) -> None:
        type(self).steps += 1
        self.since_restart += 1
        if not self.ids:
            return
        listed = self.chat.call("threads.list", limit=100)["data"]
        assert {thread["id"] for thread in listed} == {self.ids[index] for index in self.model.threads}
        if self.touched in self.model.threads:
            assert self.touched is not None
            self._compare(self.touched)

    def teardown(self) -> None:
        try:
            for index in self.model.threads:
                self._compare(index)
        finally:
            self._stop()
            for reader in list(Reader.running):
                reader.drop()
            self.folder.cleanup()

    def _compare(self, index: int) -> None:
        thread = self.model.threads[index]
        items = self.chat.items(self.ids[index])
        shown = [(item["type"].removesuffix("_message"), item["content"][0]["text"]) for item in items]
        assert shown == thread.items
        active = self.chat.call("threads.get_by_id", thread_id=self.ids[index]).get("active_run")
        assert (active is not None) == (thread.live is not None)

    def _serve(self, secret: str | None) -> None:
        self.running = serving(Path(self.folder.name), [self.stage.workflow], drain_timeout=0, **UNLIMITED)
        self.server = self.running.__enter__()
        self.chat = self.server.backend.chat_with(secret) if secret else self.server.backend.chat()

    def _stop(self) -> None:
        if self.running is not None:
            running, self.running = self.running, None
            self.server.call(self.server.world.engine.drain)
            running.__exit__(None, None, None)

    def _request(self, operation: str, params: dict[str, Any], key: str | None, expected: Run | int) -> Reader | None:
        headers = {} if key is None else {"idempotency-key": key}
        reader = Reader(self.chat, operation, headers=headers, **params)
        eventually(lambda: reader.status, what="an answer")
        if isinstance(expected, int):
            reader.wait()
            assert reader.status == expected
            return None
        assert reader.status == 200
        if key is not None:
            self.requests[key] = operation, params
        return reader

    def _begun(self, reader: Reader, run: Run, index: int | None) -> None:
        turn = reader.wait_for(lambda turn: turn.of("stream_options"))
        if index is not None:
            self.ids[index] = turn.thread_id if turn.of("thread.created") else self.ids[index]
            self.touched = index
        self.watchers[run.number] = reader
        follow = resuming(self.chat, turn.thread_id if index is None else self.ids[index], f"{turn.run_id}:0")
        self.clients[run.number] = Client(follow)

    def _ended(self, run: Run) -> None:
        """The run's stream says what the model says, to everybody who listens."""
        turn = self.watchers[run.number].wait()
        assert turn.outcome == run.outcome
        assert turn.text == run.said
        assert bool(turn.of("error")) == run.error
        assert [frame.sequence for frame in turn.frames[:-1]] == list(range(1, len(turn.frames)))
        client = self.clients[run.number]
        if client.reader is not None:
            client.reader.wait()
            assert client.frames == turn.frames

    def _thread(self, pick: int) -> tuple[int, Thread]:
        self.touched = list(self.model.threads)[pick % len(self.model.threads)]
        return self.touched, self.model.threads[self.touched]

    def _live(self) -> list[tuple[int, Run]]:
        return [(index, run) for index, thread in self.model.threads.items() if (run := thread.live)]

    def _live_run(self, pick: int) -> tuple[int, Run]:
        live = self._live()
        self.touched, run = live[pick % len(live)]
        return self.touched, run

    def _away(self) -> list[tuple[int, Run]]:
        """Runs whose client hung up, in threads that are there."""
        return [
            (index, run)
            for index, thread in self.model.threads.items()
            for run in thread.runs
            if run.number in self.clients and self.clients[run.number].reader is None
        ]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_server_does_what_its_model_says() -> None:
    ServerAndModel.steps = 0
    run_state_machine_as_test(
        ServerAndModel,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # to shrink would be to wait for each deadline many times over
        ),
    )
    print(f"{ServerAndModel.steps} steps")
    assert ServerAndModel.steps >= 1000
