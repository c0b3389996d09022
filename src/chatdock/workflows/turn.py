"""The one object that a workflow receives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chatkit.actions import Action
from chatkit.types import (
    ClientToolCallItem,
    InferenceOptions,
    StructuredInputItem,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
    WidgetItem,
)

from chatdock.protocol import ids
from chatdock.workflows.limits import LimitReached

LoadItems = Callable[[int | None], Awaitable[list[ThreadItem]]]


@dataclass(slots=True, kw_only=True)
class Turn:
    """What a run answers, and what it may know and change while it does.

    A workflow yields text and `chatkit.types` events; everything else goes through here.
    """

    thread: ThreadMetadata
    """The thread. Changes to its title, status, allowed image domains and metadata are stored and shown as they happen;
    its metadata stays on the server."""
    user: str
    """The user's id, as the application named it when it created the session."""
    session_id: str
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
    cancelled: bool = False
    """True once the run is to end: the user pressed stop, its time is up, or the server is stopping."""
    tool_calls: int = 0
    """How many tool calls this run has counted."""
    tool_call_limit: int | None = field(default=None, repr=False)
    """How many it may count."""
    variables: dict[str, Any] = field(default_factory=dict, repr=False)
    """The session's state variables alone."""
    saved_state: dict[str, Any] = field(default_factory=dict, repr=False)
    """What earlier turns left, as it is stored."""
    hidden_ids: frozenset[str] = field(default=frozenset(), repr=False)
    """Items of earlier turns that clients do not see, so that no event of this turn names one."""
    load_items: LoadItems | None = field(default=None, repr=False)

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

    async def history(self, limit: int | None = None) -> list[ThreadItem]:
        """The thread's items, oldest first, up to and with what this turn answers; with `limit` the newest so many.

        Hidden context is among them: this is for the model, not for clients.
        """
        return [] if self.load_items is None else await self.load_items(limit)

    def count_tool_call(self) -> None:
        """Count a tool call that is about to start; `LimitReached`, which ends the turn, when it is one too many.

        Agents count theirs by themselves. A workflow that calls tools in a loop of its own counts them here.
        """
        if self.tool_call_limit is not None and self.tool_calls >= self.tool_call_limit:
            raise LimitReached(
                "tool_calls", f"The answer needed more than {self.tool_call_limit} tool calls, which is the limit."
            )
        self.tool_calls += 1

    def new_id(self) -> str:
        """An id for an item that the workflow builds itself."""
        return ids.item_id()

    def now(self) -> datetime:
        """The time for an item that the workflow builds itself, with its zone."""
        return datetime.now(UTC)
