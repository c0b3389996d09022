from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from chatdock import workflow
from tests.adapters.libraries import LIBRARIES, STATELESS, Library
from tests.harness.client import Chat
from tests.harness.server import serving

Talk = Callable[..., Chat]


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Library:
    """Each of them in turn: what is promised holds for all."""
    return LIBRARIES[request.param]


@pytest.fixture(params=STATELESS)
def stateless(request: pytest.FixtureRequest) -> Library:
    """Each that is given the thread's history with every turn."""
    return STATELESS[request.param]


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    """Serves something that answers, and gives a client to talk to it."""
    with ExitStack() as stack:

        def start(target: Any, **options: Any) -> Chat:
            server = stack.enter_context(serving(tmp_path, [workflow("wf_test", **options)(target)]))
            return server.backend.chat(workflow="wf_test")

        yield start
