"""The examples of the docs' pages are the files in docs/examples, and they work."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatdock.workflows.loader import load
from chatdock.workflows.workflow import Workflow
from tests.harness.client import Json, Turn
from tests.harness.server import serving

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "workflows.md", DOCS / "agents.md"]
EXAMPLES = sorted((DOCS / "examples").glob("*.py"))
FENCES = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def _nothing_stays_loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`load` puts a file's folder on `sys.path` and its module into `sys.modules`."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    for path in EXAMPLES:
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
    yield
    for path in EXAMPLES:
        sys.modules.pop(path.stem, None)


def example(name: str) -> Workflow:
    """The one workflow of an example."""
    (made,) = load(str(DOCS / "examples" / f"{name}.py"))
    return made


def test_the_code_in_the_pages_is_the_code_in_the_files() -> None:
    shown = [code for page in PAGES for code in FENCES.findall(page.read_text("utf-8"))]
    assert sorted(shown) == sorted(path.read_text("utf-8") for path in EXAMPLES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_registers_one_workflow_that_a_page_names(path: Path) -> None:
    (made,) = load(str(path))
    assert any(f'workflow("{made.id}"' in page.read_text("utf-8") for page in PAGES)


def test_the_echo_answers(tmp_path: Path) -> None:
    with serving(tmp_path, [example("echo")]) as server:
        turn = server.backend.chat(workflow="wf_echo").create("one two")
    assert (turn.text, turn.outcome) == ("one two ", "completed")


def test_the_lamp_answers_with_text_and_a_widget_and_hides_its_context(tmp_path: Path) -> None:
    with serving(tmp_path, [example("handlers")]) as server:
        chat = server.backend.chat(workflow="wf_lamp")
        turn = chat.create("lamp, please")
        items = chat.items(turn.thread_id)
        title = chat.call("threads.get_by_id", thread_id=turn.thread_id)["title"]
    assert (turn.text, turn.outcome, title) == ("Here is the lamp.", "completed", "Lamp: lamp, please")
    assert [item["type"] for item in items] == ["user_message", "assistant_message", "widget"]


def test_the_lamps_actions_change_its_widget(tmp_path: Path) -> None:
    with serving(tmp_path, [example("handlers")]) as server:
        chat = server.backend.chat(workflow="wf_lamp")
        turn = chat.create("lamp, please")
        (widget,) = turn.done("widget")
        sender = {"thread_id": turn.thread_id, "item_id": widget["id"]}
        pressed = widget["widget"]["children"][1]["onClickAction"]
        switched = chat.call("threads.sync_custom_action", **sender, action=pressed)
        frames = chat.stream("threads.custom_action", **sender, action={"type": "lamp.off"})
        stored = chat.items(turn.thread_id)[2]
    assert _says(switched["updated_item"]) == "The lamp is on."
    assert [_says(event["item"]) for event in Turn(frames).of("thread.item.replaced")] == ["The lamp is off."]
    assert (stored["id"], _says(stored)) == (widget["id"], "The lamp is off.")


def test_the_lamp_asks_the_browser_and_goes_on_with_its_answer(tmp_path: Path) -> None:
    with serving(tmp_path, [example("handlers")]) as server:
        chat = server.backend.chat(workflow="wf_lamp")
        turn = chat.create("where am I?")
        frames = chat.stream("threads.add_client_tool_output", thread_id=turn.thread_id, result="hall")
    assert turn.outcome == "waiting"
    assert Turn(frames).text == "You are in the hall."


def test_the_lamp_fails_and_hears_as_the_page_says(tmp_path: Path) -> None:
    with serving(tmp_path, [example("handlers")]) as server:
        chat = server.backend.chat(workflow="wf_lamp")
        turn = chat.create("break")
        heard = chat.call("input.transcribe", audio_base64="AAAA", mime_type="audio/webm;codecs=opus")
    assert turn.outcome == "failed"
    assert turn.of("error") == [
        {"type": "error", "code": "custom", "message": "The lamp is broken.", "allow_retry": True}
    ]
    assert heard == {"text": "3 bytes of audio/webm"}


def test_the_agents_tool_reads_the_turn_and_shows_progress(tmp_path: Path) -> None:
    from agents.testing import ScriptedModel, assistant_message, function_call

    from chatdock.workflows.agents_sdk import AgentAdapter

    support = example("agent")
    assert isinstance(support.adapter, AgentAdapter)
    assert support.needs_model
    asked = ScriptedModel(
        [[function_call("order_status", {"order": "7"}, call_id="call_1")], [assistant_message("It was sent.")]]
    )
    support.adapter.agent.model = asked
    titling: Json = {"automatic_thread_titling": {"enabled": False}}
    with serving(tmp_path, [support]) as server:
        turn = server.backend.chat(workflow="wf_support", chatkit_configuration=titling).create("Where is order 7?")
    assert [event["text"] for event in turn.of("progress_update")] == ["Looking for order 7"]
    assert turn.text == "It was sent."
    assert asked.last_call is not None
    assert "Order 7 of user_1 was sent yesterday." in str(asked.last_call.input)


def _says(item: Json) -> str:
    return str(item["widget"]["children"][0]["value"])
