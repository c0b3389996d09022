"""Headers of a request that its workflow may read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatdock.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MAX_BYTES = 4096
"""How large they may be together, names included: they are stored with the run."""


def turn_headers(headers: Iterable[tuple[bytes, bytes]], allowed: Collection[str]) -> dict[str, str]:
    """Those of a request's headers that are allowed, by their names in lower case; several of a name are one list.

    `InvalidRequest` when they are too large.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in headers if allowed else ():
        name = raw_name.decode("latin-1").lower()
        if name in allowed:
            value = raw_value.decode("latin-1")
            found[name] = f"{found[name]}, {value}" if name in found else value
    size = sum(len(name) + len(value) for name, value in found.items())
    if size > MAX_BYTES:
        raise InvalidRequest(
            f"The headers {', '.join(found)} have {size} bytes together; at most {MAX_BYTES} are taken.",
            code="headers_too_large",
        )
    return found
