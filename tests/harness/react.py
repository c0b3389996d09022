"""The React application and its development packages: installed by its lock file and built, once for a version."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable
from pathlib import Path

from tests.harness.node import npm

REACT = Path(__file__).parent.parent / "react"
PACKAGES = ("package.json", "package-lock.json")
APPLICATION = (*PACKAGES, "vite.config.ts", "tsconfig.json", "src/main.tsx")


def install() -> Path:
    """The folder with what the lock file names."""
    _once("node_modules", PACKAGES, lambda: npm("ci", "--no-audit", "--no-fund", "--ignore-scripts", directory=REACT))
    return REACT


def build() -> Path:
    """The application as one script."""
    install()
    _once("dist", APPLICATION, lambda: npm("run", "build", directory=REACT))
    return REACT / "dist" / "app.js"


def axe() -> str:
    """The source of axe-core."""
    return (install() / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def _once(made: str, sources: tuple[str, ...], work: Callable[[], None]) -> None:
    """Make a folder unless it was made from these sources; of two processes of tests one waits for the other."""
    wanted = hashlib.sha256(b"\0".join((REACT / name).read_bytes() for name in sources)).hexdigest()
    done = REACT / made / ".made-from"
    with (REACT / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.is_file() or done.read_text() != wanted:
            work()
            done.write_text(wanted)
