"""`run_workflow` with its doors: where its state and history come from, and two of the exporter's bugs mended."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

from chatdock.workflows.agent_builder.braces import Names
from chatdock.workflows.agent_builder.repairs import CannotRepair, Repair

STATE, HISTORY, SEARCH = "__chatdock_state", "__chatdock_history", "__chatdock_search"
ROUND = "__chatdock_round"
DOORS: dict[str, Callable[..., Any]] = {
    STATE: lambda state: state,
    HISTORY: lambda history: history,
    SEARCH: lambda _variable, search, *given, **options: search(*given, **options),
    ROUND: lambda: asyncio.sleep(0),
}
"""What the doors are before somebody stands in them, as if they were not there; that of rounds stays as it is."""
_PREVIOUS = "__chatdock_previous_result"
_RESULT = re.compile(r"\w+_result\d*")
_HISTORY = re.compile(r"conversation_history\d*")


def run_workflow(tree: ast.Module) -> ast.AsyncFunctionDef | None:
    """The workflow's function."""
    return next(
        (node for node in tree.body if isinstance(node, ast.AsyncFunctionDef) and node.name == "run_workflow"), None
    )


def rewrite(tree: ast.Module) -> list[Repair]:
    """Rewrite a file's `run_workflow` in its tree; what was mended. Nothing else is touched, and no line moves.

    `CannotRepair` where it asks the node before for what that does not answer on every way.
    """
    function = run_workflow(tree)
    if function is None:
        return []
    rewriting = _Rewriting(Names(tree))
    for statement in function.body:
        rewriting.visit(statement)
    if rewriting.reads_previous:
        _Naming().visit(function)
    _MakingWay().visit(function)
    ast.fix_missing_locations(tree)
    return rewriting.repairs


def _result(node: ast.AST) -> frozenset[str] | None:
    """What can be looked up in a node's result, where one is put into a variable."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict(keys=keys)) if _RESULT.fullmatch(name):
            return frozenset(str(key.value) for key in keys if isinstance(key, ast.Constant))
        case _:
            return None


def _results(statements: list[ast.stmt]) -> frozenset[frozenset[str]]:
    results = (_result(node) for statement in statements for node in ast.walk(statement))
    return frozenset(result for result in results if result is not None)


def search_nodes(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """The file-search nodes of a workflow: the variable of each one's result, and the call."""
    for statement in ast.walk(run_workflow(tree) or ast.Module([], [])):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield from ((name, node) for node in ast.walk(statement.value) if searches(node))
            case _:
                pass


def searches(node: ast.AST) -> TypeGuard[ast.Call]:
    """Whether it is `client.vector_stores.search(…)`."""
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".vector_stores.search")


class _Rewriting(ast.NodeTransformer):
    def __init__(self, names: Names) -> None:
        self.repairs: list[Repair] = []
        self.reads_previous = False
        self._names = names
        self._before: frozenset[frozenset[str] | None] = frozenset({None})
        """What the result of the node before may have, for each way that leads here; None where there was no node."""
        self._assigning = ""
        self._doors = {"state", "history"}

    def _through(self, door: str, name: str, value: ast.expr) -> ast.expr:
        if door not in self._doors:
            return value
        self._doors.remove(door)
        return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), [value], []), value)

    def _assigned(self, target: ast.expr, value: ast.expr) -> ast.expr:
        match target, value:
            case ast.Name(id="state"), ast.Dict():
                return self._through("state", STATE, value)
            case ast.Name(id=name), ast.List() if _HISTORY.fullmatch(name):
                return self._through("history", HISTORY, value)
            case _:
                return value

    def visit_Assign(self, node: ast.Assign) -> Any:
        self._assigning = ast.unparse(node.targets[0])
        self.generic_visit(node)
        if len(node.targets) == 1:
            node.value = self._assigned(node.targets[0], node.value)
        if (result := _result(node)) is not None:
            self._before = frozenset({result})
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        self.generic_visit(node)
        if node.value is not None:
            node.value = self._assigned(node.target, node.value)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> Any:
        self.generic_visit(node)
        if searches(node.iter):
            call = node.iter
            given = [ast.Constant(self._assigning), call.func, *call.args]
            node.iter = ast.copy_location(ast.Call(ast.Name(SEARCH, ast.Load()), given, call.keywords), call)
            if not node.is_async:
                node.is_async = 1
                bug = "a file search's pages are read as if they were there already"
                self.repairs.append(Repair(node.iter.lineno, bug, "waits for each page"))
        return node

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        self.generic_visit(node)
        match node:
            case ast.Subscript(value=ast.Name(id="input"), slice=ast.Constant(value=str(key))):
                if "input" in (self._names.at(node.lineno).names or ()):
                    return node
                bug = f'input["{key}"] asks Python\'s own function `input`'
                if any(result is None or key not in result for result in self._before):
                    why = "no node has answered before" if self._before == {None} else "not every node before has that"
                    edit = f'write the variable that is meant, as in agent_result["{key}"]'
                    raise CannotRepair(node.lineno, f"{bug}, and {why}", edit)
                self.reads_previous = True
                node.value = ast.copy_location(ast.Name(_PREVIOUS, ast.Load()), node.value)
                self.repairs.append(Repair(node.lineno, bug, "asks the result of the node before"))
            case _:
                pass
        return node

    # The ways through a workflow

    def visit_If(self, node: ast.If) -> Any:
        self.visit(node.test)
        return self._branches(node, node.body, node.orelse)

    def visit_While(self, node: ast.While) -> Any:
        self._before |= _results(node.body)
        self.visit(node.test)
        return self._branches(node, node.body, node.orelse)

    def visit_Try(self, node: ast.Try) -> Any:
        start = self._before
        self._each(node.body)
        ends = self._before
        failed = start | _results(node.body)
        for handler in node.handlers:
            self._before = failed
            self._each(handler.body)
            ends |= self._before
        self._before = ends
        self._each([*node.orelse, *node.finalbody])
        return node

    def visit_Return(self, node: ast.Return) -> Any:
        self.generic_visit(node)
        self._before = frozenset()
        return node

    def _branches(self, node: ast.stmt, *branches: list[ast.stmt]) -> ast.stmt:
        start = self._before
        ends = frozenset[frozenset[str] | None]()
        for branch in branches:
            self._before = start
            self._each(branch)
            ends |= self._before
        self._before = ends
        return node

    def _each(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self.visit(statement)


class _Naming(ast.NodeTransformer):
    """Lets the last result be known under one more name, whichever branch it came from."""

    def visit_Assign(self, node: ast.Assign) -> Any:
        if _result(node) is not None:
            node.targets.append(ast.copy_location(ast.Name(_PREVIOUS, ast.Store()), node.targets[0]))
        return node


class _MakingWay(ast.NodeTransformer):
    """Lets other turns go on after each round of a loop: one without an end that waits for nothing holds the server."""

    def visit_While(self, node: ast.While) -> Any:
        self.generic_visit(node)
        makes_way = ast.Expr(ast.Await(ast.Call(ast.Name(ROUND, ast.Load()), [], [])))
        node.body.insert(0, ast.copy_location(makes_way, node))
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        return node  # which cannot wait
