"""`POST /v1/chatkit/conversation`: the chat protocol, called by the user's browser with a client secret.

Plain ASGI rather than a FastAPI route: a turn is the hot path, and its request is one union of operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from pydantic import ValidationError

from chatdock.api.auth import bearer
from chatdock.api.body import admit, read_json
from chatdock.api.errors import MethodNotAllowed, from_validation
from chatdock.api.send import send_body
from chatdock.api.sse import SlowReader, send_stream
from chatdock.api.turn_headers import turn_headers
from chatdock.chat import feedback
from chatdock.chat.limits import refuse_oversized
from chatdock.chat.sessions import digest
from chatdock.chat.turns import UPLOADS_DISABLED, Caller
from chatdock.errors import InvalidRequest
from chatdock.protocol import operations as ops

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from chatdock.chat.responses import Responses
    from chatdock.chat.sessions import Session
    from chatdock.chat.turns import Stream
    from chatdock.world import World

_BRANCHES = ops.NAMES | {"input_text", "input_tag"}
"""Names that pydantic puts into an error's location for the branch of a union that it took."""


class Conversation:
    """The conversation endpoint."""

    def __init__(self, world: World, responses: Responses) -> None:
        self._world = world
        self._responses = responses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one operation."""
        if scope["method"] != "POST":
            raise MethodNotAllowed("Use POST.", headers={"Allow": "POST"})
        sessions, secret = self._world.sessions, bearer(scope["headers"])
        if sessions.recent.get(digest(secret)) is not None:
            session = await sessions.authenticate(secret)  # at once
        else:
            session, receive = await admit(sessions.authenticate(secret), receive)
        with self._responses.of_session(session):
            await self._answer(session, scope, receive, send)

    async def _answer(self, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        world = self._world
        body = await read_json(receive, world.settings)
        headers = {bytes(name): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            operation = ops.OPERATION.validate_json(body)
        except ValidationError as error:
            world.limiter.count_session(session, world.settings, reading=False)
            raise from_validation(error.errors(include_url=False), _BRANCHES) from None
        limits = world.limiter.count_session(session, world.settings, reading=isinstance(operation, ops.LightOperation))
        refuse_oversized(operation, world.settings)
        idempotency_key = headers.get(b"idempotency-key")
        if idempotency_key is not None and not 1 <= len(idempotency_key) <= 255:
            raise InvalidRequest("Idempotency-Key must have 1 to 255 characters.", param="Idempotency-Key")
        language = headers.get(b"accept-language", "").partition(",")[0].partition(";")[0].strip()
        for_turn = turn_headers(scope["headers"], world.settings.turn_headers)
        caller = Caller(session, language[:35] or None, idempotency_key, body, for_turn)
        answer = await self._perform(caller, operation, headers)
        if isinstance(answer, bytes):
            await send_body(send, 200, answer, b"application/json", limits)
            return
        try:
            await send_stream(
                answer,
                receive,
                send,
                headers=[(name.encode(), value.encode()) for name, value in limits.items()],
                on_disconnect=lambda: world.turns.abandon(answer),
            )
        except SlowReader:
            await world.turns.abandon(answer)

    async def _perform(self, caller: Caller, operation: ops.AnyOperation, headers: dict[bytes, str]) -> bytes | Stream:
        world, scope = self._world, caller.session.scope
        match operation:
            case (
                ops.ThreadsCreate()
                | ops.ThreadsAddUserMessage()
                | ops.ThreadsAddClientToolOutput()
                | ops.ThreadsAddStructuredInput()
                | ops.ThreadsRetryAfterItem()
                | ops.ThreadsCustomAction()
            ):
                return await world.turns.start(caller, operation)
            case ops.ThreadsResume(params=params):
                if params.starting_after is None and (last := headers.get(b"last-event-id")):
                    params = params.model_copy(update={"starting_after": last})
                return await world.turns.resume(caller, params)
            case ops.ThreadsCancel(params=params):
                return await world.turns.cancel(caller, params.thread_id)
            case ops.ThreadsGetById(params=params):
                return await world.threads.get(scope, params.thread_id)
            case ops.ThreadsList(params=params):
                return await world.threads.page(scope, params)
            case ops.ThreadsUpdate(params=params):
                return await world.threads.rename(scope, params.thread_id, params.title)
            case ops.ThreadsDelete(params=params):
                await world.threads.delete(scope, params.thread_id)
                return b"{}"
            case ops.ThreadsSyncCustomAction(params=params):
                world.engine.refuse_when_draining()
                return await world.actions.sync_action(caller, params, operation.metadata)
            case ops.ItemsList(params=params):
                return await world.threads.items(scope, params)
            case ops.ItemsFeedback(params=params):
                await feedback.give(world.database, caller, params, world.clock)
                await world.actions.feedback(caller, params)
                return b"{}"
            case ops.AttachmentsCreate() | ops.AttachmentsDelete():
                raise InvalidRequest(UPLOADS_DISABLED, code="file_upload_disabled")
            case ops.InputTranscribe(params=params):
                return await world.actions.transcribe(caller, params)
            case _:
                assert_never(operation)
