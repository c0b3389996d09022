"""The modules that stand beside an author's file, which are what its imports mean."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from chatdock.workflows.explanation import foreign
from chatdock.workflows.workflow import WorkflowError


def let_import(path: Path, tree: ast.Module | None = None, others: Iterable[str] = ()) -> None:
    """Let a file import the modules of its folder.

    `tree` is what it says, where that is not what stands in it; `others` are modules that it needs without an import.
    `WorkflowError` when one has the name of a module that was loaded for a file of another folder: Python knows one
    module of a name, and would take that one without a word.
    """
    folder = str(path.parent)
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)
    imported = _imported_by(path) if tree is None else _imported(tree)
    for name, own in _needed(path.parent, {*imported, *others}):
        loaded = getattr(sys.modules.get(name), "__file__", None)
        if loaded and not foreign(loaded) and Path(loaded).resolve() != own.resolve():
            raise WorkflowError(
                f"{path} needs {own}, but {loaded} is loaded under that name: two modules of one server cannot both "
                f"be called {name!r}; rename one"
            )


def _needed(folder: Path, names: set[str]) -> Iterator[tuple[str, Path]]:
    """What stands in the folder of what these imports need, and of what that needs."""
    looked: set[str] = set()
    while names:
        name = names.pop()
        looked.add(name)
        for own in (folder / name / "__init__.py", folder / f"{name}.py"):
            if own.is_file():
                yield name, own
                names |= _imported_by(own) - looked
                break


def _imported_by(path: Path) -> set[str]:
    try:
        return _imported(ast.parse(path.read_bytes()))
    except (SyntaxError, ValueError):  # which is told, with its line, when it is executed
        return set()


def _imported(tree: ast.Module) -> set[str]:
    """The modules that a file imports anywhere, without those inside of them."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found
