"""What every adapter does whose runs may wait for the user: find the paused run, take the answer, go on."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from chatkit.types import HiddenContextItem

from chatdock.workflows.agents_sdk import approval
from chatdock.workflows.agents_sdk.checkpoint import LATEST_ITEMS, Checkpoint
from chatdock.workflows.agents_sdk.pause import Pause
from chatdock.workflows.input_items import correct_agents_sdk
from chatdock.workflows.turn import kept, reached
from chatdock.workflows.workflow import Adapter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chatdock.workflows.agents_sdk.approval import Labels, Outcome
    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted, Respond, Workflow


class PausingAdapter(Adapter):
    """Answers turns with runs that may wait for an approval or for a tool of the page, or break off after a tool."""

    labels: Labels = approval.LABELS
    """What stands on the cards' buttons."""
    unanswered: Outcome = "Not answered"
    """What a card shows once the user has written something else."""

    @abstractmethod
    def begin(self, turn: Turn) -> AsyncIterator[Emitted]:
        """Answer a message, or whatever else no run waits for."""

    @abstractmethod
    def go_on(self, turn: Turn, pause: Pause) -> AsyncIterator[Emitted]:
        """Continue a run, which is taken out of the thread; everything that it asked is answered."""

    @abstractmethod
    def take_up(self, turn: Turn, checkpoint: Checkpoint) -> AsyncIterator[Emitted]:
        """Continue a run that broke off; its question is tried again."""

    async def respond(self, turn: Turn) -> AsyncIterator[Emitted]:
        """Go on with the run that waits for this, else give it up and begin another."""
        pause = await find(turn)
        if isinstance(pause, Checkpoint):
            if turn.message is not None and turn.message.id == pause.left["message"]:
                pause.restore()
                async for event in self.take_up(turn, pause):
                    yield event
                return
            yield pause.told()
        elif pause is not None:
            call = None if turn.tool_output is None else pause.asked_by(turn.tool_output.id)
            if call is not None:
                assert turn.tool_output is not None
                call.answered, call.output = True, turn.tool_output.output
                async for event in self._answered(turn, pause):
                    yield event
                return
            async for event in pause.given_up(turn, self.unanswered):
                yield event
        async for event in self.begin(turn):
            yield event

    def equip(self, workflow: Workflow) -> None:
        """Let the Agents SDK go on with what it has stored, over both APIs."""
        correct_agents_sdk()

    def performs(self, others: Respond | None) -> Respond | None:
        """Approvals here, all other widget actions by the author's handler."""

        async def perform(turn: Turn) -> AsyncIterator[Emitted]:
            assert turn.action is not None
            if turn.action.type == approval.ACTION:
                async for event in self._decide(turn):
                    yield event
            elif others is None:
                yield turn.error(f"Workflow '{turn.workflow_id}' performs no such widget actions.", allow_retry=False)
            else:
                async for event in others(turn):
                    yield event

        return perform

    async def _decide(self, turn: Turn) -> AsyncIterator[Emitted]:
        """The user's answer to a card; one that nothing waits for changes nothing."""
        assert turn.action is not None
        choice = approval.approved(turn.action.payload)
        if turn.sender is None or choice is None:
            return
        pause = await find(turn)
        call = pause.asked_by(turn.sender.id) if isinstance(pause, Pause) else None
        if not isinstance(pause, Pause) or call is None or call.by_client:
            return
        call.answered, call.approved = True, choice
        yield approval.settled(turn, turn.sender, "Approved" if choice else "Rejected")
        async for event in self._answered(turn, pause):
            yield event

    async def _answered(self, turn: Turn, pause: Pause) -> AsyncIterator[Emitted]:
        """Ask what is still to be asked, else continue the run."""
        if not pause.complete:
            async for event in pause.ask(turn, self.labels):
                yield event
            return
        yield pause.taken(turn)
        async for event in self.go_on(turn, pause):
            yield event


async def find(turn: Turn) -> Pause | Checkpoint | None:
    """What the newest run of the turn's thread has left there, if it is not over."""
    if not turn.hidden_ids or turn.load_items is None:
        return None
    for item in reversed(await turn.load_items(LATEST_ITEMS, None)):
        if not isinstance(item, HiddenContextItem):
            continue
        if reached(item):
            return Checkpoint(turn, item)
        left = kept(item) or {}
        if "calls" in left:
            return Pause.again(turn, left, item)
    return None
