"""Data that an agent answered, as a list for people."""

from __future__ import annotations

from typing import Any

from chatdock.workflows.wording import readable


def readable_block(data: Any) -> str:
    """Data as a list that people can read."""
    return "\n".join(_lines(data, 0)) or "(nothing)"


def _lines(data: Any, depth: int) -> list[str]:
    indent = "  " * depth
    if isinstance(data, dict):
        lines = []
        for name, value in data.items():
            if _flat(value):
                lines.append(f"{indent}- **{readable(str(name))}**: {_scalar(value)}")
            elif value not in (None, "", [], {}):
                lines += [f"{indent}- **{readable(str(name))}**", *_lines(value, depth + 1)]
        return lines
    if isinstance(data, list):
        return [line for value in data for line in _entry(value, depth)]
    return [f"{indent}{_scalar(data)}"]


def _entry(value: Any, depth: int) -> list[str]:
    """An entry of a list; the values of a simple one stand in one line."""
    indent = "  " * depth
    if isinstance(value, dict) and all(_flat(each) or each in (None, "") for each in value.values()):
        said = [f"{readable(str(name))}: {_scalar(each)}" for name, each in value.items() if _flat(each)]
        return [f"{indent}- {', '.join(said)}"] if said else []
    if isinstance(value, dict | list):
        return _lines(value, depth)
    return [f"{indent}- {_scalar(value)}"]


def _flat(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and bool(value))


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
