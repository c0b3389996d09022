"""Pictures without files and without a network: PNG as `data:` URLs."""

from __future__ import annotations

import base64
import struct
import zlib

WIDTH = 96
HEIGHT = 64


def picture(progress: float = 1.0) -> str:
    """A sunset as a `data:` URL, painted from the top as far as `progress` (0 to 1) says; the rest is grey."""
    painted = round(HEIGHT * progress)
    rows = b"".join(b"\0" + _row(y, painted=y < painted) for y in range(HEIGHT))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")
    )
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _row(y: int, *, painted: bool) -> bytes:
    if not painted:
        return bytes((200, 200, 205)) * WIDTH
    return b"".join(_pixel(x, y) for x in range(WIDTH))


def _pixel(x: int, y: int) -> bytes:
    if (x - 66) ** 2 + (y - 40) ** 2 < 144 and y < 48:
        return bytes((255, 214, 102))
    if y >= 48:
        return bytes((28, 52, 84 + (y - 48) * 3))
    return bytes((90 + y * 3, 80 + y, 150 - y))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
