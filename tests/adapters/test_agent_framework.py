"""What the Agent Framework's agents have beyond others."""

from __future__ import annotations

from typing import Any

from agent_framework import Agent, tool

from tests.adapters.conftest import Talk
from tests.adapters.libraries import STATELESS, FrameworkClient, agent_framework
from tests.adapters.script import Call, Script
from tests.harness.client import message


def script(*answers: Any) -> Script:
    return STATELESS["agent_framework"].script(*answers)


def test_a_tool_that_needs_approval_fails_the_turn(talk: Talk) -> None:
    @tool(approval_mode="always_require")
    def sink() -> str:
        """Sink the boat."""
        raise AssertionError

    chat = talk(Agent(FrameworkClient(script([Call("sink", {})], ["never said"])), tools=[sink]))
    assert chat.create().outcome == "failed"


def test_the_model_that_the_user_chose_is_asked_for_if_it_is_offered(talk: Talk) -> None:
    asked = script(["One."], ["Two."])
    chat = talk(agent_framework(asked), models=["fast"])
    for chosen in ("fast", "dear"):
        chat.stream("threads.create", input={**message("hi"), "inference_options": {"model": chosen}})
    assert asked.models == ["fast", None]
