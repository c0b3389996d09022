"""The React application and its development packages: installed by its lock file and built, once for a version."""

from __future__ import annotations

import fcntl
import hashlib
from pathlib import Path

from tests.harness.node import npm

REACT = Path(__file__).parent.parent / "react"
SOURCES = ("package.json", "package-lock.json", "vite.config.ts", "tsconfig.json", "src/main.tsx")


def install() -> Path:
    """The folder with what the lock file names."""
    with _alone():
        _once(
            "packages", SOURCES[:2], lambda: npm("ci", "--no-audit", "--no-fund", "--ignore-scripts", directory=REACT)
        )
    return REACT


def build() -> Path:
    """The application as one script."""
    install()
    with _alone():
        _once("application", SOURCES, lambda: npm("run", "build", directory=REACT))
    return REACT / "dist" / "app.js"


def axe() -> str:
    """The source of axe-core."""
    return (install() / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


class _alone:  # noqa: N801
    """Two processes of tests do not install into the same folder."""

    def __enter__(self) -> None:
        self._file = (REACT / "package.json").open()
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _once(what: str, sources: tuple[str, ...], work: object) -> None:
    wanted = hashlib.sha256(b"\0".join((REACT / name).read_bytes() for name in sources)).hexdigest()
    done = REACT / "node_modules" / f".{what}"
    if not done.is_file() or done.read_text() != wanted:
        assert callable(work)
        work()
        done.write_text(wanted)
