"""docs/chatkit-server.md shows the file in docs/examples/chatkit_server, and it works."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from chatdock.workflows.loader import load
from tests.harness.client import Turn
from tests.harness.server import serving

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "chatkit_server" / "desk.py"


def test_the_code_in_the_page_is_the_code_in_the_file() -> None:
    page = (DOCS / "chatkit-server.md").read_text("utf-8")
    assert re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL) == [EXAMPLE.read_text("utf-8")]


def test_the_desk_answers_and_its_widget_acts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    made = load(str(EXAMPLE))
    sys.modules.pop(EXAMPLE.stem)
    with serving(tmp_path, made) as server:
        chat = server.backend.chat("ada", workflow="wf_desk")
        first = chat.create("hello")
        assert first.done("assistant_message")[0]["content"][0]["text"] == "Welcome, ada."
        (widget,) = first.done("widget")
        action = widget["widget"]["children"][1]["onClickAction"]
        answered = Turn(
            chat.stream("threads.custom_action", thread_id=first.thread_id, item_id=widget["id"], action=action)
        )
        assert answered.done("assistant_message")[0]["content"][0]["text"] == "Your berth is free again."
        assert chat.call("items.feedback", thread_id=first.thread_id, item_ids=[widget["id"]], kind="positive") == {}


def test_a_class_can_be_served_without_a_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (made,) = load(f"{EXAMPLE}:Desk")
    sys.modules.pop(EXAMPLE.stem)
    assert made.id == "wf_Desk"
    assert made.on_action is not None
