"""API keys: 256 random bits behind a typed prefix, with a checksum for scanners. Only a hash of one is kept."""

from __future__ import annotations

import hashlib
import secrets
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatdock.chat.recent import Recent
from chatdock.errors import Unauthorized
from chatdock.protocol import ids
from chatdock.storage import keys
from chatdock.storage.times import micros_now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chatdock.chat.refusals import Refusals
    from chatdock.storage.database import Database
    from chatdock.storage.times import Clock

PREFIX = "cdk_"
DEFAULT_PROJECT = "default"

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; the secret is shown this once."""

    id: str
    secret: str
    project_id: str


def generate() -> str:
    """A new key: `cdk_`, 43 characters of base 62, 6 of checksum."""
    body = _base62(secrets.randbits(256), 43)
    return f"{PREFIX}{body}{_base62(zlib.crc32(body.encode()), 6)}"


def digest(secret: str) -> bytes:
    """What is stored. A fast hash will do: nobody guesses 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def masked(secret: str) -> str:
    """A key for an error message or a listing."""
    shown = "".join(c if c.isprintable() else "?" for c in secret)
    return f"{shown[:6]}***{shown[-4:]}" if len(shown) >= 20 else "***"


async def create(database: Database, project_id: str, name: str) -> NewKey:
    """Make and store a key of a project."""
    made = NewKey(ids.key_id(), generate(), project_id)
    await database.write(
        lambda tx: keys.add(
            tx,
            key_id=made.id,
            project_id=project_id,
            name=name,
            digest=digest(made.secret),
            hint=masked(made.secret),
            now=micros_now(),
        )
    )
    return made


class KeyRing:
    """Which project a key opens."""

    def __init__(self, database: Database, configured: Iterable[str], clock: Clock, refusals: Refusals) -> None:
        self._database = database
        self._refusals = refusals
        self._configured = {digest(key): DEFAULT_PROJECT for key in configured}
        self.recent: Recent[str] = Recent(clock)

    async def project(self, secret: str) -> str:
        """The key's project; `Unauthorized` for a key that is unknown or revoked."""
        hashed = digest(secret)
        if project := self._configured.get(hashed):
            return project
        if project := self.recent.get(hashed):
            return project
        found = await self._database.read(lambda tx: keys.project_of(tx, hashed))
        if found is None:
            self.recent.drop(hashed)
            self._refusals.unknown("api_key")
            raise Unauthorized(f"Incorrect API key provided: {masked(secret)}.", code="invalid_api_key")
        self.recent.keep(hashed, found)
        return found


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
