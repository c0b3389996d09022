"""Under which names and from which pages a demo may be used.

A demo gives a session to whoever asks. Without this check any page on the web could ask: its name may point to this
machine as soon as the page is open (DNS rebinding), and then its requests count as the demo's own.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from chatdock.errors import Forbidden, clip

if TYPE_CHECKING:
    from starlette.types import Scope

    from chatdock.settings import Settings

log = structlog.get_logger("chatdock.api")

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})
LOGGED = 100
"""How many refused names are logged, each once."""


class Hosts:
    """The names of a demo: this machine's, what it listens on, and those of the settings.

    When it listens on more than this machine, every numeric address too: a page that rebinds has a name.
    """

    def __init__(self, host: str, settings: Settings) -> None:
        self._origins = frozenset(origin.lower() for origin in settings.allowed_origins)
        self._further = frozenset(name.lower() for name in settings.demo_hosts)
        origins = (urlsplit(origin).hostname or "" for origin in settings.allowed_origins)
        self._names = LOOPBACK | self._further | {host.lower(), *origins}
        self._any_number = host.lower() not in LOOPBACK
        self._logged: set[str] = set()

    def check(self, scope: Scope) -> None:
        """`Forbidden` for a request under another name, or from a page of another origin that changes something."""
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._knows(_name(host)):
            raise self._refused("host", host, "Name it in CHATDOCK_DEMO_HOSTS to let it be used.")
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if origin and scope["method"] not in READING and not self._may_ask(origin, host):
            raise self._refused("origin", origin, "Name it in CHATDOCK_ALLOWED_ORIGINS to let its pages ask.")

    def _knows(self, name: str) -> bool:
        return name in self._names or name.endswith(".localhost") or (self._any_number and _is_number(name))

    def _may_ask(self, origin: str, host: str) -> bool:
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.netloc == host or origin in self._origins or parts.hostname in self._further

    def _refused(self, kind: str, name: str, way_out: str) -> Forbidden:
        shown = clip(name)
        if shown not in self._logged and len(self._logged) < LOGGED:
            self._logged.add(shown)
            log.warning("demo_request_refused", kind=kind, name=shown)
        return Forbidden(f"This demo does not answer the {kind} '{shown}'. {way_out}", code=f"{kind}_not_allowed")


def _name(host: str) -> str:
    """A Host header without its port."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.rstrip(".")


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
