"""Nobody pays for what they do not use: no library of an adapter is imported before a workflow file does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.server import ProcessServer

UNUSED = (
    "agents",
    "agent_framework",
    "langgraph",
    "obstore",
    "openai",
    "opentelemetry.sdk",
    "pydantic_ai",
)
"""What plain Python has no use for. Not among them: `watchfiles`, which uvicorn imports wherever it is installed."""

PLAIN = f"""
import sys
from chatdock import Turn, workflow

@workflow("wf_test")
async def loaded(turn: Turn):
    yield ",".join(name for name in {UNUSED} if name in sys.modules and name != "opentelemetry.sdk") or "none"
"""
"""OpenTelemetry's SDK is heard where it is installed, whatever answers."""


@pytest.mark.parametrize("code", ["import chatdock", "from chatdock import Turn, Workflow, workflow"])
def test_importing_chatdock_imports_no_adapters_library(code: str) -> None:
    look = f"{code}\nimport sys\nprint([name for name in {(*UNUSED, 'watchfiles')} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_importing_chatdock_alone_imports_none_of_its_libraries() -> None:
    look = "import chatdock, sys\nprint({'chatkit', 'fastapi', 'pydantic', 'sqlalchemy'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.slow
def test_a_server_of_plain_python_has_imported_no_adapters_library_after_its_turns(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text(PLAIN)
    with ProcessServer(tmp_path, str(tmp_path / "plain.py")) as server:
        chat = server.backend.chat()
        thread_id = chat.create().thread_id
        assert chat.send(thread_id).text == "none"
