"""Pages of a listing, bounded in number and in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chatdock.storage.database import Row, Statement, Tx


class Bounds(NamedTuple):
    """How large a page may be."""

    records: int
    size: int
    """In bytes, as stored; a page that may hold a record holds one, however large that is."""


class Page(NamedTuple):
    """A page, and whether there is more in its direction."""

    rows: Sequence[Row]
    has_more: bool


async def read_page(
    tx: Tx, statement: Statement, bounds: Bounds, size: Callable[[Row], int], *, backwards: bool, **parameters: Any
) -> Page:
    """The first rows of `statement`, which takes their `count`; no more of them are read than the page holds, and one.

    `size` is that of a row in bytes. `backwards` turns the rows round.
    """
    rows: list[Row] = []
    total = 0

    def take(row: Row) -> bool:
        nonlocal total
        total += size(row)
        if len(rows) == bounds.records or (rows and total > bounds.size):
            return False
        rows.append(row)
        return True

    has_more = not await tx.each(statement, take, count=bounds.records + 1, **parameters)
    return Page(rows[::-1] if backwards else rows, has_more)


def text_size(text: str | None) -> int:
    """How many bytes a stored text has."""
    if text is None:
        return 0
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
