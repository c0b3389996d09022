"""From what stands on the command line to workflows: `file.py`, `pkg.module` or `module:object`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import sysconfig
import traceback
from itertools import dropwhile
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
    elif path.is_dir() and not (location.isidentifier() and (path / "__init__.py").is_file()):
        raise WorkflowError(f"{location} is a folder; name a file in it, or a package as pkg.module")
    elif path.is_file():
        raise WorkflowError(f"{location} is no Python file; its name must end in .py")
    try:
        return _import_file(path.resolve()) if location.endswith(".py") else _import_module(location)
    except (Exception, SystemExit) as error:
        raise WorkflowError(f"{location} cannot be loaded: {_explained(error, location)}") from error


def _import_file(path: Path) -> ModuleType:
    sys.path.insert(0, str(path.parent))
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


def _explained(error: BaseException, location: str) -> str:
    """One line: where in the author's own code, and why."""
    loading = {__file__, importlib.__file__}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    frames = [*dropwhile(lambda frame: frame.filename in loading, frames)]
    home = Path(frames[0].filename).parent if frames else Path()  # an installed package can be a target too
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(home) or not _foreign(frame.filename)]
    places = [f"{frame.filename}:{frame.lineno}" for frame in own]
    if isinstance(error, SyntaxError) and error.filename:
        places.append(f"{error.filename}:{error.lineno}" if error.lineno else error.filename)
    reason = " ".join(_reason(error, location).split())
    if not places:
        return reason
    first, last = places[0], places[-1]
    came_by = "" if first.rpartition(":")[0] == last.rpartition(":")[0] else f" (on the way from {first})"
    return f"{last}: {reason}{came_by}"


def _reason(error: BaseException, location: str) -> str:
    match error:
        case WorkflowError():
            return str(error)
        case SyntaxError():
            return error.msg
        case SystemExit():
            return f"it calls sys.exit({'' if error.code is None else repr(error.code)})"
        case ModuleNotFoundError(name=str(missing)) if f"{location}.".startswith(f"{missing}."):
            return f"there is no module {missing!r}, neither in this folder nor installed; a file's name ends in .py"
        case ModuleNotFoundError(name=str(missing)) if "." not in missing:
            return f"{error}: is its package installed?"
        case _:
            return f"{type(error).__name__}: {error}"


def _foreign(filename: str) -> bool:
    """Whether a file is Python's, an installed package's, or ours."""
    ours = Path(__file__).parents[1]
    installed = (Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return any(Path(filename).is_relative_to(folder) for folder in (ours, *installed))
