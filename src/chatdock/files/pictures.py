"""Which bytes are a picture that a page may show: raster images alone, known by how they begin."""

from __future__ import annotations

RASTER_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""SVG is not among them: it is a document that can run scripts."""

HEAD_BYTES = 12
"""How many bytes `type_of` looks at."""


def type_of(head: bytes) -> str | None:
    """The media type of the raster image that begins with these bytes, or None."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return None
