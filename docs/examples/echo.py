"""Says the user's message back, word by word."""

from collections.abc import AsyncIterator

from chatdock import Turn, workflow


@workflow("wf_echo")
async def echo(turn: Turn) -> AsyncIterator[str]:
    for word in turn.text.split():
        yield f"{word} "
