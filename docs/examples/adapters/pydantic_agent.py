"""A Pydantic AI agent whose tool knows the user."""

from pydantic_ai import Agent, RunContext

from chatdock import Turn, workflow

agent = Agent("openai:gpt-5-mini", deps_type=Turn, instructions="You help boat owners.", defer_model_check=True)


@agent.tool
async def my_berth(context: RunContext[Turn]) -> str:
    """Where the user's boat lies."""
    turn = context.deps
    await turn.emit(turn.progress("Looking at the harbour plan"))
    return f"{turn.user} lies at berth 4."


workflow("wf_harbour")(agent)
