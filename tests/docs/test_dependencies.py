"""docs/dependencies.md lists what pyproject.toml asks for, no more and no less, each with its reason and licence."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PAGE = (ROOT / "docs" / "dependencies.md").read_text("utf-8")

ASKED_FOR: dict[str, list[str]] = {
    "Runtime": PROJECT["project"]["dependencies"],
    **{f"Extra `{name}`": asked for name, asked in PROJECT["project"]["optional-dependencies"].items()},
    "Development": [entry for group in PROJECT["dependency-groups"].values() for entry in group],
    "Build": PROJECT["build-system"]["requires"],
}
"""Requirements by the heading under which the page lists them."""


def listed() -> dict[str, list[list[str]]]:
    """The cells of each table's rows, by heading."""
    sections = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)[1:]
    return {
        heading: [[cell.strip() for cell in row.split("|")] for row in re.findall(r"^\| (`.+) \|$", text, re.MULTILINE)]
        for heading, text in zip(sections[::2], sections[1::2], strict=True)
    }


def name_of(requirement: str) -> str:
    """`pytest>=8.3; …` is `pytest`."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def test_the_page_has_a_table_for_each_group() -> None:
    assert list(listed()) == list(ASKED_FOR)


@pytest.mark.parametrize("heading", ASKED_FOR)
def test_the_page_lists_what_the_project_asks_for(heading: str) -> None:
    rows = listed()[heading]
    assert [row[0].strip("`") for row in rows] == sorted(name_of(entry) for entry in ASKED_FOR[heading])
    for row in rows:
        assert len(row) == 3, row
        assert all(row), f"{row[0]} has no reason or no licence"
