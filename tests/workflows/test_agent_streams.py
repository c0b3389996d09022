"""What agents show, event by event: one stored stream for each scenario, the same over both of the model's APIs.

`REWRITE_AGENTS=1` writes the streams anew. Deltas are merged here, as a commit may merge them or not.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from agents import (
    Agent,
    CodeInterpreterTool,
    FileSearchTool,
    GuardrailFunctionOutput,
    HostedMCPTool,
    ImageGenerationTool,
    Model,
    RunContextWrapper,
    StopAtTools,
    WebSearchTool,
    function_tool,
    input_guardrail,
    output_guardrail,
)
from chatkit.agents import AgentContext, ClientToolCall
from chatkit.types import ThreadStreamEvent
from pydantic import TypeAdapter

from chatdock import client_tool
from tests.chat.shapes import passed
from tests.harness.client import Chat, Frame, Json, Turn, message
from tests.harness.model_endpoint import Cut, Hold, Hosted, Refuse, Say, Status, Step, Think, Use, Wait
from tests.workflows.agents import Api, Make, give, press, scripted

STREAMS = Path(__file__).parent.parent / "data" / "agents"
EVENT: TypeAdapter[Any] = TypeAdapter(ThreadStreamEvent)
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@function_tool
def get_weather(city: str) -> str:
    """The weather."""
    return f"sunny in {city}"


@function_tool(needs_approval=True)
def refund_order(order: int, reason: str) -> str:
    """Give money back."""
    return f"refunded {order}"


@client_tool
def get_position(precise: bool) -> None:
    """Where the user is."""


@function_tool
async def open_map(ctx: RunContextWrapper[AgentContext[Any]], place: str) -> str:
    """Open the map in the page, as tools written for chatkit-python do it."""
    ctx.context.client_tool_call = ClientToolCall(name="open_map", arguments={"place": place})
    return "opening"


SEEN = threading.Event()


@input_guardrail
async def no_secrets(ctx: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
    """Trips always, once the user has read something of the answer."""
    await passed(SEEN)
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=True)


@output_guardrail
def no_answers(ctx: Any, agent: Any, output: Any) -> GuardrailFunctionOutput:
    """Trips always."""
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=True)


def plain(model: Model) -> Agent[Any]:
    return Agent(name="Guide", model=model, tools=[get_weather, refund_order, get_position])


def with_billing(model: Model) -> Agent[Any]:
    return Agent(name="Guide", model=model, handoffs=[Agent(name="Billing", model=model)])


def guarded(**guardrails: Any) -> Make:
    return lambda model: Agent(name="Guide", model=model, tools=[get_weather], **guardrails)


def hosted(model: Model) -> Agent[Any]:
    tools: list[Any] = [
        WebSearchTool(),
        FileSearchTool(vector_store_ids=["vs_1"]),
        CodeInterpreterTool(tool_config={"type": "code_interpreter", "container": {"type": "auto"}}),
        ImageGenerationTool(tool_config={"type": "image_generation"}),
        HostedMCPTool(tool_config={"type": "mcp", "server_label": "ships", "server_url": "https://mcp.example.com"}),
    ]
    return Agent(name="Guide", model=model, tools=tools)


def mapping(model: Model) -> Agent[Any]:
    return Agent(
        name="Guide", model=model, tools=[open_map], tool_use_behavior=StopAtTools(stop_at_tool_names=["open_map"])
    )


def approves(chat: Chat, turn: Turn) -> list[Turn]:
    return [press(chat, card, "confirm") for card in turn.done("widget")]


def rejects(chat: Chat, turn: Turn) -> list[Turn]:
    return [press(chat, card, "cancel") for card in turn.done("widget")]


def answers(chat: Chat, turn: Turn) -> list[Turn]:
    return [give(chat, turn.thread_id, {"lat": 52.5})]


def nothing(chat: Chat, turn: Turn) -> list[Turn]:
    return []


def begins(chat: Chat) -> Turn:
    return chat.create("What is the weather?")


def begins_and(does: Callable[[Chat, Turn], object], once: Callable[[Turn], Any]) -> Callable[[Chat], Turn]:
    """Begin, and do something once this is so of what was streamed."""

    def begin(chat: Chat) -> Turn:
        frames: list[Frame] = []
        done = False
        with chat.open("threads.create", {"input": message("What is the weather?")}) as stream:
            for frame in stream:
                frames.append(frame)
                if not done and once(turn := Turn(frames)):
                    does(chat, turn)
                    done = True
        return Turn(frames)

    return begin


def half(turn: Turn) -> bool:
    return turn.text == "Half of it"


def whole(turn: Turn) -> bool:
    return bool(turn.done("assistant_message"))


def stops(chat: Chat, turn: Turn) -> None:
    chat.call("threads.cancel", thread_id=turn.thread_id)


@dataclass(frozen=True)
class Scenario:
    """What the model says, and what the user does then."""

    steps: tuple[Step, ...]
    make: Make = plain
    apis: tuple[Api, ...] = ("responses", "chat")
    begin: Callable[[Chat], Turn] = begins
    follow: Callable[[Chat, Turn], list[Turn]] = nothing
    options: dict[str, Any] = field(default_factory=dict)


RESPONSES: tuple[Api, ...] = ("responses",)
WEATHER = Use("get_weather", {"city": "Rome"})
REFUND = Use("refund_order", {"order": 4, "reason": "It broke."}, "call_2")
URL = {"type": "url_citation", "url": "https://example.com/tides", "title": "Tides", "start_index": 0, "end_index": 10}
FILE = {"type": "file_citation", "file_id": "file_1", "filename": "tides.pdf", "index": 10}
CONTAINER = {
    "type": "container_file_citation", "container_id": "c_1", "file_id": "file_2", "filename": "tides.csv",
    "start_index": 0, "end_index": 10,
}  # fmt: skip

SCENARIOS = {
    "text": Scenario(([Say("It is sunny in Rome.")],)),
    "reasoning": Scenario(([Think("The user wants the weather. " * 3), Say("It is sunny.")],)),
    "reasoning_raw": Scenario(([Think("The user wants the weather.", raw=True), Say("It is sunny.")],)),
    "reasoning_silent": Scenario(([Think(""), Say("It is sunny.")],), apis=RESPONSES),
    "tool": Scenario(([Say("Let me look."), WEATHER], [Say("It is sunny.")])),
    "reasoning_and_tools": Scenario(
        (
            [Think("I need the weather."), WEATHER],
            [Think("Now I know."), Use("get_weather", {"city": "Bern"}, "call_3")],
            [Say("Sunny.")],
        )
    ),
    "tool_not_shown": Scenario(
        ([Think("I need the weather."), WEATHER], [Say("It is sunny.")]), options={"show_tools": False}
    ),
    "handoff": Scenario(([Use("transfer_to_billing")], [Say("Billing here.")]), make=with_billing),
    "citation": Scenario(([Say("High tide at nine.", (URL, FILE, CONTAINER))],), apis=RESPONSES),
    "search": Scenario(
        (
            [
                Hosted(
                    {
                        "type": "web_search_call",
                        "id": "ws_1",
                        "status": "completed",
                        "action": {
                            "type": "search",
                            "query": "tides Rome",
                            "queries": ["tides Rome", "high water Ostia"],
                            "sources": [{"type": "url", "url": "https://example.com/tides"}],
                        },
                    }
                ),
                Hosted(
                    {
                        "type": "file_search_call",
                        "id": "fs_1",
                        "status": "completed",
                        "queries": ["tide table"],
                        "results": [{"file_id": "file_1", "filename": "tides.pdf", "text": "CANARY-IN-A-FILE"}],
                    }
                ),
                Hosted(
                    {
                        "type": "code_interpreter_call",
                        "id": "ci_1",
                        "status": "completed",
                        "container_id": "c",
                        "code": "1",
                    }
                ),
                Hosted(
                    {
                        "type": "mcp_call",
                        "id": "mcp_1",
                        "name": "list_ships",
                        "server_label": "ships",
                        "arguments": "{}",
                        "output": "[]",
                        "status": "completed",
                    }
                ),
                Say("High tide at nine."),
            ],
        ),
        make=hosted,
        apis=RESPONSES,
    ),
    "image": Scenario(
        (
            [
                Hosted(
                    {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PIXEL},
                    (
                        {
                            "type": "response.image_generation_call.partial_image",
                            "item_id": "ig_1",
                            "partial_image_index": 0,
                            "partial_image_b64": PIXEL,
                        },
                    ),
                ),
                Say("Here it is."),
            ],
        ),
        make=hosted,
        apis=RESPONSES,
    ),
    "refusal": Scenario(([Refuse("I will not say that.")],)),
    "input_guardrail": Scenario(
        ([Say("Half of it", whole=False), Hold(SEEN)],),
        make=guarded(input_guardrails=[no_secrets]),
        begin=begins_and(lambda chat, turn: SEEN.set(), half),
        options={"refusal": "Not here."},
        apis=RESPONSES,  # the SDK ends a message of Chat Completions before it looks at guardrails
    ),
    "late_input_guardrail": Scenario(
        ([Say("All of it")],),
        make=guarded(input_guardrails=[no_secrets]),
        begin=begins_and(lambda chat, turn: SEEN.set(), whole),
        options={"refusal": "Not here."},
    ),
    "output_guardrail": Scenario(
        ([Think("Hm."), WEATHER], [Say("A secret is")]), make=guarded(output_guardrails=[no_answers])
    ),
    "approval": Scenario(([WEATHER, REFUND], [Say("You get it back.")]), follow=approves),
    "rejection": Scenario(([REFUND], [Say("Then not.")]), follow=rejects),
    "client_tool": Scenario(
        ([Use("get_position", {"precise": True}, "call_2"), WEATHER], [Say("You are in Berlin.")]), follow=answers
    ),
    "client_tool_of_chatkit": Scenario(
        ([Use("open_map", {"place": "Rome"}, "call_2")], [Say("There it is.")]), make=mapping, follow=answers
    ),
    "error": Scenario((Status(429, headers={"retry-after": "7"}),)),
    "cut": Scenario(([Say("Half of it", whole=False), Cut()],)),
    "cancel": Scenario(([Say("Half of it", whole=False), Wait()],), begin=begins_and(stops, half)),
}


@pytest.mark.parametrize(("name", "api"), [(name, api) for name, one in SCENARIOS.items() for api in one.apis])
def test_the_events_of_an_agent_are_the_stored_ones(name: str, api: Api, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    SEEN.clear()
    with scripted(tmp_path, scenario.make, *scenario.steps, api=api, **scenario.options) as (chat, _):
        first = scenario.begin(chat)
        turns = [first, *scenario.follow(chat, first)]
        items = chat.items(first.thread_id)
    lines = [line for turn in turns for line in [*merged(turn.events), {"outcome": turn.outcome}]]
    for line in lines:
        if "type" in line:
            EVENT.validate_python(line)
    written = fixed([*lines, {"items": items}])
    stored = STREAMS / f"{name}.jsonl"
    if os.environ.get("REWRITE_AGENTS") and api == scenario.apis[0]:
        stored.write_text(written, encoding="utf-8")
    assert written == stored.read_text(encoding="utf-8")


def test_every_stored_stream_is_a_scenario() -> None:
    assert {path.stem for path in STREAMS.glob("*.jsonl")} == SCENARIOS.keys()


def merged(events: list[Json]) -> list[Json]:
    """With neighbouring deltas of the same message as one."""
    kept: list[Json] = []
    for event in events:
        last = kept[-1] if kept else {}
        if delta_of(event) is not None and delta_of(last) is not None and event["item_id"] == last["item_id"]:
            update = last["update"] | {"delta": delta_of(last) + delta_of(event)}
            kept[-1] = last | {"update": update}
        else:
            kept.append(event)
    return kept


def delta_of(event: Json) -> Any:
    return event.get("update", {}).get("delta")


def fixed(lines: list[Json]) -> str:
    """With ids numbered as they appear, and no time in it."""
    numbers: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"{found[1]}_{len(numbers) + 1}")

    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    text = re.sub(r"\b(cthr|cti|crun)_[0-9a-f]{36}\b", number, text)
    text = re.sub(r'("created_at": )"[^"]+"', r'\1"2026-01-01T00:00:00Z"', text)
    return re.sub(r'("duration": )\d+', r"\g<1>0", text)
