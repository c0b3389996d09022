"""`/v1/chatkit/threads`"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator

from chatdock.api.auth import Key, KeyRoute
from chatdock.protocol import rest
from chatdock.protocol.operations import PAGE_DEFAULT, PAGE_MAX
from chatdock.storage.threads import Scope

router = APIRouter(prefix="/v1/chatkit/threads", tags=["threads"], route_class=KeyRoute)

Limit = Annotated[int, Query(ge=0, le=PAGE_MAX, description="How many at most.")]
Order = Annotated[Literal["asc", "desc"], Query(description="By creation time.")]
_NotGiven = BeforeValidator(lambda value: value or None)
"""A parameter that is written without a value (`?after=`) is as if it were left out."""

Cursor = Annotated[str | None, Query(description="The id of an element of this list."), _NotGiven]
User = Annotated[str | None, Query(min_length=1, max_length=512, description="Threads of this user alone."), _NotGiven]


@router.get("", operation_id="listThreads")
async def list_threads(
    request: Request,
    key: Key,
    limit: Limit = PAGE_DEFAULT,
    order: Order = "desc",
    after: Cursor = None,
    before: Cursor = None,
    user: User = None,
) -> rest.ThreadList:
    """The project's threads, or those of one user."""
    page: rest.ThreadList = await request.app.state.world.threads.rest_page(
        Scope(key.project_id, user), limit=limit, order=order, after=after, before=before
    )
    return page


@router.get("/{thread_id}", operation_id="getThread")
async def get_thread(request: Request, key: Key, thread_id: str) -> rest.Thread:
    """One thread."""
    thread: rest.Thread = await request.app.state.world.threads.rest_thread(Scope(key.project_id), thread_id)
    return thread


@router.delete("/{thread_id}", operation_id="deleteThread")
async def delete_thread(request: Request, key: Key, thread_id: str) -> rest.DeletedThread:
    """Delete a thread with its items."""
    await request.app.state.world.threads.delete(Scope(key.project_id), thread_id, param="thread_id")
    return rest.DeletedThread(id=thread_id)


@router.get("/{thread_id}/items", operation_id="listThreadItems")
async def list_thread_items(
    request: Request,
    key: Key,
    thread_id: str,
    limit: Limit = PAGE_DEFAULT,
    order: Order = "desc",
    after: Cursor = None,
    before: Cursor = None,
) -> rest.ItemList:
    """The items of a thread."""
    page: rest.ItemList = await request.app.state.world.threads.rest_items(
        Scope(key.project_id), thread_id, limit=limit, order=order, after=after, before=before
    )
    return page
