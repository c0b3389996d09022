"""The official Node SDK against a running server; the promises themselves are in tests/node/sdk.test.mjs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.harness.node import environment, find_node, npm
from tests.harness.server import API_KEY, ThreadServer

NODE_TESTS = Path(__file__).parent.parent / "node"


@pytest.fixture(scope="module")
def _installed() -> None:
    """The SDK in the version of the lock file, fetched once."""
    wanted = json.loads((NODE_TESTS / "package.json").read_text())["dependencies"]["openai"]
    manifest = NODE_TESTS / "node_modules" / "openai" / "package.json"
    if not manifest.is_file() or json.loads(manifest.read_text())["version"] != wanted:
        npm("ci", "--no-audit", "--no-fund", "--ignore-scripts", directory=NODE_TESTS)


@pytest.mark.usefixtures("_installed")
def test_the_node_sdk_works_by_base_url_alone(server: ThreadServer) -> None:
    done = subprocess.run(
        [find_node(), "--test", "--test-reporter=spec", "sdk.test.mjs"],
        cwd=NODE_TESTS,
        env=environment(CHATDOCK_URL=server.url, CHATDOCK_KEY=API_KEY),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads((NODE_TESTS / "package-lock.json").read_text())["packages"]
    assert "node_modules/openai" in packages
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert name == "" or package["integrity"].startswith("sha512-")
