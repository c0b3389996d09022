"""Tools of exports: stubs become the page's, MCP calls are asked for, the sidecar binds functions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chatdock import workflow
from chatdock.model.endpoint import ModelEndpoint as Address
from chatdock.settings import Settings
from chatdock.workflows.agent_builder import export
from chatdock.workflows.models import prepare
from chatdock.workflows.workflow import WorkflowError
from tests.exports.orders import SEARCHED
from tests.exports.serving import export_server, placed, scripted_export
from tests.exports.test_turns import said, triage
from tests.harness.asgi import running
from tests.harness.client import CANARY
from tests.harness.model_endpoint import Hosted, Say, Step, Use, model_endpoint
from tests.workflows.agents import Api, give, press

CITY = Use("current_city", {"precise": True})


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_a_stub_is_the_pages_tool_and_its_output_goes_on_after_a_restart(tmp_path: Path, api: Api) -> None:
    path = placed(tmp_path, "desk")
    steps: tuple[Step, ...] = (triage("guide"), [CITY], [Say("You are in Oslo.")], triage("guide"), [Say("Still.")])
    with model_endpoint(*steps) as endpoint:
        with export_server(tmp_path, endpoint.url, path, api=api) as server:
            chat = server.backend.chat()
            asked = chat.create("Where am I?")
            [call] = asked.done("client_tool_call")
            assert (call["name"], call["arguments"], asked.outcome) == ("current_city", {"precise": True}, "waiting")
        with export_server(tmp_path, endpoint.url, path, api=api) as server:
            chat = server.backend.chat_with(chat.secret)
            told = give(chat, asked.thread_id, {"city": "Oslo"})
            assert (told.outcome, told.text) == ("completed", "You are in Oslo.")
            assert len(endpoint.requests) == 3
            assert "Oslo" in json.dumps(endpoint.requests[-1])
            assert chat.send(asked.thread_id, "And now?").text == "Still."
    assert "call_1" in json.dumps(endpoint.requests[-1])  # later turns know the call and its output
    assert "guide through Rome" in json.dumps(endpoint.requests[-1])


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_the_page_and_the_model_know_names_that_are_none_in_python(tmp_path: Path, api: Api) -> None:
    given = {"guest": None, "from": "Bonn", "to": "Trier", "user-id": 4, "class": None}
    plan = {"stops": [{"place name": "Bonn", "2nd choice": "Trier"}], "__typename": "Trip", "model_config": "x"}
    steps: tuple[Step, ...] = ([Use("move_booking", given)], [Say(json.dumps(plan))], [Say("Booked.")])
    with scripted_export(tmp_path, "bugs/mixed", *steps, api=api) as (chat, endpoint):
        asked = chat.create("By train")
        [call] = asked.done("client_tool_call")
        assert call["arguments"] == given
        told = give(chat, asked.thread_id, {"moved": True})
        assert said(told) == ["Booked.", "2 tries: Booked."]
    assert "Trier from Köln, 'x'" in json.dumps(endpoint.requests[-1], ensure_ascii=False)
    asks = json.dumps(endpoint.requests[0], ensure_ascii=False)
    assert all(json.dumps(key) in asks for key in (*given, "place name", "2nd choice", "__typename", "model_config"))
    assert "field_" not in asks


def test_a_bound_stub_is_executed_here(tmp_path: Path) -> None:
    sidecar = '[tools]\nfind_order = "tests.exports.orders:find_order"\n'
    steps: tuple[Step, ...] = (triage("guide"), [Use("find_order", {"number": "4"})], [Say("A lamp.")])
    with scripted_export(tmp_path, "desk", *steps, sidecar=sidecar) as (chat, endpoint):
        turn = chat.create("Order 4?")
        assert turn.text == "A lamp."
        assert "order 4: one lamp" in json.dumps(endpoint.requests[-1])
        [work] = turn.done("workflow")
        assert [task["title"] for task in work["workflow"]["tasks"]] == ["Find order"]


ASKS = {
    "type": "mcp_approval_request", "id": "mcpr_1", "name": "sink_ship", "server_label": "ships",
    "arguments": '{"ship": "Erna"}',
}  # fmt: skip


@pytest.mark.parametrize(("button", "answer"), [("confirm", True), ("cancel", False)])
def test_a_hosted_mcp_call_is_approved_after_a_restart(tmp_path: Path, button: Any, answer: bool) -> None:
    path = placed(tmp_path, "desk")
    with model_endpoint(triage("ships", urgent=True), [Hosted(ASKS)], [Say("Done.")]) as endpoint:
        with export_server(tmp_path, endpoint.url, path) as server:
            chat = server.backend.chat()
            [card] = chat.create("Sink her").done("widget")
            assert card["copy_text"] == "Sink ship: approve or reject"
        with export_server(tmp_path, endpoint.url, path) as server:
            turn = press(server.backend.chat_with(chat.secret), card, button)
    assert (turn.outcome, turn.text) == ("completed", "Done.")
    assert len(endpoint.requests) == 3
    given = endpoint.requests[-1]["input"][-1]
    assert (given["type"], given["approve"]) == ("mcp_approval_response", answer)


@contextmanager
def ships(seen: list[str]) -> Iterator[str]:
    """An MCP server with two tools; `seen` gets the headers and calls that it was given."""
    from mcp.server import MCPServer

    server = MCPServer("ships")

    @server.tool()
    def sink_ship(ship: str) -> str:
        seen.append(ship)
        return f"{ship} is sunk"

    @server.tool()
    def paint_ship(ship: str) -> str:
        return f"{ship} is red"

    app = server.streamable_http_app(stateless_http=True, json_response=True)

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            seen.extend(value.decode() for name, value in scope["headers"] if name == b"x-harbour")
        await app(scope, receive, send)

    with running(watched, lifespan="on") as url:
        yield f"{url}/mcp"


def test_an_mcp_tool_is_called_from_here_where_the_endpoint_calls_none(tmp_path: Path) -> None:
    seen: list[str] = []
    steps: tuple[Step, ...] = (
        triage("ships", urgent=True),
        [Use("sink_ship", {"ship": "Erna"})],
        [Say("She is gone.")],
    )
    with ships(seen) as url, model_endpoint(*steps) as endpoint:
        path = placed(tmp_path, "desk")
        path.write_text(path.read_text().replace("http://127.0.0.1:9/mcp", url))
        with export_server(tmp_path, endpoint.url, path, api="chat") as server:
            chat = server.backend.chat()
            [card] = chat.create("Sink her").done("widget")
            assert "Erna" in json.dumps(card["widget"])
            assert "Erna" not in seen
            assert press(chat, card, "confirm").text == "She is gone."
    assert seen.count("Erna") == 1
    assert CANARY in seen
    assert [tool["function"]["name"] for tool in endpoint.requests[1]["tools"]] == ["sink_ship"]
    assert "Erna is sunk" in json.dumps(endpoint.requests[-1])


def test_an_mcp_server_that_is_away_offers_a_retry(tmp_path: Path) -> None:
    with scripted_export(tmp_path, "desk", triage("ships", urgent=True), api="chat") as (chat, _):
        turn = chat.create("Sink her")
    assert turn.outcome == "failed"
    assert turn.events[-1]["message"] == "A tool of this assistant could not be reached. Please try again in a moment."
    assert turn.events[-1]["allow_retry"] is True


@pytest.mark.parametrize(
    ("made_as", "kind"),
    [
        ("WebSearchTool()", "WebSearchTool"),
        ("__import__('agents').LocalShellTool(executor=lambda request: '')", "LocalShellTool"),
    ],
)
def test_a_hosted_tool_at_an_endpoint_that_has_none_is_an_error_at_start(
    tmp_path: Path, made_as: str, kind: str
) -> None:
    path = placed(tmp_path, "desk")
    text = path.read_text().replace("    mcp\n", "    found_there\n")
    path.write_text(text.replace("# Tool definitions", f"# Tool definitions\nfound_there = {made_as}\n"))
    made = workflow("wf_test")(export.load_export(path))
    prepare(Address(None, "key", None, False), [made], Settings())
    with pytest.raises(WorkflowError, match=rf"agent 'Harbour' uses found_there \({kind}\)"):
        prepare(Address("http://127.0.0.1:1/v1", "key", None, False), [made], Settings())


def test_a_hosted_tool_may_be_a_function_of_ones_own(tmp_path: Path) -> None:
    path = placed(tmp_path, "desk", '[tools]\nmcp = "tests.exports.orders:find_order"\n')
    steps: tuple[Step, ...] = (triage("ships", urgent=True), [Use("mcp", {"number": "4"})], [Say("A lamp.")])
    with model_endpoint(*steps) as endpoint, export_server(tmp_path, endpoint.url, path, api="chat") as server:
        assert server.backend.chat().create("Order 4").text == "A lamp."
    assert "order 4: one lamp" in json.dumps(endpoint.requests[-1])


def test_a_file_search_may_be_a_function_of_ones_own_and_is_done_once(tmp_path: Path) -> None:
    path = placed(tmp_path, "library", '[tools]\nfilesearch_result = "tests.exports.orders:find_books"\n')
    SEARCHED.clear()
    answer: Step = [Say("It says so.")]
    with model_endpoint(answer) as endpoint, export_server(tmp_path, endpoint.url, path, api="chat") as server:
        chat = server.backend.chat()
        [card] = chat.create("Lamps").done("widget")
        assert "Read lamps.txt?" in json.dumps(card["widget"])
        assert press(chat, card, "confirm").text == "It says so."
    assert SEARCHED == ["Lamps"]
    assert "'filename': 'lamps.txt', 'score': 0.9" in json.dumps(endpoint.requests[-1])


def test_a_file_search_at_an_endpoint_without_vector_stores_is_an_error_at_start(tmp_path: Path) -> None:
    made = workflow("wf_test")(export.load_export(placed(tmp_path, "library")))
    with pytest.raises(WorkflowError, match="the file search filesearch_result reads OpenAI's vector stores"):
        prepare(Address("http://127.0.0.1:1/v1", "key", None, False), [made], Settings())
