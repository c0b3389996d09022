"""An agent that looks things up, asks before it gives money back, and lets the page find out where the user is."""

from agents import Agent, function_tool

from chatdock import client_tool, workflow


@function_tool
def find_order(number: int) -> str:
    """Look up an order. The user sees "Find order" while it runs, and neither argument nor result."""
    return f"Order {number}: one lamp, broken, 40 euros."


@function_tool(needs_approval=True)
def refund_order(number: int, amount: float) -> str:
    """Give money back. The user sees a card with both arguments, and it runs when they press Approve."""
    return f"{amount} euros for order {number} are on their way."


@client_tool
def current_city() -> None:
    """Where the user is. The page's `onClientTool` answers; this function never runs."""


desk = Agent(
    name="Desk",
    instructions="You help with orders. Be brief.",
    tools=[find_order, refund_order, current_city],
)
workflow("wf_desk", refusal="That is none of my business.", max_turns=20)(desk)
