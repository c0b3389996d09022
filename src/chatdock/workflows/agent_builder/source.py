"""The text of an export: as it was written, and as Python can read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class Repair:
    """One repair, in memory alone: where, what the exporter did wrong, and what stands there now."""

    line: int
    bug: str
    done: str


@dataclass(frozen=True, slots=True)
class Source:
    """An export's text. `repaired` has as many lines as `text`, so line numbers are those of the file."""

    path: Path
    text: str
    repaired: str
    repairs: list[Repair] = field(default_factory=list)


def read_export(path: Path) -> Source:
    """The file with the exporter's known bugs repaired; `WorkflowError` with line and edit when one is not certain."""
    text = path.read_text(encoding="utf-8")
    return Source(path, text, text)
