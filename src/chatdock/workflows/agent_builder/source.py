"""The text of an export: as it was written, and as Python can read it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from chatdock.workflows.agent_builder.repairs import CannotRepair, Repair, repair
from chatdock.workflows.agent_builder.strings import quietly
from chatdock.workflows.workflow import WorkflowError


@dataclass(frozen=True, slots=True)
class Source:
    """An export's text. `repaired` has as many lines as `text`, so line numbers are those of the file."""

    path: Path
    text: str
    repaired: str
    repairs: list[Repair]

    def tree(self) -> ast.Module:
        """Of the repaired text, made anew: it may be changed."""
        with quietly():
            return ast.parse(self.repaired, str(self.path))


def read_export(path: Path) -> Source:
    """The file with the exporter's known bugs repaired; `WorkflowError` with line and edit when one is not certain."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise WorkflowError(f"{path} is not in UTF-8: {error.reason} at byte {error.start}") from None
    try:
        repaired, repairs = repair(text)
    except CannotRepair as error:
        raise WorkflowError(f"{path}:{error.line}: {error}") from None
    return Source(path, text, repaired, repairs)
