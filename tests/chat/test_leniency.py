"""Published clients leave members out, send null and send members of later versions: all of that works."""

from __future__ import annotations

from typing import Any

import pytest

from chatdock import Turn
from tests.chat.conftest import Stage, said
from tests.chat.shapes import Script
from tests.harness.client import Chat, json_of
from tests.harness.client import Turn as Streamed

TEXT = [{"type": "input_text", "text": "hello"}]


def sent(chat: Chat, body: dict[str, Any]) -> dict[str, Any]:
    """Send a whole body of `threads.create`; the stored user message."""
    with chat.open(
        "threads.create", body["params"], members={k: v for k, v in body.items() if k != "params"}
    ) as frames:
        turn = Streamed(list(frames))
    assert turn.outcome == "completed"
    [stored] = turn.done("user_message")
    assert chat.items(turn.thread_id)[0] == stored
    return stored


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"attachments": None, "quoted_text": None, "inference_options": None},
        {"attachments": [], "quoted_text": "", "inference_options": {}},
        {"inference_options": {"tool_choice": None, "model": None, "temperature": 3}},
        {"mentions": [{"id": 1}], "id": "cti_mine", "created_at": "2001-01-01T00:00:00Z"},
    ],
)
def test_missing_null_empty_and_unknown_members_of_a_message_mean_the_default(
    stage: Stage, members: dict[str, Any]
) -> None:
    item = sent(stage.chat(), {"params": {"input": {"content": TEXT, **members}}})
    assert item["content"] == TEXT
    assert item["attachments"] == []
    assert item["inference_options"] == {}
    assert item.get("quoted_text") == members.get("quoted_text")  # as chatkit-python keeps what was sent
    assert item["id"].startswith("cti_")
    assert item["id"] != "cti_mine"
    assert not item["created_at"].startswith("2001")


@pytest.mark.parametrize("members", [{"metadata": None}, {}, {"metadata": {}, "stream": True, "version": "9"}])
def test_missing_and_null_metadata_and_unknown_members_of_an_operation_are_no_error(
    stage: Stage, members: dict[str, Any]
) -> None:
    chat = stage.chat()
    sent(chat, {"params": {**said(), "unknown": {"deep": [1]}}, **members})
    body = {"type": "threads.list", "params": {"unknown": 1}, **members}
    assert len(json_of(chat.http.post("/v1/chatkit/conversation", json=body))["data"]) == 1


def test_a_tag_needs_no_data(stage: Stage) -> None:
    heard: list[str] = []

    async def listens(turn: Turn) -> Script:
        heard.append(turn.text)
        yield "ok"

    tag = {"type": "input_tag", "id": "t1", "text": "Ada"}
    content = [
        {"type": "input_text", "text": "ask "},
        tag,
        {**tag, "data": None},
        {**tag, "data": {"n": 1}, "group": "people"},
    ]
    item = sent(stage.chat(listens), {"params": {"input": {"content": content}}})
    assert [part.get("data") for part in item["content"]] == [None, {}, {}, {"n": 1}]
    assert item["content"][3]["group"] == "people"
    assert heard == ["ask @Ada@Ada@Ada"]


def test_a_quote_is_stored_and_seen_by_the_workflow_and_by_rest(stage: Stage) -> None:
    heard: list[str | None] = []

    async def listens(turn: Turn) -> Script:
        assert turn.message is not None
        heard.append(turn.message.quoted_text)
        yield "ok"

    item = sent(stage.chat(listens), {"params": said(quoted_text="as you said")})
    assert item["quoted_text"] == "as you said"
    assert heard == ["as you said"]
    items = stage.backend.get(f"threads/{item['thread_id']}/items", order="asc")["data"]
    assert items[0]["content"] == [
        {"type": "quoted_text", "text": "as you said"},
        {"type": "input_text", "text": "hello"},
    ]


def test_the_composers_choices_are_stored_and_seen_by_the_workflow(stage: Stage) -> None:
    heard: list[dict[str, Any]] = []

    async def listens(turn: Turn) -> Script:
        heard.append(turn.inference_options.model_dump())
        yield "ok"

    chosen = {"tool_choice": {"id": "search"}, "model": "large"}
    item = sent(stage.chat(listens), {"params": said(inference_options=chosen)})
    assert item["inference_options"] == chosen
    assert heard == [chosen]


def test_a_secret_is_taken_whatever_the_case_of_its_scheme_and_whatever_content_type_the_body_names(
    stage: Stage,
) -> None:
    chat = stage.chat()
    for headers in ({"authorization": f"bearer {chat.secret}"}, {"content-type": "text/plain"}, {"openai-beta": "x"}):
        body = b'{"type":"threads.list","params":{}}'
        assert json_of(chat.http.post("/v1/chatkit/conversation", content=body, headers=headers))["data"] == []
