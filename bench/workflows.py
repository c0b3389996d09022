"""The benchmark's workflows for Chatdock: `chatdock serve bench/workflows.py`."""

from collections.abc import AsyncIterator

from chatkit.types import ThreadStreamEvent

from bench.respond import idle_text, paced, respond, tokens
from chatdock import Turn, workflow


@workflow("wf_respond")
async def respond_events(turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
    """The reference's turn, event for event."""
    async for event in respond(turn.thread.id):
        yield event


@workflow("wf_native")
async def respond_text(turn: Turn) -> AsyncIterator[str]:
    """The same text the way a Chatdock workflow would say it."""
    async for piece in tokens():
        yield piece


@workflow("wf_paced")
async def respond_paced(turn: Turn) -> AsyncIterator[ThreadStreamEvent]:
    """Fifty events a second for as many seconds as the message `paced <seconds>` says."""
    async for event in paced(turn.thread.id, float(turn.text.split()[-1])):
        yield event


@workflow("wf_idle")
async def respond_idle(turn: Turn) -> AsyncIterator[str]:
    """One word, then an open stream until it is cancelled."""
    async for piece in idle_text():
        yield piece
