"""Names of files, as users give them: shown and offered for saving, never a path."""

from __future__ import annotations

import re
from urllib.parse import quote

MAX_BYTES = 255


def clean(name: str) -> str:
    """The last part of a name, without what cannot be seen (control and direction marks), at most 255 bytes."""
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(character for character in last if character.isprintable()).strip(" .")
    return shown.encode("utf-8", "ignore")[:MAX_BYTES].decode("utf-8", "ignore") or "file"


def disposition(name: str, *, inline: bool) -> str:
    """A Content-Disposition header (RFC 6266), with a plain name for clients that do not read the other."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
