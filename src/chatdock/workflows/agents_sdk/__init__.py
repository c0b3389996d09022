"""Agents of the OpenAI Agents SDK.

`adapter` runs one on a thread's history; `answer` turns its stream into items, with `message`, `activity` and `tasks`;
`context` is what its tools receive; `pause` keeps a run that waits for an approval or a client tool, and `pausing` asks
and goes on.
"""

from chatdock.workflows.agents_sdk.adapter import AgentAdapter

__all__ = ["AgentAdapter"]
