"""An agent of the Agents SDK whose tool reads the turn and shows progress."""

from agents import Agent, RunContextWrapper, function_tool
from chatkit.agents import AgentContext
from chatkit.types import ProgressUpdateEvent

from chatdock import Turn, workflow


@function_tool
async def order_status(context: RunContextWrapper[AgentContext[Turn]], order: str) -> str:
    """Look up the status of one of the user's orders."""
    turn = context.context.request_context
    await context.context.stream(ProgressUpdateEvent(text=f"Looking for order {order}"))
    return f"Order {order} of {turn.user} was sent yesterday."


support = Agent(
    name="Support",
    instructions="You answer questions about orders. Be brief.",
    tools=[order_status],
)
workflow("wf_support", version="2")(support)
