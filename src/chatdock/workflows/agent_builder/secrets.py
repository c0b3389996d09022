"""Secrets that stand in a file: where, and of what kind. Their values go nowhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

_SHAPES = {
    "an API key of OpenAI's": re.compile(r"\bsk-[A-Za-z0-9_-]{8,}"),
    "a bearer token": re.compile(r"\bBearer\s+\S{4,}"),
    "a token of GitHub's": re.compile(r"\b(?:gh[pousr]_|github_pat_)\w{8,}"),
    "a token of Slack's": re.compile(r"\bxox[a-z]-[\w-]{8,}"),
}
_SECRET_QUERY = re.compile(r"(?:^|&)[^=&]*(?:key|token|secret|password|sig)[^=&]*=[^&]+", re.IGNORECASE)


class Secret(NamedTuple):
    """Where one stands, and what it is."""

    line: int
    place: str
    kind: str


def find_secrets(tree: ast.Module) -> list[Secret]:
    """The literal secrets of a file, in its order, each once."""
    found: dict[tuple[int, int], Secret] = {}
    for statement in tree.body:
        for literal, secret in _of(statement):
            found.setdefault((literal.lineno, literal.col_offset), secret)
    return sorted(found.values())


def _of(statement: ast.stmt) -> Iterator[tuple[ast.expr, Secret]]:
    owner = _owner(statement)
    for node in ast.walk(statement):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield from _member(owner, key.value, value)
    for node in ast.walk(statement):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for kind, shape in _SHAPES.items():
                if shape.search(node.value):
                    yield node, Secret(node.lineno, owner, kind)


def _member(owner: str, key: str, value: ast.expr) -> Iterator[tuple[ast.expr, Secret]]:
    if key == "authorization" and _literal(value):
        yield value, Secret(value.lineno, f"{owner}, authorization", "a token")
    elif key == "headers" and isinstance(value, ast.Dict):
        for name, header in zip(value.keys, value.values, strict=True):
            if _literal(header):
                named = repr(name.value) if isinstance(name, ast.Constant) else "one"
                yield header, Secret(header.lineno, f"{owner}, header {named}", "a header's value")
    elif key == "server_url" and isinstance(value, ast.Constant) and isinstance(value.value, str):
        try:
            url = urlsplit(value.value)
            secret = url.password is not None or bool(_SECRET_QUERY.search(url.query))
        except ValueError:  # no address at all
            return
        if secret:
            yield value, Secret(value.lineno, f"{owner}, server_url", "a secret in the address")


def _literal(node: ast.expr) -> bool:
    """Whether it is a text that says something, also one with parts that are put in."""
    if isinstance(node, ast.JoinedStr):
        return any(_literal(part) for part in node.values)
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(node.value.strip())


def _owner(statement: ast.stmt) -> str:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name), *_]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case _:
            return "the file"
