"""`run_workflow` with its doors: where its state and history come from, and two of the exporter's bugs mended."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeGuard

from chatdock.workflows.agent_builder.repairs import CannotRepair, Repair

STATE, HISTORY, SEARCH = "__chatdock_state", "__chatdock_history", "__chatdock_search"
DOORS: dict[str, Callable[..., Any]] = {
    STATE: lambda state: state,
    HISTORY: lambda history: history,
    SEARCH: lambda _variable, search, *given, **options: search(*given, **options),
}
"""What the doors are before somebody stands in them: as if they were not there."""
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

    `CannotRepair` where it reads the result of an earlier node and there is none.
    """
    function = run_workflow(tree)
    if function is None:
        return []
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    rewriting = _Rewriting(input_is_own="input" not in bound)
    for statement in function.body:
        rewriting.visit(statement)
    if rewriting.reads_previous:
        _Naming().visit(function)
    ast.fix_missing_locations(tree)
    return rewriting.repairs


def is_result(node: ast.AST) -> str | None:
    """The variable, where a node's result with its text is put into one."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict(keys=keys)) if _RESULT.fullmatch(name):
            named = {key.value for key in keys if isinstance(key, ast.Constant)}
            return name if "output_text" in named else None
        case _:
            return None


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
    def __init__(self, *, input_is_own: bool) -> None:
        self.repairs: list[Repair] = []
        self.reads_previous = False
        self._input_is_own = input_is_own
        self._results = 0
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
        self._results += is_result(node) is not None
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
            case ast.Subscript(value=ast.Name(id="input"), slice=ast.Constant(value=str(key))) if self._input_is_own:
                bug = f'input["{key}"] asks Python\'s own function `input`'
                if not self._results:
                    edit = f'write the variable that is meant, as in agent_result["{key}"]'
                    raise CannotRepair(node.lineno, f"{bug}, and no node has answered before", edit)
                self.reads_previous = True
                node.value = ast.copy_location(ast.Name(_PREVIOUS, ast.Load()), node.value)
                self.repairs.append(Repair(node.lineno, bug, "asks the result of the node before"))
        return node


class _Naming(ast.NodeTransformer):
    """Lets the last result be known under one more name, whichever branch it came from."""

    def visit_Assign(self, node: ast.Assign) -> Any:
        if is_result(node):
            node.targets.append(ast.copy_location(ast.Name(_PREVIOUS, ast.Store()), node.targets[0]))
        return node
