"""What sidecars of the tests bind tools to."""

from __future__ import annotations


def find_order(number: str) -> str:
    """Look up an order."""
    return f"order {number}: one lamp"
