"""Values of options that have to say something."""

from __future__ import annotations

from typing import Any

import typer


def given(value: Any) -> Any:
    """The value; one that is blank, as `--project "$UNSET"` makes it, is refused rather than taken for another."""
    if isinstance(value, str) and not value.strip():
        raise typer.BadParameter("it is empty")
    return value
