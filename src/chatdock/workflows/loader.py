"""From what stands on the command line to workflows: `file.py`, `pkg.module` or `module:object`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from chatdock.workflows.agent_builder.mark import is_export
from chatdock.workflows.beside import let_import
from chatdock.workflows.explanation import explained
from chatdock.workflows.registry import collecting, workflow
from chatdock.workflows.workflow import Workflow, WorkflowError

if TYPE_CHECKING:
    from types import ModuleType


def load(target: str) -> list[Workflow]:
    """The workflows that a target registers; `WorkflowError` with file, line and reason when it cannot be loaded.

    An export of Agent Builder registers itself, under the id that stands in it.
    """
    location, _, name = target.partition(":")
    if location.endswith(".py") and is_export(Path(location)):
        if name:
            raise WorkflowError(f"{location} is an export of Agent Builder, and one workflow: leave out :{name}")
        return [_exported(Path(location))]
    with collecting() as registered:
        module = _import(location)
        if name:
            return [_named(module, name, target)]
    if not registered:
        raise WorkflowError(f"{target} registers no workflow: put @workflow('wf_…') on what answers")
    return registered


def _exported(path: Path) -> Workflow:
    from chatdock.workflows.agent_builder.export import load_export

    export = load_export(path)
    return workflow(export.workflow_id)(export)


def _named(module: ModuleType, name: str, target: str) -> Workflow:
    try:
        found = getattr(module, name)
    except AttributeError:
        raise WorkflowError(f"{target}: {module.__name__} has no {name!r}") from None
    if isinstance(found, Workflow):
        return found
    try:
        return workflow(f"wf_{name}")(found)
    except WorkflowError as error:
        raise WorkflowError(f"{target}: {error}") from None


def _import(location: str) -> ModuleType:
    path = Path(location)
    if location.endswith(".py"):
        if not path.is_file():
            raise WorkflowError(f"{location}: no such file")
        let_import(path.resolve())
    elif path.is_dir() and not (location.isidentifier() and (path / "__init__.py").is_file()):
        raise WorkflowError(f"{location} is a folder; name a file in it, or a package as pkg.module")
    elif path.is_file():
        raise WorkflowError(f"{location} is no Python file; its name must end in .py")
    try:
        return _import_file(path.resolve()) if location.endswith(".py") else _import_module(location)
    except (Exception, SystemExit) as error:
        raise WorkflowError(f"{location} cannot be loaded: {explained(error, location, {__file__})}") from error


def _import_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _import_module(name: str) -> ModuleType:
    if "" not in sys.path:
        sys.path.insert(0, "")
    return importlib.import_module(name)
