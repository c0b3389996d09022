"""Every example is started by the command that its page names, and does what it says.

The model is scripted; the support desk and the handbook run with the embedded one too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from chatdock.model.pull import pull
from tests.harness.browser import chromium
from tests.harness.client import Chat, Json, Turn
from tests.harness.model_endpoint import ModelEndpoint, Say, Status, Step, Use, model_endpoint
from tests.harness.server import ProcessServer, eventually, free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
UNTITLED: Any = {"chatkit_configuration": {"automatic_thread_titling": {"enabled": False}}}

pytestmark = pytest.mark.slow  # each is a process of its own, with all that its imports cost


@contextmanager
def served(tmp_path: Path, example: str, workflow: str, *steps: Step) -> Iterator[tuple[Chat, ModelEndpoint]]:
    """A user of the example, which a scripted model answers: all of its steps must be asked for."""
    with model_endpoint(*steps) as model:
        environment = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "none", "OPENAI_DEFAULT_MODEL": "scripted"}
        with ProcessServer(tmp_path, str(EXAMPLES / example), environment=environment) as server:
            yield server.backend.chat(workflow=workflow, **UNTITLED), model
    assert model.steps == []


def act(chat: Chat, item: Json, action: Json) -> Turn:
    """A press of a button in a widget."""
    return Turn(chat.stream("threads.custom_action", thread_id=item["thread_id"], item_id=item["id"], action=action))


def test_the_page_names_every_example_and_its_command() -> None:
    page = (EXAMPLES / "README.md").read_text("utf-8")
    named = set(re.findall(r"`(?:chatdock serve --demo|python) examples/([^`]+)`", page))
    programs = {path.relative_to(EXAMPLES) for path in EXAMPLES.rglob("*.py")} - {Path("client_tools/workflows.py")}
    assert named == {str(path) for path in programs}
    for path in programs - {Path("handbook/workflows.py")}:
        assert f" examples/{path}" in (EXAMPLES / path).read_text("utf-8"), "the file says how it is started"


@pytest.mark.parametrize("api", ["responses", "chat_completions"])
def test_the_support_desk_shows_an_order_and_pays_back_once_that_is_approved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: str
) -> None:
    monkeypatch.setenv("CHATDOCK_MODEL_API", api)
    look, pay = (
        Use("look_up_order", {"number": "1002"}),
        Use("refund", {"number": "1002", "reason": "broken"}, "call_2"),
    )
    steps: list[Step] = [[Say("Hello.")], [look], [pay], Status(400), [Say("It was paid back.")]]
    with served(tmp_path, "support_desk.py", "wf_support_desk", *steps) as (chat, model):
        turn = chat.send(chat.create("hello").thread_id, "My rope, order 1002, is broken. I want my money back.")
        order, card = turn.done("widget")
        assert order["copy_text"] == "1002: Rope, 20 m"
        assert turn.text == ""
        assert len(model.requests) == 3
        settled = act(chat, card, card["widget"]["confirm"]["action"])
        assert (settled.outcome, settled.events[-1]["allow_retry"]) == ("failed", True)
        [question] = turn.done("user_message")
        params = {"thread_id": turn.thread_id, "item_id": question["id"]}
        assert Turn(chat.stream("threads.retry_after_item", **params)).text == "It was paid back."
        assert str(model.requests[-1]).count("34.50 euros were paid back") == 1


def test_the_handbook_answers_from_its_pages_and_names_them(tmp_path: Path) -> None:
    with served(tmp_path, "handbook/workflows.py", "wf_handbook", [Say("A pilot is for ships over 90 metres.")]) as (
        chat,
        model,
    ):
        turn = chat.create("Do I need a pilot?")
        assert turn.text == "A pilot is for ships over 90 metres."
        (content,) = turn.done("assistant_message")[0]["content"]
        assert [each["source"]["filename"] for each in content["annotations"]] == ["arriving.md"]
        assert content["annotations"][0]["index"] == len(turn.text)
        assert "Ships longer than 90 metres take a pilot." in str(model.requests[0])
        assert chat.send(turn.thread_id, "xyzzy").text == "The handbook does not tell."


def test_the_langgraph_agent_calls_its_tool_which_shows_progress(tmp_path: Path) -> None:
    call = Use("high_water", {"day": "Monday"})
    with served(tmp_path, "langgraph_agent.py", "wf_tides", [call], [Say("At ten past four.")]) as (chat, model):
        turn = chat.create("When is high water on Monday?")
        assert turn.text == "At ten past four."
        assert turn.of("progress_update")[0]["text"] == "Looking up Monday in the tide table…"
        assert "04:10 and 16:35" in str(model.requests[-1])


def test_the_chatkit_server_gives_berths_away_and_lets_its_agent_talk(tmp_path: Path) -> None:
    with served(tmp_path, "chatkit_server.py", "wf_harbour", [Say("Good morning.")]) as (chat, _):
        turn = chat.create("Which berths are free?")
        (card,) = turn.done("widget")
        taken = act(chat, card, card["widget"]["children"][0]["onClickAction"])
        assert taken.done("assistant_message")[0]["content"][0]["text"] == "Berth 4 is yours, user_1."
        (changed,) = [item for item in chat.items(turn.thread_id) if item["type"] == "widget"]
        assert changed["widget"]["children"][0]["value"] == "Berth 4 is taken."
        assert chat.send(turn.thread_id, "Good morning").text == "Good morning."


def test_the_page_of_the_shop_answers_its_workflow_and_does_what_it_says(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, str(EXAMPLES / "client_tools" / "app.py"), str(port)]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log) as app:
        try:
            url = f"http://127.0.0.1:{port}"
            eventually(lambda: _answers(url), seconds=60, what="the application's start")
            with chromium() as browser:
                page = browser.new_page()
                page.goto(url)
                page.get_by_text("My cart").click()
                expect(page.get_by_text("2 things are in your cart, for 53.50 together.")).to_be_visible(timeout=20_000)
                page.get_by_role("textbox").fill("dark")
                page.keyboard.press("Enter")
                expect(page.locator("html")).to_have_attribute("data-theme", "dark", timeout=20_000)
        finally:
            app.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, verify=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("example", "workflow", "question"),
    [
        ("support_desk.py", "wf_support_desk", "Say hello."),
        ("handbook/workflows.py", "wf_handbook", "What does a night cost?"),
    ],
)
def test_an_example_on_the_embedded_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: str, workflow: str, question: str
) -> None:
    pull(progress=False)
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)
    with ProcessServer(tmp_path, str(EXAMPLES / example)) as server:
        chat = server.backend.chat(workflow=workflow, **UNTITLED)
        turn = chat.create(question)
        assert turn.outcome == "completed", server.output()
        assert len(turn.text) > 3
        again = chat.send(turn.thread_id, question)
        assert again.outcome == "completed", server.output()
