"""A title for a thread, by a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents import Agent, Runner

from chatdock.workflows.titles import clean

if TYPE_CHECKING:
    from agents import Model, RunConfig

    from chatdock.workflows.turn import Turn

TITLE_INSTRUCTIONS = (
    "Write a title for a conversation that begins with the user's message: at most six words, in the message's "
    "language, no quotation marks, no full stop. Answer with the title alone."
)


async def model_title(turn: Turn, model: str | Model | None, config: RunConfig) -> str | None:
    """What the model makes of the thread's first message."""
    titler = Agent(name="Titler", instructions=TITLE_INSTRUCTIONS, model=model)
    result = await Runner.run(titler, turn.text[:2000], max_turns=1, run_config=config)
    return clean(str(result.final_output)) or None
