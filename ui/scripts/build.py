"""Builds what browsers load into the Python package, unless it is there and made of the present sources.

`python ui/scripts/build.py` says what it does; the wheel's build hook calls `build()`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import node
from node import UI, NodeError

MANIFEST = UI.parent / "src" / "chatdock" / "web" / "component" / "manifest.json"
MODULES = UI / "node_modules"
INSTALLED = MODULES / ".installed"
LOCK = UI / "package-lock.json"


def is_up_to_date() -> bool:
    """Whether the build is there and was made of these sources."""
    try:
        return bool(json.loads(MANIFEST.read_text("utf-8"))["sources"] == digest_of_sources())
    except FileNotFoundError:
        return False


def digest_of_sources() -> str:
    """What `build.mjs` writes down as `sources`."""
    files = [UI / "build.mjs", UI / "package.json", LOCK, UI / "scripts" / "icons.mjs"]
    files += [path for path in (UI / "src").rglob("*") if path.is_file() and UI / "src/lazy/lucide" not in path.parents]
    hashed = hashlib.sha256()
    for name, path in sorted((path.relative_to(UI).as_posix(), path) for path in files):
        hashed.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return hashed.hexdigest()


def install() -> None:
    """Fetch the npm packages of the lock file, once."""
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if INSTALLED.is_file() and INSTALLED.read_text("utf-8") == wanted:
        return
    print("Fetching the npm packages that the chat element is built with", flush=True)
    node.run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    INSTALLED.write_text(wanted, "utf-8")


def build() -> None:
    """Bring the build up to date. Raises `NodeError`."""
    if is_up_to_date():
        return
    install()
    print("Building the chat element", flush=True)
    node.run("node", "build.mjs", "--no-package")


if __name__ == "__main__":
    try:
        install() if "--install" in sys.argv else build()
    except NodeError as error:
        sys.exit(str(error))
