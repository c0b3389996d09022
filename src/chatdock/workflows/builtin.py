"""What `chatdock serve` offers without a target: an agent to talk to, and a showcase that needs no model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatdock.workflows.titles import opening_words

if TYPE_CHECKING:
    from chatdock.workflows.workflow import Workflow

DEMO_INSTRUCTIONS = "You are a friendly, helpful assistant. Answer briefly, in the user's language."
DEMO_HISTORY = 12
"""Items of the thread that the demo sends along: a small model's context is short."""


def builtin_workflows() -> list[Workflow]:
    """`wf_demo` and `wf_showcase`."""
    from agents import Agent

    from chatdock.workflows.agents_sdk import AgentAdapter
    from chatdock.workflows.showcase import showcase
    from chatdock.workflows.workflow import Workflow

    agent = Agent(name="Chatdock demo", instructions=DEMO_INSTRUCTIONS)
    demo = Workflow("wf_demo", AgentAdapter(agent, history_limit=DEMO_HISTORY), version=None, allow_cancel=True)
    demo.titler(opening_words)  # a small model's titles are worse than the question's own words
    return [demo, showcase]
