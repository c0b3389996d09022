"""What is installed is known beforehand: version, hash, number, and how far its inner workings were tried."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import runpy
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
NEWEST = runpy.run_path(str(ROOT / "scripts" / "newest.py"))
RELIED_ON = {"openai-agents", "openai-chatkit", "uvicorn"}
DISTRIBUTIONS = {"agents": "openai-agents", "chatkit": "openai-chatkit"}
MOST = 60
"""Packages of a default install; more than that would want a reason."""


def asked_for() -> dict[NormalizedName, Requirement]:
    """What the package asks for, with what extras it has."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    asked = [*PROJECT["project"]["dependencies"], *(one for extra in extras for one in extra)]
    return {canonicalize_name(one.name): one for one in map(Requirement, asked)}


def locked(path: Path) -> dict[str, str]:
    """Versions by name."""
    return dict(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;]+)", path.read_text("utf-8"), re.MULTILINE))


def default_install() -> set[str]:
    """The packages that `pip install chatdock` brings here."""
    found: set[str] = set()
    waiting = [Requirement(one) for one in PROJECT["project"]["dependencies"]]
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if (one.marker is not None and not one.marker.evaluate({"extra": ""})) or name in found:
            continue
        found.add(name)
        for needed in map(Requirement, importlib.metadata.requires(name) or ()):
            extras = [*one.extras, ""]
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(Requirement(str(needed).partition(";")[0]))
    return found


def private_imports() -> set[str]:
    """Distributions of which a module or a name with `_` is imported, or a class of a module that is no API."""
    found = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.ImportFrom) or node.module is None or node.level:
                continue
            parts = [*node.module.split("."), *(alias.name for alias in node.names)]
            private = any(part.startswith("_") and not part.startswith("__") for part in parts)
            if (private or "httptools_impl" in parts) and parts[0] not in {"chatdock", *sys.stdlib_module_names}:
                found.add(DISTRIBUTIONS.get(parts[0], parts[0]))
    return found


@pytest.mark.parametrize("name", sorted(RELIED_ON | private_imports()))
def test_a_package_whose_inner_workings_are_used_has_an_upper_bound_that_was_tried(name: str) -> None:
    bounds = asked_for()[canonicalize_name(name)].specifier
    assert [bound for bound in bounds if bound.operator in {"<", "<="}], f"{name} has no upper bound"
    assert bounds.contains(importlib.metadata.version(name)), "these tests run with another version"


def test_the_newest_are_asked_for_without_upper_bounds() -> None:
    newest = {canonicalize_name(one.name): one for one in map(Requirement, NEWEST["requirements"]())}
    for name in RELIED_ON:
        assert {bound.operator for bound in newest[canonicalize_name(name)].specifier} == {">="}
    assert newest[canonicalize_name("uvloop")].marker is not None


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_file_has_a_hash_for_everything_and_no_address(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.partition("\n")[2])
    assert len(entries) == len(locked(path)) > 0
    for entry in entries:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize(
    ("lock", "groups", "extras"),
    [
        ("run", ["build"], ["local"]),
        ("dev", ["build", "dev"], ["local"]),
        ("node", ["node"], []),
        ("tools", ["tools"], []),
    ],
    ids=["run", "dev", "node", "tools"],
)
def test_a_lock_file_has_what_is_asked_for(lock: str, groups: list[str], extras: list[str]) -> None:
    asked = [one for group in groups for one in PROJECT["dependency-groups"][group]]
    if lock in {"run", "dev"}:
        asked += PROJECT["project"]["dependencies"]
        asked += [one for extra in extras for one in PROJECT["project"]["optional-dependencies"][extra]]
    versions = {
        canonicalize_name(name): version for name, version in locked(ROOT / "requirements" / f"{lock}.txt").items()
    }
    for one in map(Requirement, asked):
        assert one.specifier.contains(versions[canonicalize_name(one.name)]), f"{one}: run `make lock`"


def test_make_installs_what_is_locked_and_nothing_else() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in (".venv/run", ".venv/dev", "node"):
        recipe = re.search(rf"^{re.escape(target)}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
        assert recipe is not None
        assert "$(INSTALL) requirements/" in recipe[1]
    assert re.search(r"^INSTALL := .*--require-hashes", makefile, re.MULTILINE)
    assert re.search(r"^THIS := .*--no-deps --no-build-isolation", makefile, re.MULTILINE)
    assert '"npm", "ci", "--ignore-scripts"' in (ROOT / "ui" / "scripts" / "build.py").read_text("utf-8")


def test_a_default_install_is_few_packages_and_the_page_says_how_many() -> None:
    assert len(default_install()) <= MOST, sorted(default_install())
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    assert f"`pip install chatdock` brings at most {MOST} packages" in page


def test_pages_are_told_how_to_hold_the_script_to_its_hash() -> None:
    assert "integrity (SRI)" in (ROOT / "docs" / "component.md").read_text("utf-8")
    packages = json.loads((ROOT / "ui" / "package-lock.json").read_text("utf-8"))["packages"]
    assert len(packages) > 1
