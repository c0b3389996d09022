"""chatkit-python servers: subclasses of `ChatKitServer`, as they are, on Chatdock's store, streams and runs.

Chatdock calls what a server overrides where `ChatKitServer.process()` would, and what it yields takes the way of every
workflow's events. `process()` itself is not used.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from agents import Agent
from chatkit.server import ChatKitServer
from chatkit.store import NotFoundError, Store
from chatkit.types import StreamOptionsEvent, ThreadItemDoneEvent, ThreadItemReplacedEvent, ThreadUpdatedEvent

from chatdock.protocol.frames import dump, dump_item, read_item
from chatdock.protocol.snapshot import Draft
from chatdock.workflows.agents_sdk.hosted_tools import refuse
from chatdock.workflows.agents_sdk.model_answers import mend
from chatdock.workflows.agents_sdk.team import team
from chatdock.workflows.input_items import correct_chatkit
from chatdock.workflows.local_time import LocalTime
from chatdock.workflows.own_store import hosted_store
from chatdock.workflows.server_store import Call, current_call
from chatdock.workflows.titles import opening_words
from chatdock.workflows.workflow import Adapter, WorkflowError

if TYPE_CHECKING:
    from chatkit.types import (
        AudioInput,
        FeedbackKind,
        ThreadItem,
        ThreadItemUpdatedEvent,
        ThreadStreamEvent,
        TranscriptionResult,
    )

    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Title, Workflow

log = structlog.get_logger("chatdock.workflows")

_CALLED = {
    "respond",
    "action",
    "sync_action",
    "add_feedback",
    "transcribe",
    "get_stream_options",
    "handle_stream_cancelled",
}
_NOT_CALLED = [
    name
    for name, member in vars(ChatKitServer).items()
    if inspect.isfunction(member) and not name.startswith("__") and name not in _CALLED
]
"""`process()` and what it is made of: Chatdock does all that itself."""

Stream = AsyncIterator["ThreadStreamEvent"]
MakeContext = Callable[["Turn"], Any | Awaitable[Any]]


class ServerAdapter(Adapter):
    """Answers turns with a server: an instance, or a class, of which one instance is made.

    `context` makes the request context that the server was written for, out of a turn; it may be `async def`. Without
    it, the server's methods get the turn.
    """

    title: Title = staticmethod(opening_words)
    needs_model = False

    def __init__(
        self, server: ChatKitServer[Any] | type[ChatKitServer[Any]], *, context: MakeContext | None = None
    ) -> None:
        self.server = _made(server) if isinstance(server, type) else server
        self._make_context = context
        correct_chatkit()
        mend()
        self.server.store = hosted_store(getattr(self.server, "store", None))
        for name in ("respond", "action"):
            if inspect.iscoroutinefunction(getattr(self.server, name)):
                raise WorkflowError(
                    f"{type(self.server).__name__}.{name}() is not an async generator: it needs a `yield`"
                )

    def prepare(self, *, responses: bool, openai: bool) -> None:
        """Refuse tools that the endpoint cannot execute, of agents that the server keeps as attributes."""
        kept = {**vars(type(self.server)), **vars(self.server)}.values()
        refuse(team(each for each in kept if isinstance(each, Agent)), named=not responses)

    def equip(self, workflow: Workflow) -> None:
        """Let the workflow do what the server overrides, and no more; say what it overrides in vain."""
        workflow.titles_last = True
        if in_vain := [name for name in _NOT_CALLED if self._overrides(name)]:
            log.warning(
                "server_methods_not_called",
                workflow=workflow.id,
                server=type(self.server).__name__,
                methods=", ".join(in_vain),
            )
        if self._overrides("action"):
            workflow.on_action = self.action
        if self._overrides("sync_action"):
            workflow.on_sync_action = self.sync_action
        if self._overrides("add_feedback"):
            workflow.on_feedback = self.feedback
        if self._overrides("transcribe"):
            workflow.on_transcribe = self.transcribe
        if self._overrides("handle_stream_cancelled"):
            workflow.on_cancelled = self.cancelled
        if self._overrides("get_stream_options"):
            if workflow.allow_cancel is False:
                raise WorkflowError(
                    f"{type(self.server).__name__}.get_stream_options() says by itself whether a turn can be "
                    "cancelled: leave out allow_cancel=False, or that method"
                )
            workflow.allow_cancel = None

    def respond(self, turn: Turn) -> Stream:
        """Answer a message; a tool's output and structured input come without one."""
        return self._stream(turn, lambda call: self.server.respond(turn.thread, turn.message, call.context))

    def action(self, turn: Turn) -> Stream:
        """Perform a widget action."""
        action = turn.action
        assert action is not None
        return self._stream(turn, lambda call: self.server.action(turn.thread, action, turn.sender, call.context))

    async def sync_action(self, turn: Turn) -> ThreadItem | None:
        """Perform a widget action that does not stream."""
        assert turn.action is not None
        call = await self._call(turn)
        answer = await self.server.sync_action(turn.thread, turn.action, turn.sender, call.context)
        return answer.updated_item

    async def feedback(self, turn: Turn, item_ids: list[str], kind: FeedbackKind) -> None:
        """Tell the server what the user thinks of items of the turn's thread."""
        call = await self._call(turn)
        await self.server.add_feedback(turn.thread.id, item_ids, kind, call.context)

    async def transcribe(self, turn: Turn, audio: AudioInput) -> TranscriptionResult:
        """Speech as text."""
        call = await self._call(turn)
        return await self.server.transcribe(audio, call.context)

    async def cancelled(self, turn: Turn, unfinished: list[ThreadItem]) -> bool:
        """Let the server clean up after the user's cancel; whether it left a note for the model."""
        call = await self._call(turn)
        call.noted = False
        for item in unfinished:
            _localize(item)
        await self.server.handle_stream_cancelled(turn.thread, unfinished, call.context)
        return call.noted

    async def _stream(self, turn: Turn, begin: Callable[[Call], Stream]) -> Stream:
        call = await self._call(turn)
        if self._overrides("get_stream_options"):
            yield StreamOptionsEvent(stream_options=self.server.get_stream_options(turn.thread, call.context))
        events = aiter(begin(call))
        try:
            async for event in events:
                if event.type == "thread.item.done" and event.item.type == "client_tool_call":
                    for item in call.left_open():  # a pending call ends the turn
                        yield ThreadItemDoneEvent(item=item)
                call.watch(event)
                if event.type == "thread.updated":
                    yield _with_metadata(event, turn)
                elif event.type == "thread.item.updated" and event.item_id not in call.unfinished:
                    yield await self._gone_on_with(event, call)
                else:
                    yield event
        except GeneratorExit:
            # Stopped between two events; a server learns of it as of a stop while it waits.
            if turn.cancelled and isinstance(events, AsyncGenerator):
                with suppress(asyncio.CancelledError, StopAsyncIteration):
                    await events.athrow(asyncio.CancelledError())
            raise
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()
        for item in call.left_open():
            yield ThreadItemDoneEvent(item=item)

    async def _gone_on_with(self, event: ThreadItemUpdatedEvent, call: Call) -> ThreadStreamEvent:
        """A change of an item that stands in the thread, as the item in its new form.

        `stream_agent_response` goes on so with the workflow of an earlier turn that a client tool call broke off.
        """
        thread_id = call.turn.thread.id
        try:
            item = await self.server.store.load_item(thread_id, event.item_id, call.context)
        except NotFoundError:
            return event
        draft = Draft(orjson.loads(dump_item(item)))
        try:
            draft.update(orjson.loads(dump(event.update)))
        except ValueError as unfit:
            raise WorkflowError(f"{type(self.server).__name__} yielded an update that does not fit: {unfit}") from unfit
        return ThreadItemReplacedEvent(item=read_item(orjson.dumps(draft.settle())))

    async def _call(self, turn: Turn) -> Call:
        """The turn with its context, noted for what is called from here on in this task, and in tasks that it starts.

        Nothing takes the note back: a run and a request have a task of their own.
        """
        call = current_call.get(None)
        if call is not None and call.turn is turn:
            return call
        for timed in (turn.thread, turn.message, turn.sender):
            _localize(timed)
        context: Any = turn
        if self._make_context is not None:
            context = self._make_context(turn)
            if inspect.isawaitable(context):
                context = await context
        call = Call(turn, context)
        current_call.set(call)
        return call

    def _overrides(self, name: str) -> bool:
        return name in vars(self.server) or getattr(type(self.server), name) is not getattr(ChatKitServer, name)


def _with_metadata(event: ThreadUpdatedEvent, turn: Turn) -> ThreadUpdatedEvent:
    """chatkit's event has a thread as clients see it, without metadata, which is no reason to forget that."""
    return ThreadUpdatedEvent(thread=event.thread.model_copy(update={"metadata": turn.thread.metadata}))


def _localize(timed: Any) -> None:
    if timed is not None:
        timed.created_at = LocalTime.of(timed.created_at)


def _made(server: type[ChatKitServer[Any]]) -> ChatKitServer[Any]:
    """An instance. It gets a store if it needs one, and no attachment store; what else it needs is not known here."""
    name = server.__name__
    by_hand = f"register an instance: workflow('wf_…')({name}(…))"
    if inspect.isabstract(server):
        raise WorkflowError(f"{name} lacks {', '.join(sorted(server.__abstractmethods__))}()")
    given: dict[str, Any] = {}
    try:
        for parameter in _parameters(server):
            if parameter.default is not parameter.empty or parameter.kind in (
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            ):
                continue
            if "store" not in parameter.name:
                raise WorkflowError(f"{name}() needs {parameter.name!r}, which is not known here: {by_hand}")
            given[parameter.name] = None if "attachment" in parameter.name else _store_for(parameter)
        return server(**given)
    except WorkflowError:
        raise
    except Exception as error:
        raise WorkflowError(f"{name}() fails with {type(error).__name__}: {error}; {by_hand}") from error


def _parameters(server: type[ChatKitServer[Any]]) -> Iterable[inspect.Parameter]:
    try:
        return inspect.signature(server, eval_str=True).parameters.values()
    except NameError:  # of a type that is imported for type checkers alone
        return inspect.signature(server).parameters.values()


def _store_for(parameter: inspect.Parameter) -> Any:
    """An instance of the author's own class where that is asked for: what it adds to a store is used."""
    wanted = parameter.annotation
    if inspect.isclass(wanted) and issubclass(wanted, Store) and not inspect.isabstract(wanted):
        return wanted()
    return hosted_store(None)
