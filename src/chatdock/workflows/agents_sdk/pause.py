"""A run that waits for the user: its state, and what is asked.

It is kept in the thread, as hidden context that no client and no history shows, from before the user is asked until
just before the run goes on. So it survives the server, goes with the items around it when these are removed, and can
be taken once: whoever answers second finds nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from agents import RunContextWrapper, RunState
from chatkit.errors import CustomStreamError
from chatkit.types import ClientToolCallItem, HiddenContextItem, ThreadItemDoneEvent, WidgetItem

from chatdock.workflows.agents_sdk.approval import approval_card, settled
from chatdock.workflows.agents_sdk.checkpoint import LATEST_ITEMS, MAX_BYTES, told
from chatdock.workflows.agents_sdk.client_tools import is_client_tool, written
from chatdock.workflows.agents_sdk.progress import REJECTED, Progress
from chatdock.workflows.turn import KEPT
from chatdock.workflows.wording import readable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agents import Agent, RunResultStreaming
    from agents.items import ToolApprovalItem

    from chatdock.workflows.agents_sdk.approval import Labels, Outcome
    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted

log = structlog.get_logger("chatdock.workflows")

TOO_LARGE = "This conversation is too large to wait for an answer here. Please start a new one."
UNREADABLE = "The assistant asked this page for something that cannot be read. Please try again."
CHANGED = "What was asked cannot be continued: the assistant was changed meanwhile. Please try again."


@dataclass(slots=True)
class Call:
    """A tool call that waits."""

    call_id: str
    name: str
    arguments: str
    by_client: bool
    by_provider: bool
    """The model's provider executes it, and shows it in the model's own stream."""
    item_id: str | None = None
    """The card, or the client tool call, that asks."""
    answered: bool = False
    approved: bool = False
    output: Any = None


class Pause:
    """The paused run of a thread."""

    def __init__(
        self,
        item: HiddenContextItem,
        state: dict[str, Any] | None,
        calls: list[Call],
        progress: Progress,
        around: dict[str, Any] | None = None,
        ran: list[str] | None = None,
    ) -> None:
        self._item = item
        self._state = state
        self._progress = progress
        self.calls = calls
        """In the order of the run's interruptions."""
        self.around = around
        """What the adapter keeps beside it, JSON: an agent's run may be one step of something larger."""
        self.ran = ran or []
        """What calls came to that did not wait, a line for each."""

    @classmethod
    def of(cls, turn: Turn, result: RunResultStreaming, progress: Progress) -> Pause:
        """The run of `result`, which was interrupted."""
        # The context holds the turn and what the author put there; it is made anew when the run goes on.
        state = result.to_state().to_json(context_serializer=lambda _: {})
        calls = [_call(item) for item in result.interruptions]
        place = HiddenContextItem(**turn.place(), content={})
        return cls(place, state, calls, progress, ran=progress.ran(waits=True))

    @classmethod
    def asking(cls, turn: Turn, question: str) -> Pause:
        """No agent's run, but a question of the workflow itself: whether it may go on."""
        call = Call(turn.new_id(), "Approval needed", orjson.dumps(question).decode(), False, False)
        return cls(HiddenContextItem(**turn.place(), content={}), None, [call], Progress())

    @classmethod
    def again(cls, turn: Turn, kept: dict[str, Any], item: HiddenContextItem | None = None) -> Pause:
        """What `kept` was; `item` is where it stands in the thread already."""
        place = item or HiddenContextItem(**turn.place(), content={})
        calls, progress = [Call(**call) for call in kept["calls"]], Progress.of(kept.get("progress"))
        return cls(place, kept["state"], calls, progress, kept.get("around"), kept.get("ran"))

    def asked_by(self, item_id: str) -> Call | None:
        """The call that this item asks about, while it waits for an answer."""
        return next((call for call in self.calls if call.item_id == item_id and not call.answered), None)

    async def ask(self, turn: Turn, labels: Labels) -> AsyncIterator[Emitted]:
        """Store it, then ask: for all approvals at once, and after them for one client tool after the other."""
        waiting = [call for call in self.calls if not call.answered]
        approvals = [call for call in waiting if not call.by_client]
        questions = []
        for call in approvals or waiting[:1]:
            if call.item_id is None:
                question = _question(turn, call, labels)
                call.item_id = question.item.id
                questions.append(question)
        yield self._stored(turn)
        for question in questions:
            yield question

    @property
    def complete(self) -> bool:
        """Whether everything that was asked is answered."""
        return all(call.answered for call in self.calls)

    def taken(self, turn: Turn) -> Emitted:
        """The event after which nobody else can go on with it."""
        return turn.remove(self._item.id)

    async def given_up(self, turn: Turn, outcome: Outcome) -> AsyncIterator[Emitted]:
        """The user went on without an answer: nothing is called, and the cards say so."""
        yield told(turn, self._item, self.ran)
        cards = {call.item_id for call in self.calls if not call.by_client and not call.answered}
        for item in await turn.history(LATEST_ITEMS):
            if isinstance(item, WidgetItem) and item.id in cards:
                yield settled(turn, item, outcome)

    def progress(self) -> Progress:
        """How far the run has come with what the user decided; what was approved may be called from here on."""
        progress = Progress.of(self._progress.to_json())
        for call in self.calls:
            if call.by_provider:
                progress.respond(call.call_id, approve=call.approved)
            elif call.by_client:
                progress.settle(call.call_id, written(call.output))
            elif call.approved:
                progress.begun.append(call.call_id)
            else:
                progress.settle(call.call_id, REJECTED)
        return progress

    async def resume(self, turn: Turn, agent: Agent[Any], context: Any) -> RunState[Any]:
        """The run, with what the user decided; `CustomStreamError` when this agent cannot go on with it."""
        try:
            if self._state is None:
                raise ValueError("no agent's run was stored")
            wrapper: RunContextWrapper[Any] = RunContextWrapper(context=context)
            state: RunState[Any] = await RunState.from_json(agent, self._state, context_override=wrapper)
            for item, call in zip(state.get_interruptions(), self.calls, strict=True):
                if (item.call_id, item.name) != (call.call_id, call.name):
                    raise ValueError("the stored calls are not those of the stored run")
                if call.by_client or call.approved:
                    state.approve(item)
                else:
                    state.reject(item)
        except Exception as error:
            log.error("paused_run_unreadable", workflow=turn.workflow_id, thread=turn.thread.id, exc_info=error)
            raise CustomStreamError(CHANGED, allow_retry=True) from error
        return state

    @property
    def kept(self) -> dict[str, Any]:
        """As it is stored, JSON."""
        calls, progress = [asdict(call) for call in self.calls], self._progress.to_json()
        kept = {"state": self._state, "calls": calls, "progress": progress, "ran": self.ran}
        return kept if self.around is None else kept | {"around": self.around}

    def _stored(self, turn: Turn) -> Emitted:
        content = {KEPT: self.kept}
        if len(orjson.dumps(content)) > MAX_BYTES:
            raise CustomStreamError(TOO_LARGE, allow_retry=False)
        self._item = self._item.model_copy(update={"content": content})
        return ThreadItemDoneEvent(item=self._item)


def _call(item: ToolApprovalItem) -> Call:
    raw = item.raw_item if isinstance(item.raw_item, dict) else item.raw_item.model_dump(exclude_none=True)
    name = item.name or str(raw.get("type"))
    tools = {tool.name: tool for tool in item.agent.tools}
    # A shell's commands and a patch stand elsewhere than a function's arguments; nobody approves what they cannot read.
    asked = raw.get("action") or raw.get("operation")
    return Call(
        call_id=item.call_id or "",
        name=name,
        arguments=orjson.dumps(asked).decode() if asked else item.arguments or "",
        by_client=is_client_tool(tools.get(name)),
        by_provider=raw.get("type") == "mcp_approval_request",
    )


def _question(turn: Turn, call: Call, labels: Labels) -> ThreadItemDoneEvent:
    if not call.by_client:
        return turn.widget(
            approval_card(call.name, call.arguments, labels), copy_text=f"{readable(call.name)}: approve or reject"
        )
    try:
        arguments = orjson.loads(call.arguments or "{}")
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        log.error("client_tool_unreadable", workflow=turn.workflow_id, tool=call.name)
        raise CustomStreamError(UNREADABLE, allow_retry=True)
    item = ClientToolCallItem(**turn.place(), call_id=call.call_id, name=call.name, arguments=arguments)
    return ThreadItemDoneEvent(item=item)
