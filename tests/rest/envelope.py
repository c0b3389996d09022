"""The one shape of every error answer, checked in one place."""

from __future__ import annotations

import re
from typing import Any

import httpx

REQUEST_ID = re.compile(r"req_[0-9a-f]{32}")


def assert_traced(response: httpx.Response) -> None:
    """Every response says which request it answers and how long that took."""
    assert REQUEST_ID.fullmatch(response.headers["x-request-id"])
    assert int(response.headers["openai-processing-ms"]) >= 0


def assert_error(
    response: httpx.Response,
    status: int,
    *,
    param: str | None = None,
    code: str | None = None,
    says: str = "",
    kind: str = "invalid_request_error",
) -> dict[str, Any]:
    """`{"error": {"message", "type", "param", "code"}}` and nothing else; `code` is checked when it is given."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert_traced(response)
    body = response.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == kind
    assert error["param"] == param
    assert says in error["message"]
    assert error["message"]
    if code is not None:
        assert error["code"] == code
    return error
