"""Reasoning that a model writes into its text is shown as reasoning: not as the answer, nor told to the model again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, Model, OpenAIChatCompletionsModel, Runner, function_tool
from chatkit.agents import AgentContext, simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer
from pydantic import BaseModel

from chatdock import workflow
from chatdock.workflows.thinking import TAGS, Answer, without_thoughts
from chatdock.workflows.titles import clean
from tests.harness.client import Json, Turn
from tests.harness.model_endpoint import Full, Say, Step, Use, model_endpoint
from tests.harness.openai_client import openai_client
from tests.harness.server import eventually, serving
from tests.workflows.agents import Api, scripted

SECRET = "They mean Brest, I guess, or is there another harbour where it could be high water so early?"


@function_tool
def tides(harbour: str) -> str:
    """The tides of a harbour."""
    return "at nine"


def guide(model: Model) -> Agent[Any]:
    return Agent(name="Guide", model=model, tools=[tides])


def thoughts(turn: Turn) -> list[str]:
    return [
        task["content"] for item in turn.done("workflow") for task in item["workflow"]["tasks"] if "content" in task
    ]


@pytest.mark.parametrize("api", ["responses", "chat"])
@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_thoughts_are_a_reasoning_item_wherever_they_are_split(tmp_path: Path, api: Api, size: int) -> None:
    answer = f"<think>\n{SECRET}\n</think>\n\nAt nine, in `<think>` of Brest."
    with scripted(tmp_path, guide, [Say(answer, size=size)], api=api) as (chat, _):
        turn = chat.create("When?")
    assert thoughts(turn) == [SECRET]
    assert turn.text == "At nine, in `<think>` of Brest."
    assert [item["content"][0]["text"] for item in turn.done("assistant_message")] == [turn.text]
    [item] = turn.done("workflow")
    assert item["workflow"]["type"] == "reasoning"
    types = [event["item"]["type"] for event in turn.of("thread.item.done")]
    assert types.index("workflow") < types.index("assistant_message")
    if size == 1:
        assert len(turn.of("workflow.task.updated")) > 1  # it is not held back to its end


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_the_model_is_not_told_its_thoughts_again_in_this_turn_or_the_next(tmp_path: Path, api: Api) -> None:
    looks: Step = [Say(f"<think>{SECRET}</think>Let me look."), Use("tides", {"harbour": "Brest"})]
    tells: Step = [Say(f"<thinking>{SECRET}</thinking>At nine.")]
    with scripted(tmp_path, guide, looks, tells, [Say("Goodbye.")], api=api) as (chat, endpoint):
        turn = chat.create("When?")
        assert chat.send(turn.thread_id, "Thanks").text == "Goodbye."
        assert "Let me look." in str(endpoint.requests[1])
        assert "At nine." in str(endpoint.requests[2])
        assert SECRET not in str(endpoint.requests)
    assert thoughts(turn) == [SECRET, SECRET]
    assert turn.text == "Let me look.At nine."


@pytest.mark.parametrize("api", ["responses", "chat"])
@pytest.mark.parametrize(
    "text",
    [
        "```xml\n<think>a plan</think>\n```",
        "Write <think>a plan</think> before you answer.",
        "<thinker> is no tag.",
        "  <",
        "1 < 2",
    ],
)
def test_text_that_does_not_begin_with_a_tag_is_left_as_it_is(tmp_path: Path, api: Api, text: str) -> None:
    with scripted(tmp_path, guide, [Say(text, size=2)], api=api) as (chat, _):
        turn = chat.create()
        stored = chat.items(turn.thread_id)[-1]["content"][0]["text"]
    assert stored == text
    assert turn.done("workflow") == []


@pytest.mark.parametrize("begin", TAGS)
def test_every_known_tag_is_told_apart_however_it_comes(begin: str) -> None:
    whole = f" {begin.upper()}{SECRET}{TAGS[begin]}\nAt nine."
    for size in range(1, len(whole) + 1):
        answer, thought, text = Answer(), "", ""
        for at in range(0, len(whole), size):
            more = answer.more(whole[at : at + size])
            thought, text = thought + more[0], text + more[1]
        rest = answer.end()
        assert (thought + rest[0], text + rest[1]) == (SECRET, "At nine.")


def test_a_title_is_what_comes_after_the_thoughts(tmp_path: Path) -> None:
    says: Step = [Say(f"<think>{SECRET}</think>\nHigh water in Brest")]
    with model_endpoint(says, says) as endpoint:
        model = OpenAIChatCompletionsModel("scripted", openai_client(endpoint.url))
        with serving(tmp_path, [workflow("wf_test")(Agent(name="Guide", model=model))]) as server:
            chat = server.backend.chat()
            turn = chat.create("When?")
            assert turn.text == "High water in Brest"
            thread = {"thread_id": turn.thread_id}
            title = eventually(lambda: chat.call("threads.get_by_id", **thread).get("title"), what="the title")
    assert title == "High water in Brest"
    assert clean(f"<think>{SECRET}</think>'Brest'") == "Brest"
    assert without_thoughts("<think>never ends") == ""


class Tide(BaseModel):
    harbour: str


def test_data_is_read_behind_the_thoughts(tmp_path: Path) -> None:
    def structured(model: Model) -> Agent[Any]:
        return Agent(name="Guide", model=model, output_type=Tide)

    says: Step = [Say(f'<think>{SECRET}</think>{{"harbour": "Brest"}}')]
    with scripted(tmp_path, structured, says, api="chat", show_output=True) as (chat, _):
        turn = chat.create()
    [shown] = turn.done("assistant_message")
    assert shown["content"][0]["text"] == "- **Harbour**: Brest"


def test_thoughts_without_an_end_are_no_answer(tmp_path: Path) -> None:
    with scripted(tmp_path, guide, [Say(f"<think>{SECRET}"), Full()], api="chat") as (chat, _):
        turn = chat.create()
    assert turn.events[-1]["message"] == "The model gave no answer. Please try again."
    assert thoughts(turn) == [SECRET]


def test_a_hosted_server_shows_and_stores_thoughts_as_thoughts(tmp_path: Path) -> None:
    with model_endpoint([Say(f"<think>{SECRET}</think>At nine.", size=2)]) as endpoint:
        agent = guide(OpenAIChatCompletionsModel("scripted", openai_client(endpoint.url)))

        class Desk(ChatKitServer[Any]):
            async def respond(self, thread: Any, message: Any, context: Any) -> AsyncIterator[Any]:
                call: AgentContext[Any] = AgentContext(thread=thread, store=self.store, request_context=context)
                result = Runner.run_streamed(agent, await simple_to_agent_input([message]), context=call)
                async for event in stream_agent_response(call, result):
                    yield event

        with serving(tmp_path, [workflow("wf_test")(Desk)]) as server:
            turn = server.backend.chat().create("When?")
    assert turn.outcome == "completed"
    assert turn.text == "At nine."
    assert thoughts(turn) == [SECRET]
    stored: Json = turn.done("assistant_message")[0]
    assert stored["content"][0]["text"] == "At nine."
