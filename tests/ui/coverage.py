"""`docs/component-coverage.md`: which tests keep which promise. `python -m tests.ui.coverage [--check]`."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.ui.rows import IDS, ROWS

TESTS = Path(__file__).parent
PAGE = TESTS.parent.parent / "docs" / "component-coverage.md"
HEAD = """# What the component does, and which tests show it

`<openai-chatkit>` keeps the promises of the public types, guides and behaviour of ChatKit's element. Each row is one of
them; the tests run in Chromium against a real server. `make format` writes this page from the tests.
"""


@cache
def marks() -> dict[str, list[str]]:
    """Tests by row, each as `file: name of the test`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for row in rows_of(node):
                    found[row].append(f"{path.stem.removeprefix('test_')}: {_said(node)}")
    return dict(found)


def rows_of(test: ast.FunctionDef) -> Iterator[str]:
    """The rows that a test names."""
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.row":
            for argument in decorator.args:
                assert isinstance(argument, ast.Constant), f"{test.name} computes its rows"
                yield str(argument.value)


def page() -> str:
    """The table."""
    found = marks()
    lines = [HEAD]
    for family, rows in ROWS.items():
        lines += [f"\n## {family}\n\n", "| row | promise | tests |\n", "|---|---|---|\n"]
        for row, what in rows.items():
            lines.append(f"| {row} | {what} | {'<br>'.join(found.get(row, ['none']))} |\n")
    return "".join(lines)


def missing() -> list[str]:
    """Rows without a test."""
    return [row for row in IDS if row not in marks()]


def unknown() -> list[str]:
    """Rows that tests name and that are not in the table."""
    return [row for row in marks() if row not in IDS]


def _said(test: ast.FunctionDef) -> str:
    said = test.name.removeprefix("test_").replace("_", " ")
    expected = any(ast.unparse(decorator).startswith("pytest.mark.xfail(") for decorator in test.decorator_list)
    return f"*not yet:* {said}" if expected else said


if __name__ == "__main__":
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page():
        sys.exit(f"{PAGE.name} is not what the tests say; run: make format")
