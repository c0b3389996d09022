"""`/v1/chatkit/sessions`"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request

from chatdock.api.auth import Key, KeyRoute
from chatdock.protocol import rest

router = APIRouter(prefix="/v1/chatkit/sessions", tags=["sessions"], route_class=KeyRoute)


@router.post("", operation_id="createSession")
async def create_session(
    request: Request,
    key: Key,
    body: rest.CreateSession,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255, alias="Idempotency-Key")] = None,
) -> rest.Session:
    """Create a session for a user; its client secret is shown this once."""
    world = request.app.state.world
    world.engine.refuse_when_draining()
    made: rest.Session = await world.sessions.create(
        key.project_id, body, api_key=key.secret, idempotency_key=idempotency_key
    )
    world.metrics.sessions_created.inc()
    return made


@router.post("/{session_id}/cancel", operation_id="cancelSession")
async def cancel_session(request: Request, key: Key, session_id: str) -> rest.Session:
    """End a session: its client secret is refused from now on. Cancelling twice changes nothing."""
    cancelled: rest.Session = await request.app.state.world.sessions.cancel(key.project_id, session_id)
    return cancelled
