"""SIGTERM: what is nearly done finishes, what hangs is ended properly, new work is sent elsewhere, the process goes."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatdock.app import create_app
from chatdock.server import Server, listen
from chatdock.settings import Settings
from chatdock.world import World
from tests.harness.client import Chat, message
from tests.harness.server import API_KEY, DEADLINE, ProcessServer, eventually
from tests.runs.wire import creating, resuming

WORKFLOWS = """
import asyncio
from chatdock import workflow

@workflow("wf_test")
async def answer(turn):
    yield f"{turn.text} begins "
    if turn.text == "short":
        await asyncio.sleep(1.5)
    elif turn.text == "hanging":
        await asyncio.Event().wait()
    elif turn.text == "stubborn":
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass
    yield "and ends"
"""

pytestmark = pytest.mark.slow

Start = Callable[..., ProcessServer]

FOREVER = "3600"
"""Seconds that no test waits for: what ends before has not been waited for."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a server in a process of its own."""
    target = tmp_path / "answers.py"
    target.write_text(WORKFLOWS)
    servers: list[ProcessServer] = []

    def start(**settings: str) -> ProcessServer:
        environment = {f"CHATDOCK_{name.upper()}": value for name, value in settings.items()}
        servers.append(ProcessServer(tmp_path, str(target), environment=environment))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__()


@contextmanager
def _client(server: ProcessServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=5, verify=False) as client:
        yield client


def _last(chat: Chat, thread_id: str) -> str:
    return str(chat.items(thread_id)[-1]["content"][0]["text"])


def test_an_idle_server_goes_at_once(start: Start) -> None:
    server = start(drain_timeout=FOREVER)
    assert server.backend.chat().create("nothing").outcome == "completed"
    server.terminate()
    assert server.process is not None
    assert server.process.returncode == 0


def test_a_server_with_live_runs_drains(start: Start) -> None:
    server = start()
    chat = server.backend.chat()
    short, hanging = creating(chat, "short"), creating(chat, "hanging")
    for reader, name in ((short, "short"), (hanging, "hanging")):
        reader.wait_for(lambda turn, name=name: turn.text == f"{name} begins ")  # type: ignore[misc]
    follower = resuming(chat, hanging.turn.thread_id)
    follower.wait_for(lambda turn: turn.frames)
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)

    with _client(server) as client:
        eventually(lambda: client.get("/readyz").status_code == 503, what="the drain")
        _new_work_is_refused(client, chat, short.turn.thread_id)
        assert client.get("/healthz").status_code == 200
        assert chat.items(short.turn.thread_id), "reading goes on"

    assert short.wait().outcome == "completed"
    assert short.turn.text == "short begins and ends"
    ended = hanging.wait()
    assert ended.outcome == follower.wait().outcome == "failed"
    assert ended.events[-1]["type"] == "error"
    assert ended.events[-1]["allow_retry"] is True
    assert "stopped" in ended.events[-1]["message"]
    (kept,) = ended.done("assistant_message")
    assert kept["content"][0]["text"] == "hanging begins "
    server.process.wait(DEADLINE)
    assert server.process.returncode == 0

    server.start()
    assert _last(chat, short.turn.thread_id) == "short begins and ends"
    assert _last(chat, ended.thread_id) == "hanging begins "
    assert chat.call("threads.cancel", thread_id=ended.thread_id)["run"]["status"] == "failed"


def _new_work_is_refused(client: httpx.Client, chat: Chat, thread_id: str) -> None:
    for operation, params in [
        ("threads.create", {"input": message("new")}),
        ("threads.add_user_message", {"thread_id": thread_id, "input": message("new")}),
    ]:
        response = client.post(
            "/v1/chatkit/conversation",
            json={"type": operation, "params": params},
            headers={"authorization": f"Bearer {chat.secret}"},
        )
        _is_refused(response)
    _is_refused(
        client.post(
            "/v1/chatkit/sessions",
            json={"user": "new", "workflow": {"id": "wf_test"}},
            headers={"authorization": f"Bearer {API_KEY}"},
        )
    )
    listed = client.get("/v1/chatkit/threads", headers={"authorization": f"Bearer {API_KEY}"})
    assert len(listed.json()["data"]) == 2, "a refused request left a thread behind"


def _is_refused(response: httpx.Response) -> None:
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert response.json()["error"]["code"] == "server_stopping"


def test_a_workflow_that_ignores_its_end_does_not_hold_the_server(start: Start) -> None:
    server = start(drain_timeout="1")
    chat = server.backend.chat()
    reader = creating(chat, "stubborn")
    turn = reader.wait_for(lambda turn: turn.text)
    server.terminate()
    reader.wait()
    server.start()
    eventually(lambda: "active_run" not in chat.call("threads.get_by_id", thread_id=turn.thread_id))
    assert _last(chat, turn.thread_id) == "stubborn begins "
    assert chat.call("threads.cancel", thread_id=turn.thread_id)["run"]["status"] == "failed"


def test_a_second_signal_ends_the_server_at_once(start: Start) -> None:
    server = start(drain_timeout=FOREVER)
    chat = server.backend.chat()
    reader = creating(chat, "hanging")
    turn = reader.wait_for(lambda turn: turn.text)
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: httpx.get(f"{server.url}/readyz", timeout=5, verify=False).status_code == 503)
    server.terminate()
    assert reader.wait().outcome == "failed"
    assert "Traceback" not in server.output()
    server.start()
    assert "active_run" not in chat.call("threads.get_by_id", thread_id=turn.thread_id)
    assert _last(chat, turn.thread_id) == "hanging begins "


def test_a_signal_while_the_server_starts_ends_it_once_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/chatdock.db", api_keys=(API_KEY,))
    build = World.build

    async def build_and_be_stopped(*given: Any) -> World:
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(0)  # the loop hears of it
        return await build(*given)

    monkeypatch.setattr(World, "build", build_and_be_stopped)
    server = Server(create_app(settings, []), settings, "127.0.0.1", 0)
    server.run([listen("127.0.0.1", 0, settings)])
    gc.collect()  # a task whose failure nobody asked for tells it now
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
