"""The public description of the API as validators that are as strict as can be: no member more, none less."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

DESCRIPTION = Path(__file__).parent.parent / "data" / "chatkit-openapi.json"


@cache
def description() -> dict[str, Any]:
    """The description as it was published."""
    published: dict[str, Any] = json.loads(DESCRIPTION.read_text())
    return published


@cache
def response_validator(method: str, path: str) -> Draft202012Validator:
    """For the 200 of an operation; `path` as the description writes it."""
    answer = description()["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
    schema = {"components": _strict(description()["components"]), **answer}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def assert_valid(body: object, method: str, path: str) -> None:
    """`body` is exactly what the operation answers with."""
    errors = [f"{error.json_path}: {error.message}" for error in response_validator(method, path).iter_errors(body)]
    assert errors == []


def _strict(node: Any) -> Any:
    """Every object has exactly the members that are described.

    A number may be described as an integer and as a number at once, under `oneOf`, which taken literally no integer
    could satisfy; it is read as `anyOf`.
    """
    if isinstance(node, list):
        return [_strict(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    made = {name: _strict(value) for name, value in node.items()}
    if made.get("type") == "object" and "properties" in made:
        made = {**made, "additionalProperties": False, "required": list(made["properties"])}
    if {"type": "integer"} in made.get("oneOf", ()):
        made["anyOf"] = made.pop("oneOf")
    return made
