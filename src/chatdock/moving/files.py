"""The files that threads come from and go to: compressed when the name says so, `-` for the standard streams."""

from __future__ import annotations

import gzip
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

STANDARD = "-"
BUFFER = 1 << 20


@contextmanager
def reading(name: str) -> Iterator[BinaryIO]:
    """The file's content; `OSError` when there is none."""
    if name == STANDARD:
        yield sys.stdin.buffer
    elif name.endswith(".gz"):
        with gzip.open(name, "rb") as unpacked:
            yield cast("BinaryIO", unpacked)
    else:
        with open(name, "rb", buffering=BUFFER) as file:
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
