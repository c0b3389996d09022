"""A run that waited goes on with the real embedded model, which is too small to call tools: a script does that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, Model, ModelSettings, OpenAIChatCompletionsModel
from agents.testing import ScriptedModel, function_call

from chatdock import workflow
from chatdock.model.embedded import EmbeddedModel
from tests.harness.openai_client import openai_client
from tests.harness.server import serving
from tests.workflows.agents import give, press
from tests.workflows.test_pauses import REFUNDED, current_city, refund

pytestmark = pytest.mark.slow


class Calls(Model):
    """The embedded model; to these words it answers with calls."""

    def __init__(self, inner: Model, calls: dict[str, Any]) -> None:
        self._inner = inner
        self._calls = calls

    async def get_response(self, *given: Any, **options: Any) -> Any:
        return await self._inner.get_response(*given, **options)

    async def stream_response(self, *given: Any, **options: Any) -> AsyncIterator[Any]:
        last = given[1][-1]
        content = last.get("content")
        text = content[0].get("text") if isinstance(content, list) else content
        model = ScriptedModel([[self._calls[text]]]) if text in self._calls else self._inner
        async for event in model.stream_response(*given, **options):
            yield event


def test_approvals_and_client_tools_go_on_in_the_second_and_third_turn(tmp_path: Path, model_file: Path) -> None:
    REFUNDED.clear()
    calls = {
        "Pay 4 back": function_call("refund", {"order": 4}, call_id="call_1"),
        "Where am I?": function_call("current_city", {}, call_id="call_2"),
    }
    with asyncio.Runner() as runner:
        model = runner.run(EmbeddedModel.start(model_file))
        inner = OpenAIChatCompletionsModel("any", openai_client(model.base_url, api_key="local"))
        settings = ModelSettings(max_tokens=20)
        agent: Any = Agent(
            name="Desk", model=Calls(inner, calls), model_settings=settings, tools=[refund, current_city]
        )
        made = workflow("wf_test")(agent)
        made.titler(lambda turn: None)
        try:
            with serving(tmp_path, [made]) as server:
                chat = server.backend.chat()
                thread_id = chat.create("Hello").thread_id
                asked = chat.send(thread_id, "Pay 4 back")
                approved = press(chat, asked.done("widget")[0], "confirm")
                assert chat.send(thread_id, "Where am I?").outcome == "waiting"
                told = give(chat, thread_id, "In 东京")
                assert [turn.outcome for turn in (approved, told)] == ["completed", "completed"]
                assert approved.text
                assert told.text
        finally:
            runner.run(model.stop())
    assert REFUNDED == [4]
