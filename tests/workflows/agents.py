"""Agents whose model is scripted at an endpoint of its own, behind a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from agents import Agent, Model, OpenAIChatCompletionsModel, OpenAIResponsesModel

from chatdock import workflow
from chatdock.workflows.workflow import Respond
from tests.harness.client import Chat, Json, Turn
from tests.harness.model_endpoint import ModelEndpoint, Step, model_endpoint
from tests.harness.openai_client import openai_client
from tests.harness.server import ThreadServer, serving

Api = Literal["responses", "chat"]
KEY = "sk-test-key-of-the-model"
Make = Callable[[Model], Agent[Any]]


@contextmanager
def agent_server(
    folder: Path,
    url: str,
    make: Make,
    *,
    api: Api = "responses",
    client: dict[str, Any] | None = None,
    on_action: Respond | None = None,
    **options: Any,
) -> Iterator[ThreadServer]:
    """A server whose workflow `wf_test` is the agent; the same folder again finds the same database.

    `client` holds options of the model's client, which does not try again by itself unless they say so.
    """
    connection = openai_client(url, api_key=KEY, **(client or {}))
    kind = OpenAIResponsesModel if api == "responses" else OpenAIChatCompletionsModel
    made = workflow("wf_test", **options)(make(kind("scripted", connection)))
    made.titler(lambda turn: None)
    if on_action is not None:
        made.action(on_action)
    with serving(folder, [made]) as server:
        yield server


@contextmanager
def scripted(
    folder: Path, make: Make, *steps: Step, api: Api = "responses", **options: Any
) -> Iterator[tuple[Chat, ModelEndpoint]]:
    """A user of the agent, and the endpoint that says the steps. All of them must be asked for."""
    with model_endpoint(*steps) as endpoint:
        with agent_server(folder, endpoint.url, make, api=api, **options) as server:
            yield server.backend.chat(), endpoint
        assert endpoint.steps == []


def press(chat: Chat, card: Json, button: Literal["confirm", "cancel"]) -> Turn:
    """What the element sends when a card's button is pressed."""
    action = card["widget"][button]["action"]
    return act(chat, card, {"type": action["type"], "payload": action["payload"]})


def act(chat: Chat, card: Json, action: Json) -> Turn:
    """A widget action."""
    return Turn(chat.stream("threads.custom_action", thread_id=card["thread_id"], item_id=card["id"], action=action))


def give(chat: Chat, thread_id: str, result: Any) -> Turn:
    """The output of the pending client tool call."""
    return Turn(chat.stream("threads.add_client_tool_output", thread_id=thread_id, result=result))


def asked_in(chat: Chat, turns: Iterable[int]) -> list[Turn]:
    """Threads of so many turns each: the last one of each."""
    last = []
    for number in turns:
        turn = chat.create("hello")
        for _ in range(number - 1):
            turn = chat.send(turn.thread_id, "and now?")
        last.append(turn)
    return last
