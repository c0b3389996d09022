"""From what stands on the command line to workflows: `file.py`, `pkg.module` or `module:object`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from chatdock.workflows.registry import collecting, workflow
from chatdock.workflows.workflow import Workflow, WorkflowError

if TYPE_CHECKING:
    from types import ModuleType


def load(target: str) -> list[Workflow]:
    """The workflows that a target registers; `WorkflowError` with file, line and reason when it cannot be loaded."""
    location, _, name = target.partition(":")
    with collecting() as registered:
        module = _import(location)
        if name:
            return [_named(module, name, target)]
    if not registered:
        raise WorkflowError(f"{target} registers no workflow: put @workflow('wf_…') on what answers")
    return registered


def _named(module: ModuleType, name: str, target: str) -> Workflow:
    try:
        found = getattr(module, name)
    except AttributeError:
        raise WorkflowError(f"{target}: {module.__name__} has no {name!r}") from None
    return found if isinstance(found, Workflow) else workflow(f"wf_{name}")(found)


def _import(location: str) -> ModuleType:
    try:
        if not location.endswith(".py"):
            if "" not in sys.path:
                sys.path.insert(0, "")
            return importlib.import_module(location)
        path = Path(location).resolve()
        if not path.is_file():
            raise WorkflowError(f"{location}: no such file")
        sys.path.insert(0, str(path.parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
    except WorkflowError:
        raise
    except Exception as error:
        raise WorkflowError(f"{location} cannot be loaded: {_where(error)}") from error
    return module


def _where(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}: {type(error).__name__}: {error}"
