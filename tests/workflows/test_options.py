"""Options on registration: each kind of workflow has its own, and says so."""

from __future__ import annotations

import pytest
from agents import Agent

from chatdock import workflow
from chatdock.workflows.agents_sdk import AgentAdapter
from chatdock.workflows.workflow import WorkflowError
from tests.chat.shapes import echo


def test_an_option_reaches_the_kind_that_knows_it() -> None:
    made = workflow("wf_agent", history_limit=3)(Agent(name="Agent"))
    assert isinstance(made.adapter, AgentAdapter)
    assert made.adapter.history_limit == 3


def test_an_option_that_a_kind_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(WorkflowError, match=r"no option 'histry_limit' for an agent of the Agents SDK.*history_limit"):
        workflow("wf_agent", histry_limit=3)(Agent(name="Agent"))
    with pytest.raises(WorkflowError, match=r"no option 'history_limit' for an async generator: it has no options"):
        workflow("wf_plain", history_limit=3)(echo)
