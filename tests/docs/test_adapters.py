"""The examples of docs/adapters.md are the files in docs/examples/adapters, and they work."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatdock.workflows.loader import load
from chatdock.workflows.workflow import Workflow
from tests.harness.client import Turn
from tests.harness.model_endpoint import ModelEndpoint, Say, Status, Use, model_endpoint
from tests.harness.server import serving

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = sorted((DOCS / "examples" / "adapters").glob("*.py"))


@pytest.fixture(autouse=True)
def _nothing_stays_loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`load` puts a file's folder on `sys.path` and its module into `sys.modules`."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for path in EXAMPLES:
        sys.modules.pop(path.stem, None)


def example(name: str) -> Workflow:
    """The one workflow of an example."""
    (made,) = load(str(DOCS / "examples" / "adapters" / f"{name}.py"))
    return made


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_page_shows_the_file(path: Path) -> None:
    assert f"```python\n{path.read_text('utf-8')}```" in (DOCS / "adapters.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("answer", "end"), [("yes", "Booked for user_1: a berth for two."), ("no", "Nothing is booked.")]
)
def test_the_graph_asks_before_it_books(tmp_path: Path, answer: str, end: str) -> None:
    with serving(tmp_path, [example("graph_agent")]) as server:
        chat = server.backend.chat(workflow="wf_booking")
        asked = chat.create("a berth for two")
        told = chat.send(asked.thread_id, answer)
    assert (asked.text, told.text) == ("Shall I book a berth for two?", end)


def test_the_pydantic_agents_tool_knows_the_user(tmp_path: Path) -> None:
    from pydantic_ai.models.test import TestModel

    made = example("pydantic_agent")
    adapter: Any = made.adapter
    adapter.agent.model = TestModel()
    with serving(tmp_path, [made]) as server:
        turn = server.backend.chat(workflow="wf_harbour").create()
    assert [event["text"] for event in turn.of("progress_update")] == ["Looking at the harbour plan"]
    assert "user_1 lies at berth 4." in turn.text


def test_the_parrot_repeats(tmp_path: Path) -> None:
    with serving(tmp_path, [example("framework_agent")]) as server:
        assert server.backend.chat(workflow="wf_parrot").create("high water").text == "high water "


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelEndpoint]:
    """Where the plain client finds its model."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with model_endpoint() as endpoint:
        monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
        yield endpoint


def test_the_plain_client_searches_and_cites(tmp_path: Path, endpoint: ModelEndpoint) -> None:
    endpoint.steps += [[Use("search", {"query": "tides"})], [Say("High water.")]]
    with serving(tmp_path, [example("openai_client")]) as server:
        chat = server.backend.chat(workflow="wf_client")
        turn = chat.create("When is high water?")
        items = chat.items(turn.thread_id)
    assert turn.text == "High water."
    assert [item["type"] for item in items] == ["user_message", "workflow", "assistant_message"]
    assert items[1]["workflow"]["tasks"][0]["status_indicator"] == "complete"
    (source,) = items[2]["content"][0]["annotations"]
    assert source["source"]["url"] == "https://example.com/tides"
    assert endpoint.requests[1]["messages"][-1]["content"] == "High water at nine"


def test_the_plain_client_offers_a_retry_when_its_model_fails(tmp_path: Path, endpoint: ModelEndpoint) -> None:
    endpoint.steps += [Status(401)]
    with serving(tmp_path, [example("openai_client")]) as server:
        turn: Turn = server.backend.chat(workflow="wf_client").create()
    assert turn.events[-1]["message"] == "The model could not answer. Please try again."
