"""A thread's items as what was said, for libraries that take messages of text.

Tasks, workflow items and pictures are left out: they show what was done, and were not said.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from chatkit.types import (
    AssistantMessageItem,
    ClientToolCallItem,
    HiddenContextItem,
    SDKHiddenContextItem,
    StructuredInputItem,
    ThreadItem,
    UserMessageItem,
    WidgetItem,
)

from chatdock.workflows.untrusted import stated, typed_item

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatdock.workflows.turn import Turn


@dataclass(frozen=True, slots=True)
class Said:
    """A message. What the model should know and nobody said, hidden context for one, has the role of the user.

    It is told from what the user says by its `<ChatContext>`, which no user can write.
    """

    id: str
    """The item's id."""
    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """A call of one of the page's tools, with its answer."""

    id: str
    call_id: str
    name: str
    arguments: dict[str, Any]
    output: str
    """JSON."""


async def conversation(turn: Turn) -> list[ThreadItem]:
    """The thread's items, oldest first, and last of all what this turn answers: a model answers what stands last.

    A client tool call and structured input stand higher in the thread when the agent went on after them.
    """
    items = await turn.history()
    answered = turn.message or turn.tool_output or turn.answers
    own = [item for item in items if answered is not None and item.id == answered.id]
    return [item for item in items if item not in own] + own


def transcript(items: Iterable[ThreadItem]) -> list[Said | Called]:
    """What was said, in the order of the items. A client tool call that is not answered yet is left out."""
    return [line for item in items if (line := _line(typed_item(item))) is not None]


def _line(item: ThreadItem) -> Said | Called | None:
    match item:
        case UserMessageItem():
            return Said(item.id, "user", _user_text(item))
        case AssistantMessageItem():
            return Said(item.id, "assistant", "".join(part.text for part in item.content))
        case HiddenContextItem() | SDKHiddenContextItem():
            content = item.content if isinstance(item.content, str) else json.dumps(item.content)
            return Said(item.id, "user", stated(f"Hidden context, not shown to the user:\n{content}"))
        case ClientToolCallItem(status="completed"):
            return Called(item.id, item.call_id, item.name, item.arguments, json.dumps(item.output))
        case StructuredInputItem():
            return Said(item.id, "user", stated(_answers(item)))
        case WidgetItem():
            shown = item.copy_text or item.widget.model_dump_json(exclude_none=True)
            return Said(item.id, "user", stated(f"The user was shown this widget, with the id {item.id}:\n{shown}"))
        case _:
            return None


def _user_text(item: UserMessageItem) -> str:
    """The text as it was typed, then, as the server's words, what it refers to."""
    tags = {part.text: part for part in item.content if part.type == "input_tag"}
    lines = ["".join(part.text if part.type == "input_text" else f"@{part.text}" for part in item.content)]
    if item.quoted_text:
        lines.append(stated(f"The user is referring to this in particular:\n{item.quoted_text}"))
    lines += [
        stated(f"@{tag.text} is {tag.id} {json.dumps(tag.data) if tag.data else ''}".strip()) for tag in tags.values()
    ]
    lines += [stated(f"The user attached {file.name} ({file.mime_type})") for file in item.attachments]
    return "\n\n".join(lines)


def _answers(item: StructuredInputItem) -> str:
    lines = [f"The user was asked, and the questions are {item.status}:"]
    for question in item.inputs:
        answer = question.answer
        said = "unanswered" if answer is None else "skipped" if answer.skipped else ", ".join(answer.values)
        lines.append(f"- {question.question}: {said}")
    return "\n".join(lines)
