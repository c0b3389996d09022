"""What pyproject.toml asks for, without upper bounds, one requirement a line; for `make test-newest`.

`newest.py --differences LOCK` lists, in the environment that runs it, what is newer than the lock file says.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def requirements() -> list[str]:
    """Those of the package, of the extra `local` and of the tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups, extras = project["dependency-groups"], project["project"]["optional-dependencies"]
    asked = [*project["project"]["dependencies"], *extras["local"], *groups["dev"], *groups["build"]]
    return [unbounded(one) for one in asked]


def unbounded(requirement: str) -> str:
    """`uvicorn>=0.54,<0.55; marker` is `uvicorn>=0.54; marker`."""
    asked, mark, marker = requirement.partition(";")
    name, *bounds = re.split(r"(?=[<>=!~])", asked.strip(), maxsplit=1)
    kept = [bound for bound in "".join(bounds).split(",") if bound and not re.match(r"<|==|~=", bound.strip())]
    return f"{name}{','.join(kept)}{mark}{marker}"


def differences(lock: str) -> list[str]:
    """`name: version of the lock file, version that is installed`."""
    locked = dict(
        re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", Path(lock).read_text("utf-8"), re.MULTILINE | re.IGNORECASE)
    )
    found = []
    for name, version in locked.items():
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if installed != version:
            found.append(f"{name}: {version}, now {installed}")
    return found


if __name__ == "__main__":
    print("\n".join(differences(sys.argv[2]) if "--differences" in sys.argv else requirements()))
