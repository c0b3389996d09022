"""What a workflow is: something that answers turns, with what it can do beside answering."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from chatkit.types import Annotation, AudioInput, FeedbackKind, ThreadItem, ThreadStreamEvent, TranscriptionResult

from chatdock.workflows.turn import Turn

if TYPE_CHECKING:
    from agents import Agent
    from openai import AsyncOpenAI

Emitted = str | ThreadStreamEvent | Annotation
"""What a workflow yields: assistant text, a source of the text so far, or an event of `chatkit.types`."""
Respond = Callable[[Turn], AsyncIterator[Emitted]]
SyncAction = Callable[[Turn], Awaitable[ThreadItem | None]]
Transcribe = Callable[[AudioInput], Awaitable[str | TranscriptionResult]]
TranscribeTurn = Callable[[Turn, AudioInput], Awaitable[str | TranscriptionResult]]
Feedback = Callable[[Turn, list[str], FeedbackKind], Awaitable[None]]
Cancelled = Callable[[Turn, list[ThreadItem]], Awaitable[bool]]
Title = Callable[[Turn], Awaitable[str | None]] | Callable[[Turn], str | None]


class Adapter(Protocol):
    """What makes one kind of thing answer turns."""

    @property
    def title(self) -> Title:
        """Names a thread whose workflow has no titler of its own."""
        ...

    @property
    def needs_model(self) -> bool:
        """Whether it is answered by the configured model endpoint."""
        ...

    @property
    def agents(self) -> Iterable[Agent[Any]]:
        """The agents of the Agents SDK that answer, as far as they can be seen; not those that they reach."""
        return ()

    @property
    def respond(self) -> Respond:
        """Answer a message, a tool's output or structured input."""
        ...

    def performs(self, others: Respond | None) -> Respond | None:
        """What performs widget actions: the adapter its own, if it has any, and the author's handler all `others`."""
        return others

    def prepare(self, *, responses: bool, openai: bool) -> None:
        """Look that the model endpoint can do what is needed, before the start; `WorkflowError` when it cannot.

        `responses`: it speaks the Responses API. `openai`: it is OpenAI's own.
        """
        return

    def connect(self, client: AsyncOpenAI, *, use_responses: bool) -> None:
        """Use this client for models that are named."""
        return

    def equip(self, workflow: Workflow) -> None:
        """Register with the workflow what it does beside answering."""
        return


class WorkflowError(Exception):
    """A workflow that cannot be registered or did what no workflow may do; the message is for its author."""


class Workflow:
    """Something that answers, under an id and a version.

    `action`, `sync_action`, `transcriber` and `titler` register what it does beside answering; each can be used as a
    decorator. Without a titler a thread is named after its first message.
    """

    def __init__(
        self,
        workflow_id: str,
        adapter: Adapter,
        *,
        version: str | None,
        allow_cancel: bool,
        time_limit: float | None = None,
        models: Mapping[str, Any] | None = None,
    ) -> None:
        self.id = workflow_id
        self.version = version
        self.adapter = adapter
        self.allow_cancel: bool | None = allow_cancel
        """Whether clients show a stop button; None when each turn says so itself, as its first event."""
        self.time_limit = time_limit
        self.models = models or {}
        """What a user may choose in the composer: ids, and what the library takes for a model."""
        self.titles_last = False
        """Whether the titler is asked at the end of a turn, since the workflow may name the thread itself."""
        self.respond: Respond = adapter.respond
        self.on_action: Respond | None = adapter.performs(None)
        self.on_sync_action: SyncAction | None = None
        self.on_transcribe: TranscribeTurn | None = None
        self.on_feedback: Feedback | None = None
        self.on_cancelled: Cancelled | None = None
        """Called when the user has cancelled a turn, with the items that were not done; returns whether it left the
        model a note of that in the thread."""
        self.on_title: Title = adapter.title
        adapter.equip(self)

    @property
    def needs_model(self) -> bool:
        """Whether it is answered by the configured model endpoint."""
        return self.adapter.needs_model

    def action(self, function: Respond) -> Respond:
        """Perform widget actions: an async generator like the workflow itself; see `turn.action`, `turn.sender`."""
        require_generator(function, f"the action of workflow {self.id!r}")
        self.on_action = self.adapter.performs(function)
        return function

    def sync_action(self, function: SyncAction) -> SyncAction:
        """Perform widget actions that do not stream: `async def`, returns the one item it changed, or None."""
        self.on_sync_action = function
        return function

    def transcriber(self, function: Transcribe) -> Transcribe:
        """Turn recorded speech into text: `async def (audio: AudioInput)`, returns the text."""
        self.on_transcribe = lambda _turn, audio: function(audio)
        return function

    def titler(self, function: Title) -> Title:
        """Name a thread after its first message: `def` or `async def (turn)`, returns a title, or None for none."""
        self.on_title = function
        return function

    def __repr__(self) -> str:
        return f"Workflow({self.id!r}, version={self.version!r})"


def require_generator(function: Any, what: str) -> None:
    """`WorkflowError` unless a function is an async generator over one turn."""
    if not inspect.isasyncgenfunction(function):
        lacks = "a `yield`" if inspect.iscoroutinefunction(function) else "`async def` and `yield`"
        raise WorkflowError(f"{what} is not an async generator over a turn: it needs {lacks}")
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        raise WorkflowError(f"{what} must take one argument, the turn, not {inspect.signature(function)}") from None
