"""The card that asks whether a tool may be called, and what becomes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from chatdock.workflows.wording import readable

if TYPE_CHECKING:
    from chatkit.types import ThreadItemReplacedEvent, WidgetItem

    from chatdock.workflows.turn import Turn

ACTION = "chatdock.approval"
"""The type of the cards' actions; the payload is `{"approved": true | false}`."""
ARGUMENTS_SHOWN = 20
VALUE_LENGTH = 1000

Outcome = Literal["Approved", "Rejected", "Not answered", "Rejected by a new message"]
COLORS = {"Approved": "success", "Rejected": "danger"}


class Labels(NamedTuple):
    """What stands on a card's buttons."""

    approve: str = "Approve"
    reject: str = "Reject"


LABELS = Labels()


def approval_card(name: str, arguments: str | None, labels: Labels) -> dict[str, Any]:
    """A card with the tool's name, its arguments and two buttons."""
    return {
        "type": "Card",
        "size": "md",
        "children": [{"type": "Title", "size": "sm", "value": readable(name)}, *_rows(arguments)],
        "confirm": {"label": labels.approve, "action": _action(approved=True)},
        "cancel": {"label": labels.reject, "action": _action(approved=False)},
    }


def settled(turn: Turn, card: WidgetItem, outcome: Outcome) -> ThreadItemReplacedEvent:
    """The card with its outcome in place of its buttons."""
    widget = card.widget.model_dump(exclude_none=True)
    children = [*widget["children"], {"type": "Badge", "label": outcome, "color": COLORS.get(outcome, "secondary")}]
    shown = {"type": "Card", "size": "md", "children": children}
    copy_text = f"{children[0]['value']}: {outcome}"
    return turn.replace(card.model_copy(update={"widget": turn.widget_item(shown).widget, "copy_text": copy_text}))


def approved(payload: Any) -> bool | None:
    """What the user chose; None for what no card of ours sends."""
    choice = payload.get("approved") if isinstance(payload, dict) else None
    return choice if isinstance(choice, bool) else None


def _action(*, approved: bool) -> dict[str, Any]:
    return {"type": ACTION, "payload": {"approved": approved}, "loadingBehavior": "container"}


def _rows(arguments: str | None) -> list[dict[str, Any]]:
    try:
        given = json.loads(arguments or "{}")
    except ValueError:
        given = arguments
    if not isinstance(given, dict):
        return [_text(given)]
    shown = list(given.items())[:ARGUMENTS_SHOWN]
    rows: list[dict[str, Any]] = [
        {"type": "Col", "gap": 0, "children": [{"type": "Caption", "value": readable(name)}, _text(value)]}
        for name, value in shown
    ]
    if len(given) > len(shown):
        rows.append({"type": "Caption", "value": f"and {len(given) - len(shown)} more"})
    return rows


def _text(value: Any) -> dict[str, Any]:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    return {"type": "Text", "value": text if len(text) <= VALUE_LENGTH else f"{text[: VALUE_LENGTH - 1]}…"}
