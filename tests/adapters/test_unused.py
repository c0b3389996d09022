"""A process pays for the libraries that it uses, and for no other."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chatdock import current_turn

pytestmark = pytest.mark.slow  # each is a process of its own, with all that its imports cost

LIBRARIES = {"agents", "agent_framework", "langchain_core", "langgraph", "pydantic_ai"}
PLAIN = """
@workflow("wf_test")
async def echo(turn):
    yield turn.text
"""
PYDANTIC = """
from pydantic_ai import Agent
workflow("wf_test")(Agent())
"""
FRAMEWORK = """
from agent_framework import Agent, BaseChatClient
class Client(BaseChatClient):
    def _inner_get_response(self, **asked): ...
workflow("wf_test")(Agent(Client()))
"""
GRAPH = """
from langgraph.graph import START, MessagesState, StateGraph
builder = StateGraph(MessagesState)
builder.add_sequence([("node", lambda state: {})]).add_edge(START, "node")
workflow("wf_test")(builder.compile())
"""


@pytest.mark.parametrize(
    ("code", "used"),
    [
        (PLAIN, set()),
        (PYDANTIC, {"pydantic_ai"}),
        (FRAMEWORK, {"agent_framework"}),
        (GRAPH, {"langchain_core", "langgraph"}),
    ],
    ids=["plain Python", "Pydantic AI", "Agent Framework", "LangGraph"],
)
def test_what_answers_brings_its_own_library_alone(code: str, used: set[str]) -> None:
    code = f"import sys\nfrom chatdock import current_turn, workflow\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert LIBRARIES & set(done.stdout.split()) == used


def test_what_is_no_kind_of_workflow_is_refused_by_name() -> None:
    code = "from chatdock import workflow\nworkflow('wf_test')(7)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "WorkflowError: int is no kind of workflow that this version runs" in done.stdout + done.stderr


def test_there_is_no_current_turn_outside_of_one() -> None:
    with pytest.raises(RuntimeError, match="works while a turn is answered"):
        current_turn()
