"""Where a request comes from, as far as it is counted."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope

NETWORK_BITS = 64
"""Whoever has one IPv6 address has a network of them, so they count as one."""


def address(scope: Scope) -> str:
    """The client's address; its network for IPv6; empty when there is none, as on a Unix socket."""
    client = scope.get("client")
    if client is None:
        return ""
    host: str = client[0]
    if ":" not in host:
        return host
    try:
        number = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if number.ipv4_mapped is not None:
        return str(number.ipv4_mapped)
    return str(ipaddress.IPv6Network((number, NETWORK_BITS), strict=False))
