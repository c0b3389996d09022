"""docs/configuration.md is what its generator makes of the settings table."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chatdock.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
GENERATOR = DOCS / "generate_configuration.py"
PAGE = DOCS / "configuration.md"


def test_the_page_is_up_to_date() -> None:
    page: str = runpy.run_path(str(GENERATOR))["render"]()
    assert PAGE.read_text("utf-8") == page, "run: python docs/generate_configuration.py"


def test_every_setting_has_a_description_and_a_row() -> None:
    rows = dict(re.findall(r"^\| `CHATDOCK_(\w+)` \|.*\| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE))
    for name, field in Settings.model_fields.items():
        assert field.description, f"{name} has no description"
        assert rows[name.upper()] == field.description


def test_every_setting_says_what_it_holds() -> None:
    rows = dict(re.findall(r"^\| `CHATDOCK_(\w+)` \| [^|]+ \| ([^|]+) \|", PAGE.read_text("utf-8"), re.MULTILINE))
    for name, field in Settings.model_fields.items():
        assert (rows[name.upper()] == "list") == (field.annotation == tuple[str, ...]), name
    assert rows["TRACE_CONTENT"] == "`true`, `false`"


@pytest.mark.slow
def test_check_fails_until_the_page_is_written(tmp_path: Path) -> None:
    script = shutil.copy(GENERATOR, tmp_path)

    def run(*options: str) -> int:
        return subprocess.run([sys.executable, script, *options], stderr=subprocess.DEVNULL, timeout=60).returncode

    assert run("--check") == 1
    assert run() == 0
    assert run("--check") == 0
    (tmp_path / PAGE.name).write_text("another page", "utf-8")
    assert run("--check") == 1
