"""What the tests of the REST API share: one server for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.harness.server import ThreadServer, serving
from tests.rest.workflows import echo, scripted


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadServer]:
    """A server with the workflows `wf_test` and `wf_items`."""
    with serving(tmp_path_factory.mktemp("rest"), [echo, scripted]) as running:
        yield running


@pytest.fixture(scope="module")
def anonymous(server: ThreadServer) -> Iterator[httpx.Client]:
    """A client without a credential."""
    with httpx.Client(base_url=server.url, verify=False) as client:
        yield client
