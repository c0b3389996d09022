"""What a server does beside answering: feedback, dictation, and the request context of all of it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from chatkit.server import ChatKitServer
from chatkit.types import (
    AudioInput,
    FeedbackKind,
    ProgressUpdateEvent,
    ThreadMetadata,
    TranscriptionResult,
    UserMessageItem,
)
from typer.testing import CliRunner

from chatdock import Turn as HostedTurn
from chatdock.cli import app
from tests.chatkit_server.peers import Context, hosted, played_twice
from tests.chatkit_server.shapes import Events
from tests.harness.client import ApiFailure, Chat, Turn


class Listening(ChatKitServer[Context]):
    """Notes what it is told, and by whom."""

    noted: list[Any]

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        yield ProgressUpdateEvent(text=context["user_id"])

    async def add_feedback(self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: Context) -> None:
        page = await self.store.load_thread_items(thread_id, None, 10, "asc", context)
        texts = [part.text for item in page.data if isinstance(item, UserMessageItem) for part in item.content]
        self.noted.append((feedback, len(item_ids), context["user_id"], texts))
        if texts == ["break"]:
            raise RuntimeError("the survey tool is down")

    async def transcribe(self, audio_input: AudioInput, context: Context) -> TranscriptionResult:
        threads = await self.store.load_threads(10, None, "desc", context)
        heard = f"{audio_input.media_type} {audio_input.data.decode()}"
        return TranscriptionResult(text=f"{context['user_id']} {heard} {len(threads.data)}")


def test_feedback_and_dictation_reach_the_server_with_its_context(tmp_path: Path) -> None:
    Listening.noted = []
    heard: list[Any] = []

    def play(chat: Chat) -> list[Turn]:
        turn = chat.create("hello")
        (item,) = chat.items(turn.thread_id)
        answer = chat.call("items.feedback", thread_id=turn.thread_id, item_ids=[item["id"]], kind="positive")
        assert answer == {}
        audio = base64.b64encode(b"ahoy").decode()
        heard.append(chat.call("input.transcribe", audio_base64=audio, mime_type="audio/webm;codecs=opus"))
        return [turn]

    played_twice(tmp_path, Listening, play)
    assert Listening.noted == [("positive", 1, "ada", ["hello"])] * 2
    assert heard == [{"text": "ada audio/webm ahoy 1"}] * 2


def test_feedback_is_recorded_here_too_even_if_the_server_fails_at_it(tmp_path: Path) -> None:
    Listening.noted = []
    with hosted(tmp_path, Listening) as server:
        chat = server.backend.chat("ada")
        thread_id = chat.create("break").thread_id
        (item,) = chat.items(thread_id)
        with pytest.raises(ApiFailure) as failure:
            chat.call("items.feedback", thread_id=thread_id, item_ids=[item["id"]], kind="negative")
        assert (failure.value.status, failure.value.error["code"]) == (400, "feedback_failed")
        assert "survey" not in failure.value.error["message"]
        printed = CliRunner().invoke(app, ["feedback", "--database-url", server.settings.database_url])
        assert f"negative\t{thread_id}\t{item['id']}" in printed.output
        with pytest.raises(ApiFailure):
            chat.call("items.feedback", thread_id=thread_id, item_ids=["cti_other"], kind="negative")
    assert len(Listening.noted) == 1


class Telling(ChatKitServer[Any]):
    """Says what its context is."""

    async def respond(self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any) -> Events:
        yield ProgressUpdateEvent(
            text=context if isinstance(context, str) else f"{type(context).__name__} {context.text}"
        )


def told(tmp_path: Path, **options: Any) -> str:
    """The one thing that the server says."""
    with hosted(tmp_path, Telling, **options) as server:
        turn = server.backend.chat("ada").create("hello")
    return " ".join(event["text"] for event in turn.of("progress_update")) or str(turn.outcome)


def test_the_context_is_the_turn_or_what_is_made_of_it(tmp_path: Path) -> None:
    async def later(turn: HostedTurn) -> str:
        return f"{turn.user} of {turn.project}, {turn.session.id[:7]}"

    assert told(tmp_path, context=None) == "Turn hello"
    assert told(tmp_path, context=lambda turn: f"{turn.user} {turn.workflow_id}") == "ada wf_test"
    assert told(tmp_path, context=later) == "ada of default, cksess_"
    assert told(tmp_path, context=lambda turn: turn.no_such_thing) == "failed"
