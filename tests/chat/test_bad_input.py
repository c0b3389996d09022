"""What a client sends wrong is refused with the member's name, and nothing is stored."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.chat.conftest import Stage, said
from tests.harness.client import ApiFailure, Chat

CONVERSATION = "/v1/chatkit/conversation"


def refused(response: httpx.Response, status: int = 400) -> dict[str, Any]:
    """The error of a response, whose envelope has the documented members."""
    assert response.status_code == status, response.text
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert body["error"]["type"] == "invalid_request_error"
    assert response.headers["x-request-id"]
    error: dict[str, Any] = body["error"]
    return error


def raw(chat: Chat, body: bytes, **headers: str) -> httpx.Response:
    """Post these bytes."""
    return chat.http.post(CONVERSATION, content=body, headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"type":"threads.list",}',
        b'{"type":"threads.list"} {}',
        b"\xff\xfe",
        b'{"type":"threads.list","params":{"after":"\xff"}}',
        b'{"type":"threads.create","params":{"input":{"content":[{"type":"input_text","text":"\\ud83d"}]}}}',
    ],
)
def test_a_body_that_is_no_json_is_refused(stage: Stage, body: bytes) -> None:
    assert refused(raw(stage.chat(), body))["code"] == "invalid_json"


@pytest.mark.parametrize(
    ("body", "message", "param"),
    [
        ({}, "Missing required parameter: 'type'.", "type"),
        ({"params": {}}, "Missing required parameter: 'type'.", "type"),
        ({"type": "threads.explode"}, "Unknown type 'threads.explode'.", "type"),
        ({"type": "x" * 1000}, f"Unknown type '{'x' * 64}…'.", "type"),
        ({"type": "\u0000\u202e"}, "Unknown type '��'.", "type"),
        ({"type": "threads.create"}, "Missing required parameter: 'params'.", "params"),
        (
            {"type": "threads.get_by_id", "params": {}},
            "Missing required parameter: 'params.thread_id'.",
            "params.thread_id",
        ),
    ],
)
def test_what_is_missing_or_unknown_is_named(stage: Stage, body: Any, message: str, param: str) -> None:
    error = refused(stage.chat().http.post(CONVERSATION, json=body))
    assert (error["message"], error["param"]) == (message, param)


@pytest.mark.parametrize("body", [[], "threads.list", 5, None, True])
def test_a_body_that_is_no_object_is_refused(stage: Stage, body: Any) -> None:
    refused(raw(stage.chat(), json.dumps(body).encode()))


TEXT = {"type": "input_text", "text": "a"}
TAG = {"type": "input_tag", "id": "1", "text": "Ada"}


def content(*blocks: Any) -> dict[str, Any]:
    """Parameters of `threads.create` with these blocks."""
    return said(content=list(blocks))


def answered(**given: Any) -> dict[str, Any]:
    """Parameters of `threads.add_structured_input`."""
    return {"thread_id": "x", "item_id": "y", "input": given}


@pytest.mark.parametrize(
    ("operation", "params", "param"),
    [
        ("threads.create", {}, "params.input"),
        ("threads.create", {"input": {}}, "params.input.content"),
        ("threads.create", said(content="hello"), "params.input.content"),
        ("threads.create", content({"text": "no type"}), "params.input.content.0.type"),
        ("threads.create", content({"type": "input_video"}), "params.input.content.0.type"),
        ("threads.create", content({"type": "input_text"}), "params.input.content.0.text"),
        ("threads.create", content(TEXT, {**TEXT, "text": 5}), "params.input.content.1.text"),
        ("threads.create", content({"type": "input_tag", "text": "Ada"}), "params.input.content.0.id"),
        ("threads.create", content({**TAG, "data": []}), "params.input.content.0.data"),
        ("threads.create", content("hello"), "params.input.content.0"),
        ("threads.create", content(), "params.input.content"),
        ("threads.create", said(attachments="cfile_1"), "params.input.attachments"),
        ("threads.create", said(attachments=[1]), "params.input.attachments.0"),
        ("threads.create", said(quoted_text=5), "params.input.quoted_text"),
        ("threads.create", said(inference_options=[]), "params.input.inference_options"),
        ("threads.create", said(inference_options={"tool_choice": {}}),
         "params.input.inference_options.tool_choice.id"),
        ("threads.add_user_message", {"thread_id": 5, **said()}, "params.thread_id"),
        ("threads.list", {"limit": "many"}, "params.limit"),
        ("threads.list", {"limit": 1.5}, "params.limit"),
        ("threads.list", {"order": "sideways"}, "params.order"),
        ("threads.list", {"after": 5}, "params.after"),
        ("threads.add_client_tool_output", {"thread_id": "x"}, "params.result"),
        ("threads.add_structured_input", answered(status="maybe"), "params.input.status"),
        ("threads.resume", {"thread_id": "x", "starting_after": 5}, "params.starting_after"),
        ("input.transcribe", {"audio_base64": "aGk="}, "params.mime_type"),
    ],
)  # fmt: skip
def test_a_wrong_member_is_named_by_its_dotted_path(
    stage: Stage, operation: str, params: dict[str, Any], param: str
) -> None:
    chat = stage.chat()
    assert refused(chat.post(operation, params))["param"] == param
    assert chat.call("threads.list")["data"] == []


def test_an_empty_message_is_refused_on_a_thread_too_and_leaves_it_as_it_was(stage: Stage) -> None:
    chat = stage.chat()
    thread_id = chat.create().thread_id
    error = refused(chat.post("threads.add_user_message", {"thread_id": thread_id, **content()}))
    assert error["message"] == "params.input.content must hold at least one block."
    assert len(chat.items(thread_id)) == 2
    assert chat.send(thread_id).outcome == "completed"


@pytest.mark.parametrize("metadata", [[], "text", 5])
def test_metadata_is_an_object(stage: Stage, metadata: Any) -> None:
    body = {"type": "threads.list", "params": {}, "metadata": metadata}
    assert refused(stage.chat().http.post(CONVERSATION, json=body))["param"] == "metadata"


def padded(size: int) -> bytes:
    """A good request of so many bytes."""
    head, tail = b'{"type":"threads.list","params":{},"unknown":"', b'"}'
    return head + b"x" * (size - len(head) - len(tail)) + tail


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x"])
def test_a_body_may_have_one_megabyte_and_not_a_byte_more(stage: Stage, kind: str) -> None:
    chat = stage.chat()
    at_limit = raw(chat, padded(1_048_576), **{"content-type": kind})
    assert at_limit.status_code == 200 or (at_limit.status_code in {400, 415} and kind.startswith("multipart"))
    error = refused(raw(chat, padded(1_048_577), **{"content-type": kind}), 413)
    assert error["code"] == "request_too_large"
    assert "1048576" in error["message"]
    assert chat.call("threads.list")["data"] == []


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_json_may_be_nested_sixty_four_deep_and_no_deeper(
    stage: Stage, opening: bytes, closing: bytes, kind: str
) -> None:
    def nested(depth: int) -> bytes:
        inner = opening * (depth - 1) + b"1" + closing * (depth - 1)
        return b'{"type":"threads.list","params":{},"unknown":' + inner + b"}"

    chat = stage.chat()
    headers = {"content-type": kind}
    if kind == "application/json":
        assert raw(chat, nested(64), **headers).status_code == 200
        assert refused(raw(chat, nested(65), **headers))["code"] == "json_too_deep"
    assert raw(chat, nested(65), **headers).status_code in {400, 415}
    refused(raw(chat, nested(100_000), **headers))


def test_brackets_in_text_are_not_nesting(stage: Stage) -> None:
    text = '[{"\\"' * 200
    assert stage.chat().create(text).text == f"You said {text}"


@pytest.mark.parametrize("cursor", ["cthr_x", "x" * 10_000, "' OR 1=1 --", "\u0000", "%00", "🌍"])
def test_an_unknown_cursor_is_refused_and_shown_shortened(stage: Stage, cursor: str) -> None:
    chat = stage.chat()
    thread_id = chat.create().thread_id
    for operation, params in (("threads.list", {}), ("items.list", {"thread_id": thread_id})):
        error = refused(chat.post(operation, {**params, "after": cursor}))
        assert (error["param"], error["code"]) == ("params.after", "invalid_cursor")
        assert len(error["message"]) < 200
        assert "\u0000" not in error["message"]


@pytest.mark.parametrize(
    "start", ["", "5", "crun_x:1", f"crun_{'0' * 36}", f"crun_{'0' * 36}:-1", f"crun_{'0' * 36}:{10**12}"]
)
def test_a_malformed_position_in_a_run_is_refused(stage: Stage, start: str) -> None:
    chat = stage.chat()
    thread_id = chat.create().thread_id
    error = refused(chat.post("threads.resume", {"thread_id": thread_id, "starting_after": start}))
    assert error["param"] == "params.starting_after"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_only_posts_are_answered(stage: Stage, method: str) -> None:
    response = stage.chat().http.request(method, CONVERSATION)
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]
    if method != "HEAD":
        refused(response, 405)


def test_a_secret_counts_in_its_header_alone(stage: Stage) -> None:
    secret = stage.chat().secret
    body = {"type": "threads.list", "params": {}, "client_secret": secret, "authorization": f"Bearer {secret}"}
    places: list[dict[str, Any]] = [
        {"url": f"{CONVERSATION}?client_secret={secret}&access_token={secret}"},
        {"headers": {"cookie": f"client_secret={secret}; authorization=Bearer {secret}"}},
        {"headers": {"authorization": secret}},
        {"headers": {"authorization": f"Basic {secret}"}},
        {"headers": {"authorization": "Bearer"}},
        {"headers": {"x-api-key": secret}},
    ]
    with httpx.Client(base_url=stage.server.url, verify=False) as http:
        for place in places:
            response = http.post(place.get("url", CONVERSATION), json=body, headers=place.get("headers"))
            assert refused(response, 401)["code"] == "missing_credential"
            assert response.headers["www-authenticate"].startswith("Bearer realm=")
            assert secret not in response.text


def test_an_unknown_version_of_a_workflow_fails_the_first_message_inside_its_stream(stage: Stage) -> None:
    chat = stage.chat(workflow_members={"version": "9"})
    turn = chat.create()
    assert turn.outcome == "failed"
    assert turn.events[-1] == {
        "type": "error",
        "code": "custom",
        "message": "Workflow 'wf_test' has no version '9' on this server.",
        "allow_retry": False,
    }
    assert [item["type"] for item in chat.items(turn.thread_id)] == ["user_message"]
    with pytest.raises(ApiFailure) as failure:
        chat.call("input.transcribe", audio_base64="aGk=", mime_type="audio/webm")
    assert failure.value.status == 400
