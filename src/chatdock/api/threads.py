"""`/v1/chatkit/threads`"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator, Field, StringConstraints

from chatdock.api.auth import Key, KeyRoute
from chatdock.protocol import rest
from chatdock.protocol.operations import PAGE_DEFAULT, PAGE_MAX
from chatdock.storage.threads import Scope

router = APIRouter(prefix="/v1/chatkit/threads", tags=["threads"], route_class=KeyRoute)


def _or_empty(kind: Any, default: object = None) -> BeforeValidator:
    """Takes a parameter without a value (`?after=`) as if it were left out, and lets the description say so."""
    return BeforeValidator(lambda value: default if value == "" else value, json_schema_input_type=kind | Literal[""])


_Size = Annotated[int, Field(ge=0, le=PAGE_MAX)]
_Order = Literal["asc", "desc"]
_User = Annotated[str, StringConstraints(min_length=1, max_length=512)] | None

Limit = Annotated[_Size, _or_empty(_Size, PAGE_DEFAULT), Query(description="How many at most.")]
Order = Annotated[_Order, _or_empty(_Order, "desc"), Query(description="By creation time.")]
Cursor = Annotated[str | None, _or_empty(str | None), Query(description="The id of an element of this list.")]
User = Annotated[_User, _or_empty(_User), Query(description="Threads of this user alone.")]


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
