"""A support desk: an agent that looks orders up, shows them, and asks a person before it pays anything back.

    chatdock serve --demo examples/support_desk.py

Then ask for order 1001, and for your money back. A refund waits for its approval, also across a restart of the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agents import Agent, function_tool

from chatdock import current_turn, workflow


@dataclass
class Order:
    """What the shop knows of an order. Yours is in a database."""

    number: str
    what: str
    price: float
    status: str


ORDERS = {
    order.number: order
    for order in (
        Order("1001", "Lantern, brass", 49.0, "delivered"),
        Order("1002", "Rope, 20 m", 34.5, "on its way"),
    )
}


@function_tool
async def look_up_order(number: str) -> str:
    """Look up an order by its number, and show it to the user."""
    order = ORDERS.get(number)
    if order is None:
        return f"There is no order {number}."
    turn = current_turn()
    await turn.emit(turn.widget(order_card(order), copy_text=f"{order.number}: {order.what}"))
    return f"Order {order.number}: {order.what}, {order.price:.2f} euros, {order.status}. The user sees it on a card."


@function_tool(needs_approval=True)
async def refund(number: str, reason: str) -> str:
    """Pay the price of an order back to the user."""
    order = ORDERS.get(number)
    if order is None or order.status == "refunded":
        return f"Order {number} cannot be paid back."
    order.status = "refunded"
    return f"{order.price:.2f} euros were paid back for order {number}: {reason}."


def order_card(order: Order) -> dict[str, Any]:
    """An order as a widget."""
    return {
        "type": "Card",
        "children": [
            {"type": "Title", "value": order.what},
            {"type": "Text", "value": f"Order {order.number}, {order.price:.2f} euros"},
            {"type": "Badge", "label": order.status},
        ],
    }


desk = Agent(
    name="Support desk",
    instructions=(
        "You are the support desk of a harbour shop. Look orders up before you talk about them. Pay an order back only "
        "when the user asks for it and says why. Be brief."
    ),
    tools=[look_up_order, refund],
)
workflow("wf_support_desk")(desk)
