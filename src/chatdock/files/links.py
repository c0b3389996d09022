"""Signed links: whoever has one may do one thing with one file, for a while.

A link ends in a token, `<grant>.<signature>`, both base64url: the grant is JSON, the signature its HMAC-SHA256. So all
that a link allows is in it, and nothing about it is stored.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import orjson

from chatdock.errors import Forbidden

MIN_SECRET = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a link allows."""

    method: Literal["PUT", "GET"]
    key: str  # of the blob
    type: str  # media type
    name: str
    expires: int | None  # Unix seconds; None: as long as the file is there
    size: int = 0  # bytes that a PUT has to bring
    inline: bool = False  # shown in the page rather than saved


class Links:
    """Makes links below a base URL and reads them back.

    With several secrets the first one signs and each is accepted, so that a secret can be replaced without a break.
    """

    def __init__(self, url: str, secret: str | Sequence[str]) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"url must be the absolute address under which files are served; it was {url!r}")
        secrets = [secret] if isinstance(secret, str) else [*secret]
        if not secrets or any(len(one) < MIN_SECRET for one in secrets):
            raise ValueError(f"secret must have at least {MIN_SECRET} characters; make one with `openssl rand -hex 32`")
        self._url = url.rstrip("/")
        self._keys = [one.encode() for one in secrets]

    def sign(self, grant: Grant) -> str:
        """The link for a grant."""
        body = _encode(orjson.dumps(asdict(grant)))
        return f"{self._url}/{body}.{_signature(self._keys[0], body)}"

    def verify(self, token: str, method: str) -> Grant:
        """What a link's token allows; `Forbidden` when it is late, not ours, or for another method."""
        body, _, signature = token.partition(".")
        signed = [hmac.compare_digest(_signature(key, body).encode(), signature.encode()) for key in self._keys]
        if not any(signed):
            raise Forbidden("This link is not valid.", code="invalid_link")
        try:
            grant = Grant(**orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
        except TypeError as error:  # of a version whose grants say something else
            raise Forbidden("This link is not valid.", code="invalid_link") from error
        if grant.method != method:
            raise Forbidden(f"This link is for {grant.method}.", code="invalid_link")
        if grant.expires is not None and time.time() >= grant.expires:
            raise Forbidden("This link has expired.", code="expired_link")
        return grant


def _signature(key: bytes, body: str) -> str:
    return _encode(hmac.digest(key, body.encode(), "sha256"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
