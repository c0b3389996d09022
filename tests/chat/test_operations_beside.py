"""Operations beside the conversation itself: feedback, attachments, dictation."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from typer.testing import CliRunner

from chatdock.cli import app
from tests.chat.conftest import Stage, said
from tests.harness.client import ApiFailure

DISABLED = "File uploads are disabled for this session."


def verdicts(stage: Stage, thread_id: str) -> dict[str, str]:
    """What `chatdock feedback` prints about a thread: verdicts by item."""
    result = CliRunner().invoke(app, ["feedback", "--database-url", stage.server.settings.database_url])
    assert result.exit_code == 0, result.output
    lines = [line.split("\t") for line in result.output.splitlines()]
    return {item: kind for _time, _user, kind, thread, item in lines if thread == thread_id}


def test_feedback_can_be_read_by_the_operator_and_a_later_verdict_replaces_an_earlier_one(stage: Stage) -> None:
    chat = stage.chat()
    thread_id = chat.create().thread_id
    question, answer = (item["id"] for item in chat.items(thread_id))
    assert chat.call("items.feedback", thread_id=thread_id, item_ids=[question, answer], kind="positive") == {}
    assert verdicts(stage, thread_id) == {question: "positive", answer: "positive"}
    chat.call("items.feedback", thread_id=thread_id, item_ids=[answer], kind="negative")
    assert verdicts(stage, thread_id) == {question: "positive", answer: "negative"}
    chat.call("threads.delete", thread_id=thread_id)
    assert verdicts(stage, thread_id) == {}


def test_feedback_that_names_one_unknown_item_stores_nothing(stage: Stage) -> None:
    chat = stage.chat()
    thread_id = chat.create().thread_id
    known = chat.items(thread_id)[0]["id"]
    with pytest.raises(ApiFailure) as failure:
        chat.call("items.feedback", thread_id=thread_id, item_ids=[known, "cti_other"], kind="positive")
    assert failure.value.status == 404
    assert verdicts(stage, thread_id) == {}


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"kind": "meh"}, "params.kind"),
        ({"item_ids": []}, "params.item_ids"),
        ({"item_ids": ["x"] * 101}, "params.item_ids"),
        ({"item_ids": [None]}, "params.item_ids.0"),
    ],
)
def test_malformed_feedback_is_refused_by_name(stage: Stage, wrong: dict[str, Any], param: str) -> None:
    chat = stage.chat()
    thread_id = chat.create().thread_id
    with pytest.raises(ApiFailure) as failure:
        chat.call("items.feedback", **{"thread_id": thread_id, "item_ids": ["x"], "kind": "positive", **wrong})
    assert (failure.value.status, failure.value.error["param"]) == (400, param)


def test_uploads_are_refused_at_every_door(stage: Stage) -> None:
    chat = stage.chat()
    thread_id = chat.create().thread_id
    photo = {"file": ("photo.png", b"\x89PNG", "image/png")}
    with_attachment = said(attachments=["cfile_1"])
    responses = [
        chat.post("attachments.create", {"name": "photo.png", "size": 4, "mime_type": "image/png"}),
        chat.post("attachments.delete", {"attachment_id": "cfile_1"}),
        chat.post("threads.create", with_attachment),
        chat.post("threads.add_user_message", {"thread_id": thread_id, **with_attachment}),
        chat.http.post("/v1/chatkit/files", files=photo),
    ]
    for response in responses:
        assert response.status_code == 400
        error = response.json()["error"]
        assert (error["message"], error["code"]) == (DISABLED, "file_upload_disabled")
    assert len(chat.items(thread_id)) == 2
    assert len(chat.call("threads.list")["data"]) == 1


def test_the_upload_door_asks_for_a_secret_and_takes_posts_alone(stage: Stage) -> None:
    chat = stage.chat()
    assert chat.http.get("/v1/chatkit/files").status_code == 405
    assert stage.backend.chat_with("ek_nothing").http.post("/v1/chatkit/files", files={"file": b"x"}).status_code == 401


def heard(audio: bytes) -> dict[str, Any]:
    """The parameters of `input.transcribe`."""
    return {"audio_base64": base64.b64encode(audio).decode(), "mime_type": "audio/webm;codecs=opus"}


def test_speech_becomes_text_by_the_workflows_transcriber(stage: Stage) -> None:
    assert stage.chat().call("input.transcribe", **heard(b"good morning")) == {"text": "audio/webm: good morning"}


def test_dictation_without_a_transcriber_is_a_clear_400(stage: Stage) -> None:
    with pytest.raises(ApiFailure) as failure:
        stage.chat(workflow="wf_plain").call("input.transcribe", **heard(b"hello"))
    assert (failure.value.status, failure.value.error["code"]) == (400, "transcriber_not_configured")


@pytest.mark.parametrize("audio", ["no base64!", "YQ", "Grüße", "a\u0000b="])
def test_audio_that_is_no_base64_is_refused_by_name(stage: Stage, audio: str) -> None:
    response = stage.chat().post("input.transcribe", {"audio_base64": audio, "mime_type": "audio/webm"})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "params.audio_base64"


@pytest.mark.parametrize("audio", [b"noise", b"silence"])
def test_a_transcriber_that_fails_or_returns_nonsense_costs_a_400_and_says_nothing_of_why(
    stage: Stage, audio: bytes
) -> None:
    response = stage.chat().post("input.transcribe", heard(audio))
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "transcription_failed"
