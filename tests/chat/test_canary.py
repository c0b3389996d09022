"""The canary: what every client of the suite receives is searched for it. Here is the proof that it can be found."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from chatdock import Turn
from tests.chat.conftest import Stage
from tests.chat.shapes import Script
from tests.harness.client import CANARY, LEAKS, Leak, Watched


@pytest.fixture
def leaks() -> Iterator[list[str]]:
    """The suite's record of leaks, for a test that means to leak."""
    assert LEAKS == []
    yield LEAKS
    LEAKS.clear()


async def tells(turn: Turn) -> Script:
    yield f"The secret is {CANARY}."


def test_a_workflow_that_tells_the_secret_is_caught_in_the_stream_and_in_every_later_answer(
    stage: Stage, leaks: list[str]
) -> None:
    chat = stage.chat(tells)
    with pytest.raises(Leak):
        chat.create()
    [thread] = chat.call("threads.list")["data"]
    for operation in ("threads.get_by_id", "items.list"):
        with pytest.raises(Leak):
            chat.call(operation, thread_id=thread["id"])
    assert len(leaks) == 3


def test_it_is_found_across_the_chunks_of_a_body(leaks: list[str]) -> None:
    def cut(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=iter([b"abc", *(bytes([c]) for c in CANARY.encode()), b"def"]))

    with httpx.Client(transport=Watched(httpx.MockTransport(cut))) as http, pytest.raises(Leak):
        http.get("http://test/")
    assert len(leaks) == 1


def test_it_is_found_in_headers(leaks: list[str]) -> None:
    def header(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"x-title": f"a {CANARY}"}, content=b"{}")

    with httpx.Client(transport=Watched(httpx.MockTransport(header))) as http, pytest.raises(Leak):
        http.get("http://test/")
    assert len(leaks) == 1


def test_every_chat_of_the_suite_carries_it(stage: Stage) -> None:
    seen = []

    async def looks(turn: Turn) -> Script:
        seen.append(turn.state["canary"])
        seen.extend(item.content["secret"] for item in await turn.history() if item.type == "hidden_context_item")
        yield "I know it and do not tell."

    chat = stage.chat(looks)
    thread_id = chat.create().thread_id
    chat.send(thread_id)
    assert set(seen) == {CANARY}
    assert len(seen) >= 3
