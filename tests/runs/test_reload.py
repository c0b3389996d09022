"""`--reload`: an edited file answers, a broken one leaves the server as it was, and the port is never closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.harness.client import ApiFailure
from tests.harness.server import ProcessServer, eventually
from tests.runs.wire import creating, resuming

pytestmark = pytest.mark.slow

FLOWS = """
from chatdock import workflow
from words import greeting

@workflow("wf_test")
async def answer(turn):
    if turn.text == "hang":
        import asyncio
        yield "hanging"
        await asyncio.Event().wait()
    yield greeting
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The author's folder: a workflow file and a module that it imports."""
    made = tmp_path / "author"
    made.mkdir()
    (made / "flows.py").write_text(FLOWS)
    write(made, "one")
    return made


def write(folder: Path, greeting: str) -> None:
    """Let the workflow answer with this."""
    (folder / "words.py").write_text(f"greeting = {greeting!r}\n")


@pytest.fixture
def server(tmp_path: Path, folder: Path) -> Iterator[ProcessServer]:
    """A server that reloads."""
    with ProcessServer(tmp_path, str(folder / "flows.py"), "--reload") as running:
        yield running


def answer(server: ProcessServer, thread_id: str | None = None) -> str | None:
    """What a message is answered, in a new thread or in this one; None while one server takes another's place."""
    try:
        chat = server.backend.chat()
        return (chat.send(thread_id) if thread_id else chat.create()).text
    except ApiFailure as failure:
        if failure.error["code"] != "server_stopping":
            raise
    except (httpx.RemoteProtocolError, httpx.ReadError):
        pass  # the connection was the old server's
    return None


def answers(server: ProcessServer, text: str) -> Callable[[], bool]:
    return lambda: answer(server) == text


def test_an_edit_is_answered_and_a_broken_one_is_told_while_the_last_that_loaded_answers(
    server: ProcessServer, folder: Path
) -> None:
    assert answer(server) == "one"
    write(folder, "two")
    eventually(answers(server, "two"), what="the edited answer")
    write(folder, "six")  # as long as before, so that nothing but its content tells it from the last one
    eventually(answers(server, "six"), what="the edited answer")

    (folder / "words.py").write_text("greeting = (\n")
    told = f"{folder}/words.py:1: '(' was never closed (on the way from {folder}/flows.py:3)"
    eventually(lambda: told in server.output(), what="the reason")
    eventually(lambda: "The last version that loaded goes on answering" in server.output())
    assert answer(server) == "six"

    write(folder, "mended")
    eventually(answers(server, "mended"), what="the mended answer")
    assert "Traceback" not in server.output()


def test_what_does_not_load_at_the_start_is_waited_for_with_the_port_open(tmp_path: Path, folder: Path) -> None:
    (folder / "words.py").write_text("greting = 'one'\n")
    server = ProcessServer(tmp_path, str(folder / "flows.py"), "--reload")
    starter = threading.Thread(target=server.start)
    starter.start()
    eventually(lambda: server.database.parent.joinpath("server.log").exists() and "Requests wait" in server.output())
    assert f"{folder}/flows.py:3: ImportError: cannot import name 'greeting' from 'words'" in server.output()
    write(folder, "mended")
    starter.join(60)
    try:
        assert answer(server) == "mended"
    finally:
        server.__exit__()


def test_no_request_meets_a_closed_port(server: ProcessServer, folder: Path) -> None:
    refused: list[Exception] = []
    statuses: set[int] = set()
    over = threading.Event()

    def knock() -> None:
        while not over.is_set():
            try:
                statuses.add(httpx.get(f"{server.url}/healthz", timeout=30, verify=False).status_code)
            except httpx.ConnectError as error:
                refused.append(error)
            except httpx.TransportError:
                pass  # a connection of the old server's that it closed as it ended

    knocking = threading.Thread(target=knock)
    knocking.start()
    try:
        write(folder, "two")
        eventually(answers(server, "two"), what="the edited answer")
    finally:
        over.set()
        knocking.join()
    assert not refused
    assert statuses == {200}


def test_a_live_run_is_ended_properly_and_its_client_resumes(server: ProcessServer, folder: Path) -> None:
    chat = server.backend.chat()
    reader = creating(chat, "hang")
    turn = reader.wait_for(lambda turn: turn.text == "hanging")
    write(folder, "two")
    assert reader.wait().outcome == "failed"
    assert reader.turn.events[-1]["allow_retry"] is True
    again = resuming(chat, turn.thread_id, f"{turn.run_id}:1").wait()
    assert again.text == "hanging"
    assert again.outcome == "failed"
    eventually(lambda: answer(server, turn.thread_id) == "two", what="the next answer")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_with_its_parent(server: ProcessServer, number: signal.Signals) -> None:
    assert server.process is not None
    children = psutil.Process(server.process.pid).children(recursive=True)
    server.process.send_signal(number)
    server.process.wait(20)
    assert server.process.returncode == 0
    eventually(lambda: not any(child.is_running() for child in children), what="the end of the children")


def test_a_parent_that_is_killed_leaves_no_server_behind(server: ProcessServer) -> None:
    assert server.process is not None
    children = psutil.Process(server.process.pid).children(recursive=True)
    server.kill()
    eventually(lambda: not any(child.is_running() for child in children), what="the end of the children")


@pytest.mark.parametrize(
    ("arguments", "hidden", "said"),
    [
        (["--reload"], "", "--reload watches the folders of its targets; name one"),
        (["flows.py", "--reload"], "watchfiles", "run: pip install 'chatdock[reload]'"),
    ],
)
def test_what_reload_lacks_is_said_at_the_start(tmp_path: Path, arguments: list[str], hidden: str, said: str) -> None:
    start = (
        "import sys, chatdock.cli, importlib.util\n"
        "found = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name: None if name == {hidden!r} else found(name)\n"
        "chatdock.cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", start, "serve", *arguments],
        cwd=tmp_path,
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said in done.stderr
    assert done.returncode == 1
