"""Which braces of an f-string enclose a field, and which are a prompt's own.

The exporter puts prompts into f-strings as they are. Their braces may be Python by accident: `{...}`, `{id}`,
`{"tags": [{"name": string}]}`. What such a field asks for tells. Needs the standard library only.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from chatdock.workflows.agent_builder.strings import Field, expression, parsed, spliced

_ENCLOSED = re.compile(r"\{([^{}:!]+)[^{}]*\}")
_THINGS = re.compile(r"Agent|AsyncOpenAI|SimpleNamespace|\w+Tool")
"""What the exporter makes at the top of a file."""
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Place(NamedTuple):
    """What a line can ask for."""

    names: frozenset[str] | None
    """Those that are bound there; None: the file imports unknown ones."""
    things: frozenset[str]
    """Those of them that have no text: functions, classes, modules, agents, tools."""
    exported: bool
    """Whether it is in a function whose f-strings the exporter writes: one for instructions, or `run_workflow`."""
    workflow: bool
    """Whether it is the latter."""

    def knows(self, name: str) -> bool:
        """Whether something has this name."""
        return self.names is None or name in self.names


class _Scope(NamedTuple):
    first: int
    last: int
    names: frozenset[str]
    instructions: bool
    workflow: bool


class Names:
    """The names of a file, line by line."""

    def __init__(self, tree: ast.Module) -> None:
        outside = [*_inside(tree)]
        every = [*ast.walk(tree)]
        self._anything = any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in every)
        declared = {name for node in every if isinstance(node, ast.Global) for name in node.names}
        self._everywhere = frozenset({*_bound(outside), *declared, "__file__", "__name__"})
        self._things = frozenset(_things(outside))
        self._scopes = [_scope(node) for node in every if isinstance(node, _SCOPES)]

    def at(self, line: int) -> Place:
        """What can be asked for on a line, from 1."""
        around = [scope for scope in self._scopes if scope.first <= line <= scope.last]
        own = frozenset[str]().union(*(scope.names for scope in around))
        names = None if self._anything else self._everywhere | own
        workflow = any(scope.workflow for scope in around)
        exported = workflow or any(scope.instructions for scope in around)
        return Place(names, self._things - own, exported, workflow)


def is_text(text: str, found: Field, place: Place) -> bool:
    """Whether the braces of a field are text, because it asks for nothing that the file has.

    Only where the exporter writes: elsewhere it is the author's own mistake, or intention.
    """
    tree = expression(text, found)
    if tree is None or not place.exported:
        return False
    asked = _asked(tree)
    if not all(place.knows(name) or hasattr(builtins, name) for name in asked):
        return not (place.workflow and isinstance(tree, ast.Subscript))  # the result of a node that is gone
    if any(isinstance(node, ast.Call) for node in ast.walk(tree)) or any(each.formatted for each in found.strings):
        return False
    return _has_braces(tree) or (not _is_meant(tree, place) and _is_text_alone(text, found))


def computes(text: str, place: Place) -> bool:
    """Whether braces in a text enclose what asks for something that the file has."""
    trees = (parsed(enclosed[1]) for enclosed in _ENCLOSED.finditer(text))
    return any(tree is not None and _is_meant(tree, place) for tree in trees)


def _is_meant(tree: ast.expr, place: Place) -> bool:
    asked = _asked(tree)
    if isinstance(tree, ast.Name):
        return place.knows(tree.id) and tree.id not in place.things
    own = [name for name in asked if place.knows(name) or name == "input"]  # that one is a bug of its own
    return bool(own) and all(name in own or hasattr(builtins, name) for name in asked)


def _has_braces(tree: ast.expr) -> bool:
    """Whether there are more braces in these: `{ {name} }`, `{[{name}]}`."""
    match tree:
        case ast.Set() | ast.Dict():
            return True
        case ast.List(elts=members) | ast.Tuple(elts=members):
            return any(map(_has_braces, members))
        case _:
            return False


def _is_text_alone(text: str, found: Field) -> bool:
    """Of a field that asks for nothing: whether it is JSON or the like, and nothing that authors write in Python."""
    tree = parsed(text[found.start + 1 : found.expression_end])
    try:
        value = ast.literal_eval(tree or "")
    except (SyntaxError, TypeError, ValueError):
        return True
    after = text[found.expression_end : found.end - 1]
    if after.startswith("!") or (isinstance(value, str) and not re.search(r"\w", value)):  # {"{"}, {"\n"}
        return False
    if not after:
        return True
    inner = [(field.start, field.end, "1") for field in found.spec]
    try:
        format(value, spliced(text, found.expression_end + 1, found.end - 1, inner))
    except (TypeError, ValueError):
        return True
    try:  # a width is JSON too: {"age":5}
        return isinstance(json.loads(spliced(text, found.start, found.end, inner)), dict)
    except ValueError:
        return False


def _asked(tree: ast.expr) -> set[str]:
    """The names that an expression asks for, without those that it binds itself."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return {node.id for node in names} - own


_SCOPES = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


def _scope(node: ast.AST) -> _Scope:
    first, last = node.lineno, node.end_lineno or node.lineno  # type: ignore[attr-defined]
    name, arguments = (node.name, node.args.args) if isinstance(node, _Function) else ("", [])
    instructions = any(argument.arg == "run_context" for argument in arguments)
    return _Scope(first, last, frozenset(_bound(_inside(node))), instructions, name == "run_workflow")


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes in a scope, without those in the scopes that it holds."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, _SCOPES):
            yield from _inside(node)


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
            case ast.MatchMapping(rest=str(name)):
                yield name
            case _:
                pass


def _things(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.alias():
                yield from _bound([node])
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=kind))):
                if _THINGS.fullmatch(kind):
                    yield name
            case _:
                pass
