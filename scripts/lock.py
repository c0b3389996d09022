"""Writes `requirements/NAME.txt`: `lock.py UV NAME [--extra E] [--group G] [--only-group G] [--upgrade]`.

Each package stands there in the one version that is installed, with the hashes of its files, for every supported Python
and platform. Versions that are there already stay, unless `--upgrade` is given. No address of a registry gets in.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAD = "# Written by `make lock` from pyproject.toml; `pip install --require-hashes` takes nothing else.\n"
OPTIONS = ["--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate"]


def main(uv: str, name: str, *options: str) -> None:
    """Resolve and write."""
    path = ROOT / "requirements" / f"{name}.txt"
    path.parent.mkdir(exist_ok=True)
    # With --only-group, what the package itself asks for stays out.
    given = [*options] if "--only-group" in options else ["pyproject.toml", *options]
    given = ["--group" if option == "--only-group" else option for option in given]
    command = [uv, "pip", "compile", *OPTIONS, "--no-emit-index-url", "--no-emit-find-links", *given]
    if subprocess.run([*command, "--output-file", str(path)], cwd=ROOT, stdout=subprocess.DEVNULL).returncode != 0:
        sys.exit(f"{path} could not be written")
    text = path.read_text("utf-8")
    path.write_text(HEAD + text.removeprefix(HEAD), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
