"""The strings of a Python file, f-strings with their fields, as Python 3.12 and later read them (PEP 701).

Older versions end an f-string at the first of its quotes, wherever that stands. And the exporter puts prompts into
f-strings without doubling their braces: such an f-string is read `loose`, and has fields of the exporter's own shape
alone. Needs the standard library only, so that it can be tried on any Python.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_STRING = re.compile(r"""(?P<prefix>[fF][rR]?|[rR][fFbB]?|[bB][rR]?|[uU]|)(?P<quote>\"\"\"|'''|"|')""")
_WORD = re.compile(r"\w+")
_COMMENT = re.compile(r"#[^\n]*")
_CONVERSION = re.compile(r"!\s*[rsa]\s*(?=[:}])")
_SHOWS_ITSELF = re.compile(r"(?<![=!<>])=\s*$")
_EXPORTED = re.compile(
    r"""\{\s*(?P<name>[^\W\d]\w*)(?:\[(?:"[^"\n\\]*"|'[^'\n\\]*'|-?\d+)\]|\.[^\W\d]\w*)*\s*(?:![rsa])?\s*\}"""
)


class Unreadable(Exception):
    """A string that has no end, or a place that no reading fits; `at` is its offset in the text."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


@dataclass(slots=True)
class Field:
    """`{expression!r:spec}` in an f-string, by offsets in the text; `end` is after its brace."""

    start: int
    expression_end: int
    end: int
    strings: list[String] = field(default_factory=list)
    """Those of its expression, and of the fields of its spec."""
    comments: list[tuple[int, int]] = field(default_factory=list)
    spec: list[Field] = field(default_factory=list)


@dataclass(slots=True)
class String:
    """One string literal. What lies between the fields of an f-string is its text."""

    start: int
    end: int
    prefix: str
    quote: str
    fields: list[Field] = field(default_factory=list)
    loose: bool = False
    """Whether it is an f-string whose braces do not fit; a brace outside its fields is text."""

    @property
    def formatted(self) -> bool:
        """Whether it is an f-string."""
        return "f" in self.prefix.lower()

    @property
    def body(self) -> tuple[int, int]:
        """What lies between its quotes."""
        return self.start + len(self.prefix) + len(self.quote), self.end - len(self.quote)


@dataclass(slots=True)
class Lexed:
    """A file's strings and comments, in order."""

    text: str
    strings: list[String]
    comments: list[tuple[int, int]]

    def line(self, at: int) -> int:
        """The line of an offset, from 1."""
        return self.text.count("\n", 0, at) + 1


def lex(text: str) -> Lexed:
    """Find all strings and comments; `Unreadable` when a string has no end."""
    strings: list[String] = []
    comments: list[tuple[int, int]] = []
    reader = _Reader(text)
    at = 0
    while at < len(text):
        if string := reader.string(at):
            strings.append(string)
            at = string.end
        elif comment := _COMMENT.match(text, at):
            comments.append(comment.span())
            at = comment.end()
        else:
            word = _WORD.match(text, at)
            at = word.end() if word else at + 1
    return Lexed(text, strings, comments)


def read_loosely(text: str, string: String) -> String:
    """An f-string again, its braces text wherever they do not enclose what the exporter writes."""
    return _Reader(text).loose(string.start, string.prefix, string.quote)


def parsed(expression: str) -> ast.expr | None:
    """An expression that this Python can read, also over several lines; None for what is none."""
    if not expression.strip():
        return None
    with quietly(), suppress(SyntaxError, ValueError):
        return ast.parse(f"({expression}\n)", mode="eval").body
    return None


@contextmanager
def quietly() -> Iterator[None]:
    """Python does not say what it finds odd, with the line: escapes that it does not know are the author's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)  # which it was before Python 3.12
        yield


def spliced(text: str, start: int, end: int, edits: Iterable[tuple[int, int, str]]) -> str:
    """A stretch of text with some of its parts replaced."""
    pieces = []
    for edit_start, edit_end, new in sorted(edits):
        pieces += [text[start:edit_start], new]
        start = edit_end
    return "".join([*pieces, text[start:end]])


class _Reader:
    """Reads from a text at an offset."""

    def __init__(self, text: str) -> None:
        self.text = text

    def string(self, at: int) -> String | None:
        """The string that begins here, if one does."""
        begin = _STRING.match(self.text, at)
        if begin is None:
            return None
        prefix, quote = begin["prefix"], begin["quote"]
        if "f" not in prefix.lower():
            return String(at, self._plain_end(at, begin.end(), quote), prefix, quote)
        try:
            return self._strict(at, prefix, quote)
        except Unreadable:
            return self.loose(at, prefix, quote)

    def loose(self, start: int, prefix: str, quote: str) -> String:
        fields: list[Field] = []
        at = start + len(prefix) + len(quote)
        while not self.text.startswith(quote, at):
            if exported := _EXPORTED.match(self.text, at):
                found = self._field(at, quote)
                if found is not None and found.end == exported.end():
                    fields.append(found)
                    at = found.end
                    continue
            at = self._past(at, prefix, quote, start)
        return String(start, at + len(quote), prefix, quote, fields, loose=True)

    def _strict(self, start: int, prefix: str, quote: str) -> String:
        fields: list[Field] = []
        at = start + len(prefix) + len(quote)
        while not self.text.startswith(quote, at):
            if self.text.startswith(("{{", "}}"), at):
                at += 2
            elif self.text.startswith("{", at):
                found = self._field(at, quote)
                if found is None:
                    raise Unreadable(at)
                fields.append(found)
                at = found.end
            elif self.text.startswith("}", at):
                raise Unreadable(at)
            else:
                at = self._past(at, prefix, quote, start)
        return String(start, at + len(quote), prefix, quote, fields)

    def _past(self, at: int, prefix: str, quote: str, start: int) -> int:
        """The offset after one character of an f-string's text, or after its escape."""
        if at >= len(self.text) or (self.text[at] == "\n" and len(quote) == 1):
            raise Unreadable(start)
        if self.text[at] != "\\" or self.text.startswith(("{", "}"), at + 1):
            return at + 1
        if self.text.startswith("N{", at + 1) and "r" not in prefix.lower():
            end = self.text.find("}", at)
            return end + 1 if end >= 0 else at + 2
        return at + 2

    def _plain_end(self, start: int, at: int, quote: str) -> int:
        while not self.text.startswith(quote, at):
            if at >= len(self.text) or (self.text[at] == "\n" and len(quote) == 1):
                raise Unreadable(start)
            at += 2 if self.text[at] == "\\" else 1
        return at + len(quote)

    def _field(self, start: int, quote: str) -> Field | None:
        """The field that begins at this brace; None when what follows is no expression and its end."""
        found = Field(start, start, start)
        at = self._expression_end(start + 1, found)
        if at is None:
            return None
        found.expression_end = at
        if conversion := _CONVERSION.match(self.text, at):
            at = conversion.end()
        if self.text.startswith(":", at):
            at = self._spec_end(at + 1, quote, found)
        if at is None or not self.text.startswith("}", at):
            return None
        found.end = at + 1
        return found if expression(self.text, found) is not None else None

    def _expression_end(self, at: int, found: Field) -> int | None:
        depth = 0
        while at < len(self.text):
            char = self.text[at]
            if depth == 0 and (char in ":}" or (char == "!" and not self.text.startswith("!=", at))):
                return at
            if char == "\\" and not self.text.startswith("\\\n", at):
                return None
            depth += (char in "([{") - (char in ")]}")
            if depth < 0:
                return None
            try:
                string = self.string(at)
            except Unreadable:
                return None
            if string is not None:
                found.strings.append(string)
                at = string.end
            elif comment := _COMMENT.match(self.text, at):
                found.comments.append(comment.span())
                at = comment.end()
            else:
                word = _WORD.match(self.text, at)
                at = word.end() if word else at + 1
        return None

    def _spec_end(self, at: int, quote: str, found: Field) -> int | None:
        while at < len(self.text) and self.text[at] != "}":
            if self.text.startswith(quote, at) or (self.text[at] == "\n" and len(quote) == 1):
                return None
            if self.text[at] == "{":
                inner = self._field(at, quote)
                if inner is None:
                    return None
                found.spec.append(inner)
                found.strings += inner.strings
                found.comments += inner.comments
                at = inner.end
            else:
                at += 2 if self.text[at] == "\\" else 1
        return at


def shows_itself(text: str, found: Field) -> bool:
    """Whether it is `{expression=}`, which repeats its own source."""
    return bool(_SHOWS_ITSELF.search(text[found.start + 1 : found.expression_end]))


def expression(text: str, found: Field) -> ast.expr | None:
    """What a field evaluates, with its strings empty; None when that is no expression."""
    if any(string.loose for string in found.strings):
        return None
    code = spliced(
        text,
        found.start + 1,
        found.expression_end,
        (
            (string.start, string.end, "b''" if "b" in string.prefix.lower() else "''")
            for string in found.strings
            if string.end <= found.expression_end
        ),
    )
    return parsed(_SHOWS_ITSELF.sub("", code))
