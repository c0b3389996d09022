"""What every adapter does whose runs may wait for the user: find the paused run, take the answer, go on."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from chatdock.workflows.agents_sdk import approval
from chatdock.workflows.agents_sdk.pause import Pause
from chatdock.workflows.workflow import Adapter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chatdock.workflows.agents_sdk.approval import Labels, Outcome
    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted, Respond


class PausingAdapter(Adapter):
    """Answers turns with runs that may wait for an approval or for a tool of the page."""

    labels: Labels = approval.LABELS
    """What stands on the cards' buttons."""
    unanswered: Outcome = "Not answered"
    """What a card shows once the user has written something else."""

    @abstractmethod
    def begin(self, turn: Turn) -> AsyncIterator[Emitted]:
        """Answer a message, or whatever else no run waits for."""

    @abstractmethod
    def go_on(self, turn: Turn, pause: Pause) -> AsyncIterator[Emitted]:
        """Continue a run; everything that it asked is answered."""

    async def respond(self, turn: Turn) -> AsyncIterator[Emitted]:
        """Go on with the run that waits for this, else give it up and begin another."""
        pause = await Pause.find(turn)
        if pause is not None:
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
        pause = await Pause.find(turn)
        call = None if pause is None else pause.asked_by(turn.sender.id)
        if pause is None or call is None or call.by_client:
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
        if turn.stored is not None:
            await turn.stored()  # a crash from here on must not let the tools run a second time
        async for event in self.go_on(turn, pause):
            yield event
