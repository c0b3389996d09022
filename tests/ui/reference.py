"""The peer for custom mode: chatkit-python's own server, in memory, with uploads, dictation, actions and feedback.

It serves pages as well, so that one of its own origin can talk to it. The first word of a message is the command:
`count <n>`, `echo <text>`, `message` (what the message held), `widget`, `hang`, `nocancel`, `silent` (an item without
`added`), `fail`. Everything that was asked is in `requests`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from bench.reference import MemoryStore
from chatkit.actions import Action
from chatkit.server import ChatKitServer, StreamingResult
from chatkit.store import AttachmentStore
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    Attachment,
    AttachmentCreateParams,
    AttachmentUploadDescriptor,
    AudioInput,
    ErrorEvent,
    FeedbackKind,
    FileAttachment,
    ImageAttachment,
    StreamOptions,
    SyncCustomActionResponse,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    TranscriptionResult,
    UserMessageItem,
    WidgetItem,
    WidgetRootUpdated,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from chatdock.workflows.showcase import gallery
from tests.harness.asgi import running
from tests.harness.pages import Pages

Json = dict[str, Any]
Events = AsyncIterator[ThreadStreamEvent]
PREVIEW = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="


class Attachments(AttachmentStore[Json]):
    """Bytes by attachment id. `base` is where clients upload to."""

    def __init__(self, store: MemoryStore) -> None:
        self.base = ""
        self.method = "POST"
        self.data: dict[str, bytes] = {}
        self.deleted: list[str] = []
        self._store = store

    async def create_attachment(self, input: AttachmentCreateParams, context: Json) -> Attachment:  # noqa: A002
        """An attachment whose bytes are still to come."""
        attachment = self._described(input.name, input.mime_type)
        attachment.upload_descriptor = AttachmentUploadDescriptor.model_validate(
            {"url": f"{self.base}/bytes/{attachment.id}", "method": self.method, "headers": {"x-ticket": attachment.id}}
        )
        await self._store.save_attachment(attachment, context)
        return attachment

    async def take(self, name: str, mime_type: str, data: bytes) -> Attachment:
        """An attachment that came with its bytes."""
        attachment = self._described(name, mime_type)
        self.data[attachment.id] = data
        await self._store.save_attachment(attachment, {})
        return attachment

    async def delete_attachment(self, attachment_id: str, context: Json) -> None:
        self.deleted.append(attachment_id)
        self.data.pop(attachment_id, None)

    def _described(self, name: str, mime_type: str) -> Attachment:
        common: Json = {"id": self.generate_attachment_id(mime_type, {}), "name": name, "mime_type": mime_type}
        if mime_type.startswith("image/"):
            return ImageAttachment.model_validate({**common, "preview_url": PREVIEW})
        return FileAttachment(**common)


class Reference(ChatKitServer[Json]):
    """A stock server that remembers what it was asked."""

    def __init__(self) -> None:
        self.memory = MemoryStore()
        self.attachments = Attachments(self.memory)
        super().__init__(self.memory, self.attachments)
        self.feedback: list[tuple[list[str], FeedbackKind]] = []
        self.requests: list[Json] = []
        """Each operation: its `type`, `params` and, in lower case, `headers`."""
        self.uploads: list[Json] = []
        """Each upload: `path`, `method`, `headers` and the size of the file in `bytes`."""
        self.url = ""

    def forget(self) -> None:
        """Forget what was asked; threads stay."""
        for noted in (self.requests, self.uploads, self.feedback, self.attachments.deleted):
            noted.clear()
        self.attachments.base, self.attachments.method = self.url, "POST"

    def asked(self, operation: str) -> list[Json]:
        """The parameters of every request for an operation."""
        return [request["params"] for request in self.requests if request["type"] == operation]

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Json
    ) -> Events:
        text = _text(input_user_message)
        word, _, rest = text.partition(" ")
        item = self._message(thread)
        if word == "fail":
            yield ErrorEvent(message="It failed.", allow_retry=True)
            return
        if word == "widget":
            yield ThreadItemDoneEvent(item=self._widget(thread, presses=0))
            return
        if word == "silent":
            yield ThreadItemDoneEvent(item=self._message(thread, "Without a beginning."))
            return
        pieces = {
            "count": [f"{' ' if n else ''}{n + 1}" for n in range(int(rest or 20))] if word == "count" else [],
            "message": [_described(input_user_message)],
        }.get(word, [rest if word == "echo" else text])
        # No content_part.added: clients have to make room for the part themselves.
        yield ThreadItemAddedEvent(item=item)
        for piece in pieces:
            delta = AssistantMessageContentPartTextDelta(content_index=0, delta=piece)
            yield ThreadItemUpdatedEvent(item_id=item.id, update=delta)
            await asyncio.sleep(0.002)
        if word in {"hang", "nocancel"}:
            await asyncio.sleep(2 if word == "nocancel" else 3600)
        whole = [AssistantMessageContent(text="".join(pieces))]
        yield ThreadItemDoneEvent(item=item.model_copy(update={"content": whole}))

    def get_stream_options(self, thread: ThreadMetadata, context: Json) -> StreamOptions:
        return StreamOptions(allow_cancel="nocancel" not in json.dumps(context["params"]))

    async def action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Json
    ) -> Events:
        yield ThreadItemDoneEvent(item=self._message(thread, f"Action {action.type}: {json.dumps(action.payload)}"))

    async def sync_action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Json
    ) -> SyncCustomActionResponse:
        if sender is None:
            return SyncCustomActionResponse()
        presses = int(action.payload["presses"]) + 1
        changed = sender.model_copy(update={"widget": _root(presses)})
        return SyncCustomActionResponse(updated_item=changed)

    async def add_feedback(self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: Json) -> None:
        self.feedback.append((item_ids, feedback))

    async def transcribe(self, audio_input: AudioInput, context: Json) -> TranscriptionResult:
        return TranscriptionResult(text=f"heard {audio_input.media_type}")

    async def chatkit(self, request: Request) -> Response:
        """The one endpoint."""
        body = await request.body()
        asked = json.loads(body)
        self.requests.append({**asked, "headers": dict(request.headers), "cookies": dict(request.cookies)})
        result = await self.process(body, context={"params": asked.get("params", {})})
        if isinstance(result, StreamingResult):
            return StreamingResponse(result, media_type="text/event-stream")
        return Response(content=result.json, media_type="application/json")

    async def upload(self, request: Request) -> Response:
        """The direct strategy: a multipart `file` for an attachment."""
        async with request.form() as form:
            file = form["file"]
            assert not isinstance(file, str)
            data = await file.read()
            attachment = await self.attachments.take(file.filename or "", file.content_type or "", data)
        self._note_upload(request, len(data))
        return JSONResponse(attachment.model_dump(mode="json", exclude_none=True))

    async def receive(self, request: Request) -> Response:
        """The second phase: the bytes of an attachment, as a form or as they are, from any origin."""
        allowed = {
            "access-control-allow-origin": "*",
            "access-control-allow-headers": "x-ticket, content-type",
            "access-control-allow-methods": "POST, PUT",
        }
        if request.method == "OPTIONS":
            return Response(headers=allowed)
        if request.headers.get("content-type", "").startswith("multipart/"):
            data = await _file(request)
        else:
            data = await request.body()
        self._note_upload(request, len(data))
        attachment_id = request.path_params["attachment_id"]
        if request.headers.get("x-ticket") != attachment_id:
            return Response(status_code=403, headers=allowed)
        self.attachments.data[attachment_id] = data
        return Response(headers=allowed)

    def _note_upload(self, request: Request, size: int) -> None:
        self.uploads.append(
            {"path": request.url.path, "method": request.method, "headers": dict(request.headers), "bytes": size}
        )

    def _message(self, thread: ThreadMetadata, text: str | None = None) -> AssistantMessageItem:
        content = [] if text is None else [AssistantMessageContent(text=text)]
        item_id = self.store.generate_item_id("message", thread, {})
        # A naive time, as chatkit-python's documentation writes it.
        return AssistantMessageItem(
            id=item_id,
            thread_id=thread.id,
            created_at=datetime.now(),  # noqa: DTZ005
            content=content,
        )

    def _widget(self, thread: ThreadMetadata, presses: int) -> WidgetItem:
        item_id = self.store.generate_item_id("message", thread, {})
        return WidgetItem(
            id=item_id,
            thread_id=thread.id,
            created_at=datetime.now(),  # noqa: DTZ005
            widget=_root(presses),
            copy_text="The widget as text",
        )


@contextmanager
def reference(pages: Pages | None = None) -> Iterator[Reference]:
    """A server that answers at `url`: `/chatkit`, `/upload`, `/bytes/{id}`, and the pages."""
    server = Reference()
    app = pages or Pages()
    app.route("/chatkit", server.chatkit, "POST")
    app.route("/upload", server.upload, "POST")
    app.route("/bytes/{attachment_id}", server.receive, "POST", "PUT", "OPTIONS")
    with running(app) as url:
        server.url = server.attachments.base = url
        yield server


def _root(presses: int) -> Any:
    return WidgetRootUpdated.model_validate({"widget": gallery.actions_card(presses)}).widget


async def _file(request: Request) -> bytes:
    async with request.form() as form:
        file = form["file"]
        assert not isinstance(file, str)
        return await file.read()


def _text(message: UserMessageItem | None) -> str:
    return "".join(part.text for part in message.content if part.type == "input_text") if message else ""


def _described(message: UserMessageItem | None) -> str:
    """All that a message holds, as JSON."""
    assert message is not None
    return json.dumps(
        {
            "content": [part.model_dump(mode="json") for part in message.content],
            "attachments": [[file.id, file.type, file.name, file.mime_type] for file in message.attachments],
            "quoted_text": message.quoted_text,
            "inference_options": message.inference_options.model_dump(mode="json", exclude_none=True),
        }
    )
