"""A chatkit-python server in an app of its own, with threads and files in Chatdock's stores."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

from chatkit.server import ChatKitServer, NonStreamingResult
from chatkit.store import NotFoundError
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse

from chatdock import FileStore, SQLStore

Context = dict[str, str]  # what every request brings along; yours may be of any shape

SIGNED_IN = {"ada's token": "ada", "bob's token": "bob"}  # in place of your own login


def signed_in(request: Request) -> Context:
    user = SIGNED_IN.get(request.headers.get("authorization", "").removeprefix("Bearer "))
    if user is None:
        raise HTTPException(401)
    return {"user": user}


SignedIn = Annotated[Context, Depends(signed_in)]


def user_of(context: Context) -> str:
    return context["user"]


store = SQLStore(os.environ.get("DATABASE_URL", "sqlite:///./chatdock.db"), user=user_of)
files = FileStore(
    os.environ.get("FILES", "./files"),
    url=os.environ.get("FILES_URL", "http://localhost:8000/files"),
    secret=os.environ["FILES_SECRET"],
    store=store,
    user=user_of,
)


class Desk(ChatKitServer[Context]):
    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        said = []
        for attachment in input_user_message.attachments if input_user_message else []:
            content = await files.read(attachment.id, context)
            said.append(f"{attachment.name} has {len(content)} bytes.")
        message = AssistantMessageItem(
            id=self.store.generate_item_id("message", thread, context),
            thread_id=thread.id,
            created_at=datetime.now(UTC),
            content=[AssistantMessageContent(text=" ".join(said) or "What can I do for you?")],
        )
        yield ThreadItemDoneEvent(item=message)


desk = Desk(store, files)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with store:  # closes the database at the end
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/files", files.app)


@app.post("/chatkit")
async def chatkit(request: Request, context: SignedIn) -> Response:
    result = await desk.process(await request.body(), context)
    if isinstance(result, NonStreamingResult):
        return Response(result.json, media_type="application/json")
    return StreamingResponse(result, media_type="text/event-stream")


@app.get("/attachments/{attachment_id}")
async def download(attachment_id: str, context: SignedIn) -> Response:
    return RedirectResponse(await files.download_url(attachment_id, context))


@app.exception_handler(NotFoundError)
async def not_found(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, status_code=404)
