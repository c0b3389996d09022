"""A workflow that works with its page: it asks the page for the cart, and changes how the page looks."""

from __future__ import annotations

from collections.abc import AsyncIterator

from chatdock import Emitted, Turn, workflow

THEMES = {"dark", "light"}


@workflow("wf_shop")
async def shop(turn: Turn) -> AsyncIterator[Emitted]:
    wanted = turn.text.lower()
    if turn.tool_output is not None:
        async for event in tell(turn, turn.tool_output.output):
            yield event
    elif "cart" in wanted:
        yield turn.progress("Looking into your cart…", icon="search")
        yield turn.call_client("read_cart")  # ends this turn; the page's answer is the next one
    elif theme := next(iter(THEMES & set(wanted.split())), None):
        yield turn.effect("set_theme", {"theme": theme})
        yield f"The page is {theme} now."
    else:
        yield "Ask me what is in your cart, or say `dark` or `light`."


async def tell(turn: Turn, cart: object) -> AsyncIterator[Emitted]:
    """What is in the cart. It comes from the browser, so it is looked at before it is used."""
    lines = cart.get("lines", []) if isinstance(cart, dict) else []
    found = [line for line in lines if isinstance(line, dict) and isinstance(line.get("price"), int | float)]
    if not found:
        yield "Your cart is empty."
        return
    total = sum(float(line["price"]) for line in found)
    yield f"{len(found)} things are in your cart, for {total:.2f} together."
    rows = [
        {
            "type": "Row",
            "justify": "between",
            "children": [
                {"type": "Text", "value": str(line.get("name", "?"))[:80]},
                {"type": "Text", "value": f"{line['price']:.2f}"},
            ],
        }
        for line in found
    ]
    yield turn.widget({"type": "Card", "children": rows}, copy_text=f"{total:.2f} together")
