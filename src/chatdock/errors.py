"""The error shapes. Raise one of these anywhere; the API's edge turns it into the envelope that clients parse."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An error with a documented answer: HTTP status, type, code, the request's member it is about, and headers."""

    status = 500
    type = "server_error"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.headers = headers or {}

    def envelope(self) -> dict[str, Any]:
        """The body: `{"error": {"message", "type", "param", "code"}}`."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class InvalidRequest(ApiError):
    """The request is wrong: the message names the member and the limit."""

    status = 400
    type = "invalid_request_error"


class Unauthorized(ApiError):
    """No credential, or one that is not (or no longer) good for this."""

    status = 401
    type = "invalid_request_error"

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message, code=code, headers={"WWW-Authenticate": 'Bearer realm="Chatdock API"'})


class Forbidden(ApiError):
    """A signed link that is late, or that does not allow this."""

    status = 403
    type = "invalid_request_error"


class NotFound(ApiError):
    """Nothing of that kind with that id is visible to the caller; foreign and missing look the same."""

    status = 404
    type = "invalid_request_error"

    def __init__(self, kind: str, identifier: str, *, param: str | None = None) -> None:
        super().__init__(f"{kind} with id '{clip(identifier)}' not found.", param=param, code="not_found")


class Conflict(ApiError):
    """The thread's state does not allow it now: busy, locked, closed."""

    status = 409
    type = "invalid_request_error"


class PayloadTooLarge(ApiError):
    """The body is over the limit."""

    status = 413
    type = "invalid_request_error"


class RequestTimeout(ApiError):
    """The request came too slowly."""

    status = 408
    type = "invalid_request_error"


class HeadTooLarge(ApiError):
    """The request's address and headers are over the limit."""

    status = 431
    type = "invalid_request_error"


class IdempotencyMismatch(ApiError):
    """An Idempotency-Key came again with another request."""

    status = 422
    type = "invalid_request_error"


class RateLimited(ApiError):
    """Too many requests; the headers say when to come again."""

    status = 429
    type = "rate_limit_error"


class Unavailable(ApiError):
    """Not now: the server is stopping, or its database takes no writes. Nothing was stored."""

    status = 503
    type = "server_error"

    def __init__(self, message: str, *, code: str, retry_after: int) -> None:
        super().__init__(message, code=code, headers={"Retry-After": str(retry_after)})


def clip(text: str, length: int = 64) -> str:
    """A client's own text for an error message: printable, and no longer than `length` characters."""
    shown = "".join(c if c.isprintable() else "�" for c in text[: length + 1])
    return shown if len(shown) <= length else shown[:length] + "…"
