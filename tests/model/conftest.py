from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatdock.model.pull import pull

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def model_file() -> Path:
    """The real model, from the user's cache; pulled when it is not there."""
    return pull(progress=False)
