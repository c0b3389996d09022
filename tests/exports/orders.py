"""What sidecars of the tests bind tools to."""

from __future__ import annotations


def find_order(number: str) -> str:
    """Look up an order."""
    return f"order {number}: one lamp"


SEARCHED: list[str] = []


async def find_books(query: str) -> list[dict[str, object]]:
    """What a library has."""
    SEARCHED.append(query)
    return [{"filename": "lamps.txt", "score": 0.9}]


paid_back: list[int] = []
"""The orders that were paid back."""
