"""Validation errors as the envelope: the dotted path of the member, and a message that names the limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chatdock.errors import ApiError, InvalidRequest, clip

_SKIPPED = {"body", "query", "path", "header"}


class RouteNotFound(ApiError):
    """No such path."""

    status = 404
    type = "invalid_request_error"


class MethodNotAllowed(ApiError):
    """The path exists, not with this method."""

    status = 405
    type = "invalid_request_error"


def from_validation(errors: Iterable[Mapping[str, Any]], names: frozenset[str] = frozenset()) -> InvalidRequest:
    """The first of pydantic's errors. `names` are parts of its location that are types' names, not members."""
    error = next(iter(errors))
    location = [str(part) for part in error["loc"]]
    if location and location[0] in _SKIPPED:
        location = location[1:]
    kind = str(error["type"])
    if kind in {"json_invalid", "value_error.jsondecode"}:
        return InvalidRequest("The request body is not valid JSON.", code="invalid_json")
    path = ".".join(part for part in location if part not in names and part != "[key]")
    message = str(error["msg"])
    if kind == "missing":
        return InvalidRequest(f"Missing required parameter: '{path or 'body'}'.", param=path or None, code="missing")
    if kind == "union_tag_invalid":
        tag = clip(str(error.get("ctx", {}).get("tag", "")))
        path = f"{path}.type" if path else "type"
        return InvalidRequest(f"Unknown {path} '{tag}'.", param=path, code="unknown_type")
    if kind == "union_tag_not_found":
        path = f"{path}.type" if path else "type"
        return InvalidRequest(f"Missing required parameter: '{path}'.", param=path, code="missing")
    return InvalidRequest(f"Invalid '{path or 'body'}': {message}.", param=path or None, code="invalid_value")
