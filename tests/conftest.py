"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatdock.logs import configure
from tests.harness.client import LEAKS


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    configure()


@pytest.fixture(autouse=True)
def _nothing_hidden_was_shown() -> Iterator[None]:
    """No byte that any test's client received holds the canary, also where an exception went unseen."""
    yield
    leaks = LEAKS.copy()
    LEAKS.clear()
    assert not leaks, f"what is hidden was shown to a client: {leaks}"
