"""The exporter's bugs that Python's grammar trips over, and what stands there instead.

Each repair is an edit inside a line, so line numbers stay those of the file. Needs the standard library only, so that
it can be tried on any Python.
"""

from __future__ import annotations

import ast
import builtins
import json
import keyword
import re
import warnings
from collections.abc import Iterable, Iterator
from itertools import pairwise, takewhile
from typing import NamedTuple

from chatdock.workflows.agent_builder.quotes import requoted
from chatdock.workflows.agent_builder.strings import (
    Field,
    Lexed,
    String,
    Unreadable,
    expression,
    lex,
    read_loosely,
    spliced,
)

JSON_TYPES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "array": "list",
    "null": "type(None)",
}
"""What JSON Schema calls types, which the exporter writes for tools' parameters, and what Python calls them. Not among
them: `object`, which Python knows, and which lets the model give anything."""
FIELD, MODEL = "_chatdock_field", "_chatdock_model"
"""What stands for pydantic's `Field` and `BaseModel` in classes whose keys had to be renamed."""

_TYPE = r"(?:string|number|integer|boolean|array|object|str|int|float|bool|list|dict)"
_NULLABLE = re.compile(rf"(?<=:)(\s*{_TYPE}(?:,{_TYPE})*,\s*null|\s*{_TYPE}(?:,{_TYPE})+)\b(?=\s*[,)=])")
_NUMBER_PATH = re.compile(r"""(?<![\w.)\]])\d+(?P<path>\[(?:" *"|' *')\])""")
_HEADER = re.compile(r"\s*(?:async\s+)?(?:if|elif|else|for|while|with|try|except|finally|def|class)\b")
_DEF = re.compile(r"\s*(?:async\s+)?def\b")
_CLASS = re.compile(r"^class\s+\w+\((BaseModel)\):", re.MULTILINE)
_KEY = re.compile(
    r"""
    [ \t]+ (?!(?:async\s+)?(?:def|class)\s[^:]*\()
    (?P<key> [^\s:\#=\[\]{}"'@] [^:\#=\[\]{}"'\n]*? )
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
    try:
        file = lex(text)
    except Unreadable as error:
        line = text.count("\n", 0, error.at) + 1
        edit = "close it with the quotes that it begins with"
        raise CannotRepair(line, "a string that begins here has no end", edit) from None
    code = _masked(file)
    edits = [*_unions(code), *_number_paths(text, code), *_empty_blocks(code), *_keys(code)]
    scopes = _scopes(spliced(code, 0, len(code), ((edit.start, edit.end, edit.new) for edit in edits)))
    edits += _formatted(file, scopes)
    if not edits:
        return text, []
    edits.sort()
    done = [Repair(file.line(edit.start), edit.bug, edit.done) for edit in edits if edit.bug]
    return spliced(text, 0, len(text), ((edit.start, edit.end, edit.new) for edit in edits)), done


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


def _unions(code: str) -> Iterator[_Edit]:
    """`a: string,null` among a tool's parameters: to Python, `null` is a parameter of its own."""
    for start, end in _logical_lines(code):
        if not _DEF.match(code, start):
            continue
        for found in _NULLABLE.finditer(code, start, end):
            names = [name.strip() for name in found[0].split(",")]
            union = " | ".join("None" if name == "null" else name for name in names)
            yield _Edit(*found.span(), f" {union}", "a parameter's types are separated by commas", f"reads {union}")


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
    renamed = False
    for header in headers:
        body = [*takewhile(lambda line: code[line[0]] in " \t", (line for line in lines if line[0] > header.start()))]
        inside = (extent for extent in body if _indent(code, extent[0]) == _indent(code, body[0][0]))
        found = [key for start, end in inside if (key := _KEY.fullmatch(code, start, end))]
        taken = {key["key"] for key in found}
        for key in found:
            name = _field_name(key["key"])
            if name == key["key"]:
                continue
            while name in taken:
                name += "_"
            taken.add(name)
            renamed = True
            field = f"{name}: {key['type']} = {FIELD}(alias={json.dumps(key['key'], ensure_ascii=False)})"
            bug = f"the key {key['key']!r} of a schema is no name of a field"
            yield _Edit(key.start("key"), key.end("type"), field, bug, f"is the alias of {name}")
    if renamed:
        yield from (_Edit(*header.span(1), MODEL, "", "") for header in headers)


def _field_name(key: str) -> str:
    name = re.sub(r"\W", "_", key)
    if keyword.iskeyword(key) or key in {"json", "model_dump", "model_dump_json"}:  # the export calls these
        return f"{name}_"
    private = name.startswith("_") and not name.startswith("__")  # to pydantic
    if private or not name.isidentifier():
        return f"field_{name.lstrip('_')}"
    return name


class _Scopes(NamedTuple):
    """Which names mean something where; None when the file imports unknown ones."""

    everywhere: frozenset[str]
    inside: list[tuple[int, int, frozenset[str]]]
    """First and last line of a function or class, and its names."""

    def at(self, line: int) -> frozenset[str]:
        return self.everywhere.union(*(names for start, end, names in self.inside if start <= line <= end))


def _scopes(code: str) -> _Scopes | None:
    """The names that the code binds; `CannotRepair` when there is something else that Python cannot read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(code)
        except SyntaxError as error:
            reason = f"Python cannot read this: {error.msg}"
            edit = "it is none of the exporter's known bugs, so mend it by hand"
            raise CannotRepair(error.lineno or 1, reason, edit) from None
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree)):
        return None
    inside = [
        (node.lineno, node.end_lineno or node.lineno, frozenset(_bound(ast.walk(node))))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
    ]
    declared = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    return _Scopes(frozenset({*_bound(_outside(tree)), *declared, "__file__", "__name__"}), inside)


def _outside(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are in no function and in no class."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _outside(node)


def _bound(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.arg(arg=name):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0]
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
            case _:
                pass


def _formatted(file: Lexed, scopes: _Scopes | None) -> Iterator[_Edit]:
    """f-strings that this Python cannot read, and those whose braces are text."""
    for string in file.strings:
        if not string.formatted:
            continue
        line = file.line(string.start)
        known = None if scopes is None else scopes.at(line)
        read = string
        if not string.loose and any(_only_fails(file.text, found, known) for found in string.fields):
            read = read_loosely(file.text, string)
            if read.end != string.end:
                raise CannotRepair(line, "an f-string has braces that are text", "double each of those braces")
        text = [found for found in read.fields if read.loose and _unknown(file.text, found, known)]
        form = requoted(file.text, read, frozenset(found.start for found in text))
        if form is None and read.loose:
            raise CannotRepair(line, "an f-string has braces that are text", "double each of those braces")
        if form is None:
            edit = "give the value a name on a line above and write {name}, or run Python 3.12 or later"
            raise CannotRepair(line, "this Python cannot read what stands in this f-string's braces", edit)
        original = file.text[string.start : string.end]
        if form == original:
            continue
        at = string.start + next(at for at, (old, new) in enumerate(zip(original, form, strict=False)) if old != new)
        yield _Edit(at, string.end, form[at - string.start :], *_said(read, len(read.fields) - len(text)))


def _said(string: String, kept: int) -> tuple[str, str]:
    if not string.loose:
        return "an f-string's quotes stand in its braces too", "has other quotes"
    return "an f-string has braces that are text", f"has them doubled, all but those of its {kept} fields"


def _only_fails(text: str, found: Field, known: frozenset[str] | None) -> bool:
    """Whether evaluating a field can only raise, or it is JSON: then its braces are the prompt's own."""
    try:
        if isinstance(json.loads(text[found.start : found.end]), dict):
            return True
    except ValueError:
        pass
    literal = text[found.start + 1 : found.expression_end].strip()
    if len(found.strings) == 1 and not found.strings[0].formatted and text.startswith(":", found.expression_end):
        string = found.strings[0]
        if literal == text[string.start : string.end] and not found.spec:
            try:
                format("", text[found.expression_end + 1 : found.end - 1])
            except ValueError:
                return True
    return _unknown(text, found, known)


def _unknown(text: str, found: Field, known: frozenset[str] | None) -> bool:
    """Whether a field asks for a name that nothing in the file binds."""
    tree = expression(text, found)
    if known is None or tree is None:
        return False
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return any(node.id not in known and node.id not in own and not hasattr(builtins, node.id) for node in names)
