"""The exporter's bugs that Python's grammar trips over, and what stands there instead.

Each repair is an edit inside a line, so line numbers stay those of the file. Needs the standard library only, so that
it can be tried on any Python.
"""

from __future__ import annotations

import ast
import json
import keyword
import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise, takewhile
from typing import NamedTuple

from chatdock.workflows.agent_builder.braces import Names, Place, computes, is_text
from chatdock.workflows.agent_builder.quotes import requoted
from chatdock.workflows.agent_builder.strings import Lexed, String, Unreadable, lex, quietly, read_loosely, spliced

KEYED, MODEL = "_chatdock_keyed", "_chatdock_model"
"""What gives a type the key that had to be renamed, and what stands for pydantic's `BaseModel` then."""

_TYPE = r"(?:string|number|integer|boolean|array|object|null|str|int|float|bool|list|dict)"
_PARAMETER = re.compile(
    rf"(?<=[(,])\s* (?P<key>[^\s:,()=*][^:,()=]*?) \s*:\s* (?P<type>{_TYPE}(?:,{_TYPE})*(?:,\s+null)?) (?=\s*[,)=])",
    re.VERBOSE,
)
_NUMBER_PATH = re.compile(r"""(?<![\w.)\]])\d+(?P<path>\[(?:" *"|' *')\])""")
_HEADER = re.compile(r"\s*(?:async\s+)?(?:if|elif|else|for|while|with|try|except|finally|def|class)\b")
_TOOL = re.compile(r"@function_tool\b")
_CLASS = re.compile(r"^class\s+\w+\((BaseModel)\):", re.MULTILINE)
_METHODS = re.compile(
    r"json|model_(?:config|construct|copy|computed_fields|dump|dump_json|extra|fields|fields_set|json_schema"
    r"|parametrized_name|post_init|rebuild|validate|validate_json|validate_strings)"
)
"""Of pydantic's: the exporter calls some of them, and the others spoil a field of their name."""
_KEY = re.compile(
    r"""
    [ \t]+ (?!(?:async\s+)?(?:def|class)\s[^:]*\()
    (?P<key> (?: @[\w.]+ | [^\s:\#=\[\]{}"'@] [^:\#=\[\]{}"'\n]*? ) )
    \s* : \s* (?P<type> [^=\n]+? ) \s*
    """,
    re.VERBOSE,
)


class Repair(NamedTuple):
    """One repair, in memory alone: where, what the exporter did wrong, and what stands there now."""

    line: int
    bug: str
    done: str


class CannotRepair(Exception):
    """A place that no repair is certain for: its line, what is wrong, and the edit to make."""

    def __init__(self, line: int, reason: str, edit: str) -> None:
        super().__init__(f"{reason}; {edit}")
        self.line = line
        self.reason = reason
        self.edit = edit


class _Edit(NamedTuple):
    start: int
    end: int
    new: str
    bug: str
    done: str


def repair(text: str) -> tuple[str, list[Repair]]:
    """The text as Python can read it, and what was done; `CannotRepair` where that is not certain."""
    readable = _is_python(text)
    try:
        file = lex(text)
    except Unreadable as error:
        if readable:
            return text, []
        line = text.count("\n", 0, error.at) + 1
        edit = "close it with the quotes that it begins with"
        if text.endswith('"""', 0, error.at):
            edit = 'if it is the last quote of the text before it, write \\"'
        raise CannotRepair(line, "a string that begins here has no end", edit) from None
    if readable and any(string.loose for string in file.strings):  # Python knows better
        return text, []
    code = _masked(file)
    edits = [*_parameters(code), *_number_paths(text, code), *_empty_blocks(code), *_keys(code)]
    names = Names(_read(_edited(code, edits)))
    edits += _formatted(file, names)
    repaired = _edited(text, edits)
    _read(repaired)
    return repaired, [Repair(file.line(edit.start), edit.bug, edit.done) for edit in sorted(edits) if edit.bug]


def _is_python(text: str) -> bool:
    try:
        _read(text)
    except CannotRepair:
        return False
    return True


def _edited(text: str, edits: Iterable[_Edit]) -> str:
    return spliced(text, 0, len(text), ((edit.start, edit.end, edit.new) for edit in edits))


def _read(code: str) -> ast.Module:
    """The code's tree; `CannotRepair` when there is something else that Python cannot read."""
    try:
        with quietly():
            return ast.parse(code)
    except (SyntaxError, ValueError) as error:  # ValueError: a null byte, before Python 3.12
        line = getattr(error, "lineno", None) or 1
        said = getattr(error, "msg", error)
        edit = "it is none of the exporter's known bugs, so mend it by hand"
        if str(said).startswith("(unicode error)"):
            edit = "double each backslash that is text"
        raise CannotRepair(line, f"Python cannot read this: {said}", edit) from None


def _masked(file: Lexed) -> str:
    """The code alone: as long as the file, its strings and comments empty."""

    def blank(string: String) -> str:
        start, end = string.body
        filling = re.sub(r"[^\n]", " ", file.text[start:end])
        if len(string.quote) == 1:  # a line may go on inside: after a backslash, or in a field
            filling = re.sub(r" \n", r"\\\n", filling)
        if "f" not in string.prefix.lower():
            return f"{string.prefix}{string.quote}{filling}{string.quote}"
        return f"r{string.quote}{' ' * (len(string.prefix) - 1)}{filling}{string.quote}"

    edits = [(string.start, string.end, blank(string)) for string in file.strings]
    return spliced(file.text, 0, len(file.text), [*edits, *((a, b, " " * (b - a)) for a, b in file.comments)])


def _parameters(code: str) -> Iterator[_Edit]:
    """A tool's parameters: `a: string,null`, of which `null` is one more to Python, and `from: string`."""
    for before, (start, end) in pairwise(_logical_lines(code)):
        if not _TOOL.match(code, before[0]):
            continue
        found = [*_PARAMETER.finditer(code, start, end)]
        yield from _renamed(found, "of a tool is no name of a parameter")
        for parameter in found:
            types = dict.fromkeys(name.strip() for name in parameter["type"].split(","))
            if parameter["type"] not in types:
                union = " | ".join("None" if name == "null" else name for name in types)
                yield _Edit(
                    *parameter.span("type"), union, "a parameter's types are separated by commas", f"reads {union}"
                )


def _number_paths(text: str, code: str) -> Iterator[_Edit]:
    """`0["8"]`, which was 0.8."""
    for found in _NUMBER_PATH.finditer(code):
        digits = text[found.start("path") + 2 : found.end("path") - 2]
        if digits.isdigit():
            number = f"{text[found.start() : found.start('path')]}.{digits}"
            yield _Edit(*found.span("path"), f".{digits}", "a number is written as a path", f"reads {number}")


def _empty_blocks(code: str) -> Iterator[_Edit]:
    """`else:` with nothing in it."""
    lines = [*_logical_lines(code), (len(code), len(code))]
    for (start, end), following in pairwise(lines):
        line = code[start:end].rstrip()
        if not line.endswith(":") or not _HEADER.match(line):
            continue
        if following[0] == len(code) or _indent(code, following[0]) <= _indent(code, start):
            at = start + len(line)
            yield _Edit(at, at, " pass", "a block has nothing in it", "has a pass")


def _logical_lines(code: str) -> Iterator[tuple[int, int]]:
    """The extents of lines that hold code, brackets and strings closed."""
    depth, start = 0, 0
    triple = None
    at = 0
    while at < len(code):
        if triple:
            if code.startswith(triple, at):
                at, triple = at + 2, None
        elif code.startswith(('"""', "'''"), at):
            triple, at = code[at : at + 3], at + 2
        elif code[at] in "([{":
            depth += 1
        elif code[at] in ")]}":
            depth = max(depth - 1, 0)
        elif code[at] == "\n" and depth == 0 and not code.endswith("\\", 0, at):
            if code[start:at].strip():
                yield start, at
            start = at + 1
        at += 1
    if code[start:].strip():
        yield start, len(code)


def _indent(code: str, start: int) -> int:
    line = code[start:].expandtabs(8)
    return len(line) - len(line.lstrip(" "))


def _keys(code: str) -> Iterator[_Edit]:
    """Keys of a schema that Python or pydantic takes for something else."""
    headers = [*_CLASS.finditer(code)]
    lines = [*_logical_lines(code)] if headers else []
    edits: list[_Edit] = []
    for header in headers:
        body = [*takewhile(lambda line: code[line[0]] in " \t", (line for line in lines if line[0] > header.start()))]
        inside = (extent for extent in body if _indent(code, extent[0]) == _indent(code, body[0][0]))
        found = [key for start, end in inside if (key := _KEY.fullmatch(code, start, end))]
        edits += _renamed(found, "of a schema is no name of a field", _METHODS)
    yield from edits
    if edits:
        yield from (_Edit(*header.span(1), MODEL, "", "") for header in headers)


def _renamed(found: list[re.Match[str]], bug: str, reserved: re.Pattern[str] | None = None) -> Iterator[_Edit]:
    """Names for keys that are none, nor may be `reserved`; what was asked for stays the key."""
    taken = {each["key"] for each in found}
    for each in found:
        key = each["key"]
        if _is_name(key) and not (reserved and reserved.fullmatch(key)):
            continue
        name = f"field_{re.sub('[^0-9A-Za-z]+', '_', key).strip('_')}"
        while name in taken:
            name += "_"
        taken.add(name)
        start, end = each.span("type")
        yield _Edit(*each.span("key"), name, f"the key {key!r} {bug}", f"is the alias of {name}")
        yield _Edit(start, start, f"{KEYED}(", "", "")
        yield _Edit(end, end, f", {json.dumps(key, ensure_ascii=False)})", "", "")


def _is_name(key: str) -> bool:
    """Whether Python keeps it as it is, and pydantic takes it for no secret of the class."""
    plain = unicodedata.normalize("NFKC", key) == key  # what Python makes of names
    return key.isidentifier() and not keyword.iskeyword(key) and not key.startswith("_") and plain


def _formatted(file: Lexed, names: Names) -> Iterator[_Edit]:
    """f-strings that this Python cannot read, and those whose braces are text."""
    for string in file.strings:
        if not string.formatted:
            continue
        line = file.line(string.start)
        place = names.at(line)
        read = string
        if any(is_text(file.text, found, place) for found in string.fields):
            read = read_loosely(file.text, string)
        text = [found.start for found in read.fields if read.loose and is_text(file.text, found, place)]
        form = requoted(file.text, read, frozenset(text))
        if read.loose and (form is None or read.end != string.end or _loses(file.text, string, read, place)):
            raise CannotRepair(line, "an f-string has braces that are text", "double each of those braces")
        if form is None:
            edit = "give the value a name on a line above and write {name}, or run Python 3.12 or later"
            raise CannotRepair(line, "this Python cannot read what stands in this f-string's braces", edit)
        original = file.text[string.start : string.end]
        if form == original:
            continue
        at = string.start + next(at for at, (old, new) in enumerate(zip(original, form, strict=False)) if old != new)
        yield _Edit(at, string.end, form[at - string.start :], *_said(read, len(read.fields) - len(text)))


def _loses(text: str, string: String, read: String, place: Place) -> bool:
    """Whether a field would become text that somebody has written in Python: the exporter writes none of its kind."""
    kept = {found.start for found in read.fields}
    if not string.loose:
        return any(found.start not in kept and not is_text(text, found, place) for found in string.fields)
    around = spliced(text, *string.body, ((found.start, found.end, "") for found in read.fields))
    return computes(around, place)


def _said(string: String, kept: int) -> tuple[str, str]:
    if not string.loose:
        return "an f-string's quotes stand in its braces too", "has other quotes"
    return "an f-string has braces that are text", f"has them doubled, all but those of its {kept} fields"
