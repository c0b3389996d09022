"""What the tests of traces share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tracing.records import Records


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """What the server of this test stores."""
    return Records(tmp_path)
