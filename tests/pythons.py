"""The quick tests on the other Pythons that Chatdock supports, as far as they are on this machine.

`python -m tests.pythons` makes an environment for each below `.cache/` and says which are missing. What a browser shows
does not depend on Python and is left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13")
QUICK = ("-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "-m", "not slow", "--ignore", "tests/ui")


def interpreter(version: str) -> str | None:
    """A Python of this version: on the path, or among those of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *map(str, pyenv.glob(f"{version}.*/bin/python"))]
    return next((python for python in found if python is not None and _is(python, version)), None)


def environment(python: str, version: str) -> str:
    """The Python of an environment in which Chatdock and its tests are installed."""
    folder = Path(".cache") / f"python-{version}"
    subprocess.run([python, "-m", "venv", folder], check=True)
    inside = str(folder / "bin" / "python")
    install = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--require-hashes", "--requirement", "requirements/dev.txt"], check=True)
    subprocess.run([*install, "--no-deps", "--no-build-isolation", "--editable", "."], check=True)
    return inside


def main() -> int:
    """Run them; the exit code is 1 when one of them failed."""
    failed = []
    for version in VERSIONS:
        if sys.version.startswith(f"{version}."):
            continue
        python = interpreter(version)
        if python is None:
            print(f"Python {version} is not on this machine: not tested", flush=True)
            continue
        print(f"Python {version}: {python}", flush=True)
        if subprocess.run([environment(python, version), *QUICK], check=False).returncode != 0:
            failed.append(version)
    print(f"failed on Python {', '.join(failed)}" if failed else "no failure on another Python", flush=True)
    return bool(failed)


def _is(python: str, version: str) -> bool:
    """Whether it runs and is of this version; pyenv's place holders do not."""
    asked = subprocess.run([python, "--version"], check=False, capture_output=True, text=True)
    return asked.returncode == 0 and asked.stdout.startswith(f"Python {version}.")


if __name__ == "__main__":
    sys.exit(main())
