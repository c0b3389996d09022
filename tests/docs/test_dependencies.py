"""docs/dependencies.md lists what pyproject.toml and ui/package.json ask for, no more and no less.

Each has its reason and its licence.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
UI: dict[str, Any] = json.loads((ROOT / "ui" / "package.json").read_text("utf-8"))
LOCK: dict[str, Any] = json.loads((ROOT / "ui" / "package-lock.json").read_text("utf-8"))
PAGE = (ROOT / "docs" / "dependencies.md").read_text("utf-8")

OTHERS: list[dict[str, Any]] = [
    json.loads((ROOT / folder / "package.json").read_text("utf-8"))
    for folder in ("tests/react", "tests/node", "bench/component")
]
NPM: set[str] = {
    name
    for manifest in (UI, *OTHERS)
    for name in manifest.get("dependencies", {}) | manifest.get("devDependencies", {})
}

ASKED_FOR: dict[str, list[str]] = {
    "Runtime": PROJECT["project"]["dependencies"],
    **{f"Extra `{name}`": asked for name, asked in PROJECT["project"]["optional-dependencies"].items()},
    "Development": [entry for group in PROJECT["dependency-groups"].values() for entry in group],
    "Build": PROJECT["build-system"]["requires"],
    "Chat element": list(UI["dependencies"]),
    "Chat element, development": list(UI["devDependencies"]),
    "Tests and benchmarks, from npm": [
        name for manifest in OTHERS for name in manifest["dependencies"] | manifest.get("devDependencies", {})
    ],
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
    """`pytest>=8.3; …` is `pytest`; npm's names are whole."""
    if requirement in NPM:
        return requirement
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def test_the_page_has_a_table_for_each_group() -> None:
    assert list(listed()) == list(ASKED_FOR)


@pytest.mark.parametrize("heading", ASKED_FOR)
def test_the_page_lists_what_the_project_asks_for(heading: str) -> None:
    rows = listed()[heading]
    assert [row[0].strip("`") for row in rows] == sorted({name_of(entry) for entry in ASKED_FOR[heading]})
    for row in rows:
        assert len(row) == 3, row
        assert all(row), f"{row[0]} has no reason or no licence"


@pytest.mark.parametrize("heading", ["Chat element", "Chat element, development"])
def test_the_licences_of_npm_packages_are_those_they_name_themselves(heading: str) -> None:
    for row in listed()[heading]:
        name = row[0].strip("`")
        said = LOCK["packages"][f"node_modules/{name}"]["license"]
        assert said in row[2], f"{name} says {said}"


def test_the_lock_file_names_no_registry() -> None:
    for name, package in LOCK["packages"].items():
        assert "resolved" not in package, name


def test_what_linux_on_a_common_processor_installs_is_held_to_its_hash() -> None:
    for name, package in LOCK["packages"].items():
        elsewhere = package.get("optional") and (
            "linux" not in package.get("os", ["linux"]) or "glibc" not in package.get("libc", ["glibc"])
        )
        assert name == "" or elsewhere or package["integrity"].startswith("sha512-"), name


def test_what_is_built_in_is_exactly_what_is_asked_for() -> None:
    for name, version in (UI["dependencies"] | UI["devDependencies"]).items():
        assert version.removeprefix("^") == LOCK["packages"][f"node_modules/{name}"]["version"]
