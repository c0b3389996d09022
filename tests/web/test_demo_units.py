"""The demo page's parser and reducer, tested in the language they are written in."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.harness.node import environment, find_node


def test_the_parser_and_the_reducer_pass_their_own_tests() -> None:
    tests = Path(__file__).with_name("demo.test.mjs")
    done = subprocess.run(
        [find_node(), "--test", str(tests)], env=environment(), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
