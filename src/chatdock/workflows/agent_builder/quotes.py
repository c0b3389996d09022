"""An f-string in quotes with which the running Python can read it.

Before 3.12 a quote of an f-string, a backslash and comments may not stand in its fields. Other quotes are tried, inside
and around; what comes out has to be readable, and to have the text and fields of the original.
"""

from __future__ import annotations

import ast

from chatdock.workflows.agent_builder.strings import Field, String, lex, parsed, shows_itself, spliced

QUOTES = ('"', "'", '"""', "'''")


def requoted(text: str, string: String, without: frozenset[int] = frozenset()) -> str | None:
    """The string as this Python can read it, with as few changes as possible; None when there is no such form.

    Braces outside the fields of a loose one are doubled; so are those of its fields whose offsets are in `without`.
    """
    original = text[string.start : string.end]
    if not string.loose and parsed(original) is not None:
        return original
    return _Quoting(text, without).outermost(string)


class _Quoting:
    def __init__(self, text: str, without: frozenset[int]) -> None:
        self.text = text
        self.without = without

    def outermost(self, string: String) -> str | None:
        for quote in dict.fromkeys((string.quote, *QUOTES)):
            form = self._in(string, quote, ())
            if form is not None and self._reads_alike(string, form):
                return form
        return None

    def _inner(self, string: String, taken: tuple[str, ...]) -> str | None:
        """A string inside a field, without the quotes that those around it have taken."""
        for quote in dict.fromkeys((string.quote, *QUOTES)):
            form = self._in(string, quote, taken)
            if form is not None and (string.formatted or _value(form) == self._value_of(string)):
                return form
        return None

    def _in(self, string: String, quote: str, taken: tuple[str, ...]) -> str | None:
        start, end = string.body
        edits: list[tuple[int, int, str]] = []
        kept = [found for found in string.fields if found.start not in self.without]
        if string.loose:
            at = start
            for place, after in [*((found.start, found.end) for found in kept), (end, end)]:
                edits.append((at, place, self.text[at:place].replace("{", "{{").replace("}", "}}")))
                at = after
        for found in kept:
            edits += [(*comment, "") for comment in found.comments]
            for inner in found.strings:
                form = self._inner(inner, (*taken, quote))
                if form is None or (shows_itself(self.text, found) and form != self.text[inner.start : inner.end]):
                    return None
                edits.append((inner.start, inner.end, form))
        form = f"{string.prefix}{quote}{spliced(self.text, start, end, edits)}{quote}"
        return None if any(other in form for other in taken) else form

    def _value_of(self, string: String) -> object:
        return _value(self.text[string.start : string.end])

    def _reads_alike(self, string: String, form: str) -> bool:
        """Whether this Python can read the form, and it says what the original says."""
        if parsed(form) is None:
            return False
        strings = lex(form).strings
        return len(strings) == 1 and _meaning(form, strings[0]) == _meaning(self.text, string, self.without)


def _meaning(text: str, string: String, without: frozenset[int] = frozenset()) -> tuple[object, ...]:
    """What a string is, whatever its quotes: its prefix, its text, and its fields with what is in them."""
    at, end = string.body
    parts: list[object] = [string.prefix]
    for found in string.fields:
        if found.start in without:
            continue
        parts.append(_undoubled(text[at : found.start], string))
        at = found.start
        for inner in found.strings:
            parts += [_code(text, at, inner.start, found), _meaning(text, inner)]
            at = inner.end
        parts.append(_code(text, at, found.end, found))
        at = found.end
    return (*parts, _undoubled(text[at:end], string))


def _code(text: str, start: int, end: int, found: Field) -> str:
    comments = [comment for comment in found.comments if start <= comment[0] < end]
    return spliced(text, start, end, ((*comment, "") for comment in comments))


def _undoubled(text: str, string: String) -> str:
    if string.loose or not string.formatted:
        return text
    return text.replace("{{", "{").replace("}}", "}")


def _value(literal: str) -> object:
    tree = parsed(literal)
    return ast.literal_eval(tree) if isinstance(tree, ast.Constant) else None
