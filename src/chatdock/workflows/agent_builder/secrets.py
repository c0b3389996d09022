"""Secrets that stand in a file: where, and of what kind. Their values go nowhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import NamedTuple
from urllib.parse import urlsplit

_SHAPES = {
    "an API key of OpenAI's": re.compile(r"\bsk-[A-Za-z0-9_-]{8,}"),
    "a bearer token": re.compile(r"\bBearer\s+\S{4,}"),
    "a token of GitHub's": re.compile(r"\b(?:gh[pousr]_|github_pat_)\w{8,}"),
    "a token of Slack's": re.compile(r"\bxox[a-z]-[\w-]{8,}"),
    "a key of Google's": re.compile(r"\bAIza[\w-]{30,}"),
    "a key of Amazon's": re.compile(r"\bA(?:KIA|SIA)[A-Z0-9]{16}\b"),
    "a JSON Web Token": re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+"),
}
_NAME = re.compile(r"(?:^|[\W_])(?:api_?key|apikey|token|secret|passw(?:or)?d|authorization)$", re.IGNORECASE)
_SECRET_QUERY = re.compile(r"(?:^|&)[^=&]*(?:key|token|secret|password|sig)[^=&]*=[^&]+", re.IGNORECASE)
_SECRET_SEGMENT = re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[\w=-]{20,}", re.ASCII)
"""A part of a path that nobody would choose as a name: some services put the token there."""
_SCHEME = re.compile(r"\s*(?:Bearer|Basic|Token)?\s*", re.IGNORECASE)
_PLAIN_HEADERS = {"accept", "content-type", "user-agent"}
_SHORTEST = 6
"""Characters of a secret that give it away."""


class Secret(NamedTuple):
    """Where one stands, and what it is."""

    line: int
    place: str
    kind: str


class _Found(NamedTuple):
    node: ast.expr
    place: str
    kind: str
    value: str


def find_secrets(tree: ast.Module) -> list[Secret]:
    """The literal secrets of a file, in its order, each once."""
    return sorted(Secret(each.node.lineno, each.place, each.kind) for each in _all(tree))


def without_secrets(text: str, tree: ast.Module) -> str:
    """A message about a file, with nothing in it of the secrets that stand there."""
    for each in _all(tree):
        while True:
            told = SequenceMatcher(None, text, each.value, autojunk=False).find_longest_match()
            if told.size < min(_SHORTEST, len(each.value)):
                break
            text = f"{text[: told.a]}…{text[told.a + told.size :]}"
    return text


def _all(tree: ast.Module) -> Iterator[_Found]:
    for statement in tree.body:
        seen: set[ast.AST] = set()
        for each in _of(statement, _owner(statement)):
            if each.node not in seen:
                seen.update(ast.walk(each.node))
                yield each


def _of(statement: ast.stmt, owner: str) -> Iterator[_Found]:
    for name, node in _named(statement):
        yield from _member(owner, name, node)
    for constant in ast.walk(statement):
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
            if secret := _in_address(constant.value):
                yield _Found(constant, owner, "a secret in the address", secret)
            for kind, shape in _SHAPES.items():
                if found := shape.search(constant.value):
                    yield _Found(constant, owner, kind, _SCHEME.sub("", found[0], count=1))


def _named(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """What has a name: members of dicts, arguments, variables."""
    for node in ast.walk(statement):
        match node:
            case ast.Dict():
                for key, value in zip(node.keys, node.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield key.value, value
            case ast.keyword(arg=str(name), value=value):
                yield name, value
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value=str(name)))], value=value):
                yield name, value
            case _:
                pass


def _member(owner: str, name: str, node: ast.expr) -> Iterator[_Found]:
    place = owner if name == owner else f"{owner}, {name}"
    literal = _literal(node)
    if name == "authorization" and literal:
        yield _Found(node, place, "a token", literal)
    elif name == "headers" and isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            header = key.value if isinstance(key, ast.Constant) else None
            if (literal := _literal(value)) and str(header).lower() not in _PLAIN_HEADERS:
                named = "one" if header is None else repr(header)
                yield _Found(value, f"{owner}, header {named}", "a header's value", literal)
    elif name == "server_url":
        if secret := _in_address(literal) or next(filter(_SECRET_SEGMENT.fullmatch, literal.split("/")), None):
            yield _Found(node, place, "a secret in the address", secret)
    elif _NAME.search(name) and len(literal) >= 8 and " " not in literal:
        kind = next((kind for kind, shape in _SHAPES.items() if shape.search(literal)), "a secret")
        yield _Found(node, place, kind, literal)


def _literal(node: ast.expr) -> str:
    """What an expression says by itself: without the scheme before a token, and what is put in from elsewhere."""
    return _SCHEME.sub("", "".join(_parts(node)), count=1).strip()


def _parts(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            for part in parts:
                yield from _parts(part)
        case ast.BinOp(left=left, right=right):
            yield from _parts(left)
            yield from _parts(right)
        case _:
            pass


def _in_address(text: str) -> str | None:
    try:
        url = urlsplit(text if "://" in text and not re.search(r"\s", text) else "")
    except ValueError:  # no address at all
        return None
    return url.password or (url.query if _SECRET_QUERY.search(url.query) else None)


def _owner(statement: ast.stmt) -> str:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name), *_]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case _:
            return "the file"
