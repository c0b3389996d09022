"""The one object that a workflow receives."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import structlog
from chatkit.actions import Action
from chatkit.errors import CustomStreamError
from chatkit.types import (
    ClientToolCallItem,
    HiddenContextItem,
    InferenceOptions,
    StructuredInputItem,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    WidgetItem,
)
from pydantic import TypeAdapter, ValidationError

from chatdock.protocol import ids
from chatdock.redaction import Content
from chatdock.tracing.trace import Measured, Trace
from chatdock.workflows.limits import LimitReached
from chatdock.workflows.turn_events import TurnEvents

if TYPE_CHECKING:
    from agents import TResponseInputItem
    from chatkit.agents import ThreadItemConverter
    from chatkit.icons import IconName

    from chatdock.storage.database import Database
    from chatdock.workflows.live import Picture, Steps
    from chatdock.workflows.workflow import Emitted

log = structlog.get_logger("chatdock.workflows")

KEPT = "chatdock.kept"
"""Hidden context with this key is what an adapter keeps between turns: no history shows it."""
REACHED = "reached"
"""Of what is kept: how far a run had come, whose tools are not to be called once more by a retry."""

UNFIT_SHOWN = 10
"""So many places of a payload that does not fit are logged."""

T = TypeVar("T")
LoadItems = Callable[[int | None, str | None], Awaitable[list[ThreadItem]]]
Emit = Callable[["Emitted"], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSession:
    """The session that a request came with."""

    id: str
    state_variables: dict[str, Any] = field(default_factory=dict, repr=False)
    """As the application gave them when it created the session."""


@dataclass(slots=True, kw_only=True)
class Turn(TurnEvents):
    """What a run answers, and what it may know, say and change while it does.

    A workflow yields text, events of `chatkit.types` and what the methods here return, freely mixed. Tools and
    callbacks, which cannot yield, `emit()` the same. Time may pass in between: a run has its time limit, no other.
    """

    thread: ThreadMetadata
    """The thread. Changes to its title, status, allowed image domains and metadata are stored and shown as they happen;
    its metadata stays on the server."""
    user: str
    """The user's id, as the application named it when it created the session."""
    project: str = "default"
    """The project whose API key created the session: users of one name in two projects are two."""
    session: TurnSession
    """The session that the request came with."""
    workflow_id: str
    """The id under which this workflow was asked for."""
    message: UserMessageItem | None = None
    """The user's message, or None when the turn answers an action, a tool's output or structured input."""
    action: Action[str, Any] | None = None
    """The widget action to perform."""
    sender: WidgetItem | None = None
    """The widget that the action came from."""
    tool_output: ClientToolCallItem | None = None
    """The client tool call that the browser has just answered."""
    answers: StructuredInputItem | None = None
    """The structured input that the user has just answered or skipped."""
    state: dict[str, Any] = field(default_factory=dict, repr=False)
    """The session's state variables over what earlier turns left here. JSON values; stored when the turn completes,
    shown to no client."""
    locale: str | None = None
    """The user's language, as a BCP 47 tag."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What the page sent along with the request. Untrusted."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The request's headers that `CHATDOCK_TURN_HEADERS` names, by their names in lower case. Untrusted."""
    cancelled: bool = False
    """True once the run is to end: the user pressed stop, its time is up, or the server is stopping."""
    tool_calls: int = 0
    """How many tool calls this run has counted."""
    tool_call_limit: int | None = field(default=None, repr=False)
    """How many it may count."""
    models: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The models that the workflow offers, by the page's ids."""
    saved_state: dict[str, Any] = field(default_factory=dict, repr=False)
    """What earlier turns left, as it is stored."""
    hidden_ids: frozenset[str] = field(default=frozenset(), repr=False)
    """Items of earlier turns that clients do not see, so that no event of this turn names one."""
    load_items: LoadItems | None = field(default=None, repr=False)
    waiting: Callable[[], Awaitable[set[str]]] | None = field(default=None, repr=False)
    """The ids of the thread's messages that wait for a turn of their own."""
    database: Database | None = field(default=None, repr=False)
    """Where the thread is stored: what a hosted server's store works on."""
    emit_now: Emit | None = field(default=None, repr=False)
    """What `emit()` calls while the turn is executed."""
    stored: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)
    """Waits until what was said so far is stored, while the turn is executed."""
    trace: Trace | None = field(default=None, repr=False)
    """Where the turn's spans go; None when it is not traced."""

    @property
    def text(self) -> str:
        """The text of the user's message; tags read as `@text`."""
        if self.message is None:
            return ""
        return "".join(part.text if part.type == "input_text" else f"@{part.text}" for part in self.message.content)

    @property
    def inference_options(self) -> InferenceOptions:
        """The model and tool that the user chose in the composer."""
        return self.message.inference_options if self.message else InferenceOptions()

    @property
    def chosen_model(self) -> Any:
        """The model that the user chose in the composer, as `workflow(models=…)` offers it; else None.

        A page can name any model, also one that nobody wants to pay for: what is not offered is not used.
        """
        chosen = self.inference_options.model
        if chosen is not None and chosen not in self.models:
            log.warning("model_not_offered", workflow=self.workflow_id, model=Content(chosen[:64]))
        return None if chosen is None else self.models.get(chosen)

    def payload(self, schema: type[T]) -> T:
        """The action's payload as `schema` has it, any type that pydantic knows; one that does not fit ends the turn.

        A payload comes from the browser, the values of a form included. The log says in which way it did not fit, and
        none of its values.
        """
        try:
            return TypeAdapter(schema).validate_python(None if self.action is None else self.action.payload)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)[:UNFIT_SHOWN]
            log.warning(
                "payload_unfit",
                workflow=self.workflow_id,
                unfit=", ".join(each["type"] for each in found),
                at=Content(", ".join(".".join(map(str, each["loc"])) for each in found)),
            )
            raise CustomStreamError("The action's data does not fit.", allow_retry=False) from None

    async def history(self, limit: int | None = None, *, before: str | None = None) -> list[ThreadItem]:
        """The thread's items, oldest first, with what this turn answers and has said; with `limit` the newest so many.

        `before` is an item's id: only what stands above it, for one page after another. Hidden context is among them:
        this is for the model, not for clients.
        """
        if self.stored is not None:
            await self.stored()
        loaded = [] if self.load_items is None else await self.load_items(limit, before)
        return [item for item in loaded if kept(item) is None] if self.hidden_ids else loaded

    async def input_items(
        self, limit: int | None = None, converter: ThreadItemConverter | None = None
    ) -> list[TResponseInputItem]:
        """The history as input items of the Responses API, which the Agents SDK and `openai` take.

        Imports the Agents SDK. `converter` is one of chatkit-python's; ours reads tags and hidden context of any shape.
        """
        from chatdock.workflows.input_items import TurnConverter, correct_chatkit

        correct_chatkit()
        return await (converter or TurnConverter()).to_agent_input(await self.history(limit))

    async def emit(self, event: Emitted) -> None:
        """Say something now, as if the workflow had yielded it; returns when there is room for more.

        For tools and callbacks. An `ErrorEvent` ends a turn, so it can only be yielded or raised.
        """
        if self.emit_now is None:
            raise RuntimeError(
                "turn.emit() works while a turn streams its answer: not in a sync action, nor after the end"
            )
        await self.emit_now(event)

    def steps(
        self,
        title: str | None = None,
        *,
        icon: IconName | None = None,
        kind: Literal["custom", "reasoning"] = "custom",
        expanded: bool = False,
    ) -> Steps:
        """What is being done, task by task: `async with turn.steps("Checking") as steps: await steps.add("Prices")`."""
        from chatdock.workflows.live import Steps

        return Steps(self, kind, title, icon, expanded)

    def picture(self) -> Picture:
        """A generated image with previews, as an async context manager: `async with turn.picture() as picture`."""
        from chatdock.workflows.live import Picture

        return Picture(self)

    def stream_widget(self, states: AsyncIterator[Any], copy_text: str | None = None) -> AsyncIterator[Emitted]:
        """The events of a widget that changes while it is shown, to be yielded one by one.

        Text that grows in `Text` and `Markdown` components with an `id` is sent as deltas. The last state is stored.
        """
        from chatdock.workflows.live import stream_widget

        return stream_widget(self, states, copy_text)

    def count_tool_call(self) -> None:
        """Count a tool call that is about to start; `LimitReached`, which ends the turn, when it is one too many.

        Agents count theirs by themselves. A workflow that calls tools in a loop of its own counts them here.
        """
        if self.tool_call_limit is not None and self.tool_calls >= self.tool_call_limit:
            raise LimitReached(
                "tool_calls", f"The answer needed more than {self.tool_call_limit} tool calls, which is the limit."
            )
        self.tool_calls += 1

    def span(self, name: str, **attributes: Any) -> Measured:
        """A span of the turn's trace, from the beginning of a `with` or `async with` block to its end.

        `attributes`, and what `set()` adds inside the block, are text, numbers, truths or lists of these, and are
        stored as they are. OpenTelemetry's names for generative AI are understood: with `gen_ai.operation.name="chat"`
        and `gen_ai.usage.input_tokens` the tokens count. Nothing is recorded when the turn is not traced.
        """
        return Measured(self.trace, name, attributes)

    def new_id(self) -> str:
        """An id for an item that the workflow builds itself."""
        return ids.item_id()

    def now(self) -> datetime:
        """The time for an item that the workflow builds itself, with its zone."""
        return datetime.now(UTC)


CURRENT_TURN: ContextVar[Turn] = ContextVar("current_turn")
"""Set for each execution, in the task of its own."""


def current_turn() -> Turn:
    """The turn that is being answered, for tools and callbacks that are not given it.

    Works in what a workflow awaits, in tasks that it starts and in `asyncio.to_thread`; elsewhere a `RuntimeError`.
    """
    try:
        return CURRENT_TURN.get()
    except LookupError:
        raise RuntimeError("current_turn() works while a turn is answered, in what its workflow calls") from None


def kept(item: ThreadItem) -> dict[str, Any] | None:
    """What an adapter keeps in this item; None for every other item."""
    if isinstance(item, HiddenContextItem) and isinstance(item.content, dict):
        found: dict[str, Any] | None = item.content.get(KEPT)
        return found
    return None


def reached(item: ThreadItem) -> dict[str, Any] | None:
    """How far a run had come that broke off, where this item keeps that: also the `message` it answered, the id.

    A retry of the message keeps what stands above this item, and those below that are `shown`.
    """
    found: dict[str, Any] | None = (kept(item) or {}).get(REACHED)
    return found
