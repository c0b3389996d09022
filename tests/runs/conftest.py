"""One server for each file of tests; its workflow says what the test tells it to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.harness.client import Chat
from tests.harness.server import ThreadServer, serving
from tests.runs.stage import Stage
from tests.runs.wire import Reader

_numbers = count()


@pytest.fixture(autouse=True)
def _no_reader_is_left() -> Iterator[None]:
    yield
    for reader in list(Reader.running):
        reader.drop()


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, stage: Stage) -> Iterator[ThreadServer]:
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, [stage.workflow], session_response_limit=100, user_response_limit=100) as running:
        yield running


@pytest.fixture
def text() -> str:
    """A message that no other test sends: the name of its script."""
    return f"message {next(_numbers)}"


@pytest.fixture
def chat(server: ThreadServer) -> Chat:
    return server.backend.chat(user=f"user_{next(_numbers)}")
