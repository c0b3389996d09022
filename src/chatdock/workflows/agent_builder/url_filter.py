"""Addresses in a text, and which of them a URL filter lets pass."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

_ADDRESS = re.compile(
    r"(?:(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*+://|\b(?:javascript|data|vbscript|file|mailto):)[^\s<>\"']+"
    r"|(?<![\w@.-])(?:(?:[a-z0-9-]+\.)+[a-z]{2,24}|(?:\d{1,3}\.){3}\d{1,3})(?![\w@-])(?::\d+)?(?:[/?#][^\s<>\"']*)?",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://|(?:javascript|data|vbscript|file|mailto):", re.IGNORECASE)
_DOTS = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
_PORTS = {"https": 443, "http": 80, "ftp": 21}


def blocked_urls(text: str, config: dict[str, Any]) -> list[str]:
    """The addresses in a text that a URL filter's configuration does not allow."""
    schemes = {each.strip().lower().rstrip("/").rstrip(":") for each in config.get("allowed_schemes") or ["https"]}
    entries = [_parsed(entry.strip()) for entry in config.get("url_allow_list") or ()]
    urls = [match[0].rstrip(".,;:!?)") for match in _ADDRESS.finditer(text)]
    return [url for url in urls if not _allowed(url, schemes, entries, config)]


def _allowed(url: str, schemes: set[str], entries: Iterable[SplitResult], config: dict[str, Any]) -> bool:
    try:
        parts = _parsed(url)
        port = parts.port or _PORTS.get(parts.scheme or "https")
    except ValueError:
        return False
    if parts.scheme and parts.scheme not in schemes:
        return False
    if parts.username is not None and config.get("block_userinfo", True):
        return False
    subdomains = bool(config.get("allow_subdomains"))
    return any(entry.port in (None, port) and _fits(parts, entry, subdomains=subdomains) for entry in entries)


def _fits(url: SplitResult, entry: SplitResult, *, subdomains: bool) -> bool:
    """Whether an entry of the list speaks of a URL: by its host, and by the scheme, path and query that it has."""
    if url.scheme and entry.scheme not in ("", url.scheme):
        return False
    host, allowed = ((each.hostname or "").removeprefix("www.") for each in (url, entry))
    if (network := _network(entry)) is not None:
        try:
            return ip_address(host) in network
        except ValueError:
            return False
    if not allowed or not (host == allowed or (subdomains and host.endswith(f".{allowed}"))):
        return False
    path = entry.path.rstrip("/")
    if path and (_DOTS.search(url.path) or not f"{url.path}/".startswith(f"{path}/")):
        return False
    return entry.query in ("", url.query)


def _network(entry: SplitResult) -> IPv4Network | IPv6Network | None:
    """The addresses of an entry such as `10.0.0.0/8`; None for a name."""
    try:
        return ip_network(f"{entry.hostname}{entry.path.rstrip('/')}", strict=False)
    except ValueError:
        return None


def _parsed(url: str) -> SplitResult:
    """Its parts as a browser reads them."""
    url = url.replace("\\", "/")
    return urlsplit(url if _SCHEME.match(url) else f"//{url}")
