"""docs/workflows.md says what hidden context is not."""

from __future__ import annotations

from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text()


def test_the_page_says_that_hidden_context_is_no_security_boundary_and_holds_no_secrets() -> None:
    section = PAGE.partition("\n## Hidden context\n")[2].partition("\n## ")[0]
    assert "no security boundary" in section
    assert "Keep secrets out of hidden context" in section
