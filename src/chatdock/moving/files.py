"""The files that threads come from and go to, compressed or not; `-` for the standard streams."""

from __future__ import annotations

import gzip
import os
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

STANDARD = "-"
BUFFER = 1 << 20
_GZIP = b"\x1f\x8b"


@contextmanager
def reading(name: str) -> Iterator[BinaryIO]:
    """The file's content, unpacked; `OSError` when there is none."""
    with nullcontext(sys.stdin.buffer) if name == STANDARD else open(name, "rb", buffering=BUFFER) as file:
        # What is read stands first: standard input has no name, and any file may have another one.
        if cast("BufferedReader", file).peek(len(_GZIP)).startswith(_GZIP):
            with gzip.open(file) as unpacked:
                yield cast("BinaryIO", unpacked)
        else:
            yield file


@contextmanager
def writing(name: str) -> Iterator[BinaryIO]:
    """Where the content goes. The file takes its name once it is whole and on disk; before, it is `NAME.partial`."""
    if name == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = Path(f"{name}.partial")
    try:
        with partial.open("wb", buffering=BUFFER) as file:
            if name.endswith(".gz"):
                # Without name and time, so that the same threads make the same file.
                with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as packed:
                    yield cast("BinaryIO", packed)
            else:
                yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(name)
    finally:
        partial.unlink(missing_ok=True)
