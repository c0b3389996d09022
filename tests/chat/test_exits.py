"""What is no `Exception`, raised beside an answer: by an action, a titler, a transcriber, a listener to feedback."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from chatdock import Turn, workflow
from tests.harness.client import Backend
from tests.harness.server import serving


class Panic(BaseException):
    """As what native libraries raise."""


RAISED: dict[str, type[BaseException]] = {
    kind.__name__: kind for kind in (Panic, GeneratorExit, KeyboardInterrupt, SystemExit, asyncio.CancelledError)
}


@workflow("wf_test")
async def answer(turn: Turn) -> AsyncIterator[str]:
    yield turn.text


@answer.sync_action
async def act(turn: Turn) -> None:
    assert turn.action is not None
    raise RAISED[turn.action.type]


@answer.transcriber
async def hear(audio: Any) -> str:
    raise RAISED[audio.data.decode()]


@answer.titler
async def name(turn: Turn) -> str:
    if turn.text == "at once":
        return "made"
    await asyncio.sleep(0)
    raise RAISED[turn.text]


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with serving(tmp_path_factory.mktemp("exits"), [answer]) as server:
        yield server.backend


@pytest.mark.parametrize("raised", RAISED)
def test_an_action_that_exits_is_an_action_that_failed(backend: Backend, raised: str) -> None:
    chat = backend.chat()
    thread_id = chat.create("at once").thread_id
    action = {"type": raised, "payload": None}
    response = chat.post("threads.sync_custom_action", {"thread_id": thread_id, "action": action})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "action_failed"


@pytest.mark.parametrize("raised", RAISED)
def test_a_transcriber_that_exits_is_one_that_failed(backend: Backend, raised: str) -> None:
    said = {"audio_base64": base64.b64encode(raised.encode()).decode(), "mime_type": "audio/webm"}
    response = backend.chat().post("input.transcribe", said)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "transcription_failed"


@pytest.mark.parametrize("raised", RAISED)
def test_a_titler_that_exits_costs_the_title_alone(backend: Backend, raised: str) -> None:
    chat = backend.chat()
    turn = chat.create(raised)
    assert (turn.outcome, turn.text) == ("completed", raised)
    assert chat.create("at once").outcome == "completed"
