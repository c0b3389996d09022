"""What went wrong while an author's file was loaded, in one line."""

from __future__ import annotations

import importlib
import sysconfig
import traceback
from itertools import dropwhile
from pathlib import Path

from chatdock.workflows.workflow import WorkflowError


def explained(error: BaseException, location: str, loading: set[str]) -> str:
    """One line: where in the author's own code, and why. `loading` are the files that load it."""
    loading = {*loading, importlib.__file__}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    frames = [*dropwhile(lambda frame: frame.filename in loading, frames)]
    home = Path(frames[0].filename).parent if frames else Path()  # an installed package can be a target too
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(home) or not foreign(frame.filename)]
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
        case ImportError(name=str(hidden), path=str(found)) if Path(found) == Path(location).resolve():
            return f"{error}: the file's own name hides the package {hidden!r}; give it another"
        case ModuleNotFoundError(name=str(missing)) if f"{location}.".startswith(f"{missing}."):
            return f"there is no module {missing!r}, neither in this folder nor installed; a file's name ends in .py"
        case ModuleNotFoundError(name=str(missing)) if "." not in missing:
            return f"{error}: is its package installed?"
        case _:
            return f"{type(error).__name__}: {error}"


def foreign(filename: str) -> bool:
    """Whether a file is Python's, an installed package's, or ours."""
    ours = Path(__file__).parents[1]
    installed = (Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return any(Path(filename).is_relative_to(folder) for folder in (ours, *installed))
