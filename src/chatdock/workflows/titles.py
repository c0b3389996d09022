"""A thread's title without a model: the opening words of its first message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatdock.workflows.thinking import without_thoughts

if TYPE_CHECKING:
    from chatdock.workflows.turn import Turn

TITLE_LENGTH = 48
LONGEST_TITLE = 512


def clean(title: str) -> str:
    """A title that somebody made, as it is stored: one line, no reasoning before it, no quotation marks around it."""
    return " ".join(without_thoughts(str(title)).split()).strip("\"'")[:LONGEST_TITLE]


def opening_words(turn: Turn) -> str | None:
    """The first line's first words, at most `TITLE_LENGTH` characters; None when the message holds no text."""
    words = turn.text.split(maxsplit=TITLE_LENGTH)
    title = ""
    for word in words:
        if title and len(title) + 1 + len(word) > TITLE_LENGTH:
            return f"{title}…"
        title = f"{title} {word}" if title else word
    if len(title) > TITLE_LENGTH:
        return f"{title[: TITLE_LENGTH - 1]}…"
    return title or None
