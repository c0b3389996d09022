"""How an export is told from other Python files."""

from __future__ import annotations

import re
from pathlib import Path

_TRACED = re.compile(r"""["']__trace_source__["']\s*:\s*["']agent-builder["']""")
_INPUT = re.compile(r"^class WorkflowInput\(", re.MULTILINE)
_RUN = re.compile(r"^async def run_workflow\(", re.MULTILINE)
_REGISTERS = re.compile(r"^\s*(?:from|import) chatdock\b", re.MULTILINE)


def is_export(path: Path) -> bool:
    """Whether a file is an export of Agent Builder, by its text; one that registers workflows by itself is none."""
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    marked = _TRACED.search(text) or _INPUT.search(text)
    return bool(_RUN.search(text) and marked and not _REGISTERS.search(text))
