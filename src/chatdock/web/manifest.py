"""What the build of the element says about itself: its files, and the script's name and hash."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

from chatdock.web import COMPONENT

PATH = "/deployments/chatkit/"
"""Where the server has the files; the same path as on the official host."""


class NotBuilt(Exception):
    """There is no build of the element."""

    def __init__(self) -> None:
        super().__init__("The <openai-chatkit> element has not been built. Run `make ui` in the source tree.")


@dataclass(frozen=True)
class Manifest:
    """One build. Names are relative to its folder and to `PATH`."""

    script: str
    """The classic script under a name that holds its hash; `chatkit.js` has the same bytes."""
    integrity: str
    chunks: str
    etags: dict[str, str]
    """Every file by its name, with the hash of its content. Each has a gzipped one beside it, named `….gz`."""

    def is_named_by_hash(self, name: str) -> bool:
        """Whether a file of this name can only have this content."""
        return name == self.script or name.startswith(f"{self.chunks}/")

    def tag(self, url: str) -> str:
        """The script tag for a page whose Chatdock is at `url`. The browser refuses any other script in its place."""
        source = escape(f"{url.rstrip('/')}{PATH}{self.script}")
        return f'<script src="{source}" integrity="{self.integrity}" crossorigin="anonymous" async></script>'


def read_manifest(folder: Path = COMPONENT) -> Manifest:
    """The build in `folder`, as it is now. Raises `NotBuilt`."""
    path = folder / "manifest.json"
    try:
        return _parse(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        raise NotBuilt from None


@lru_cache(maxsize=4)
def _parse(path: Path, _written: int) -> Manifest:
    read = json.loads(path.read_text("utf-8"))
    etags = {name: entry["etag"] for name, entry in read["files"].items()}
    return Manifest(read["script"], read["integrity"], read["chunks"], etags)
