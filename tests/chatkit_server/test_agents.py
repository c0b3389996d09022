"""chatkit-python's guides around an agent, each as a server in that guide's shape, hosted without a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from agents import (
    Agent,
    GuardrailFunctionOutput,
    RunContextWrapper,
    Runner,
    StopAtTools,
    function_tool,
    output_guardrail,
)
from agents.testing import ModelStep, ScriptedModel, assistant_message, function_call
from bench.reference import MemoryStore
from chatkit.agents import AgentContext, ClientToolCall, ThreadItemConverter, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.types import (
    ClientEffectEvent,
    CustomSummary,
    CustomTask,
    HiddenContextItem,
    ProgressUpdateEvent,
    SearchTask,
    ThreadMetadata,
    UserMessageItem,
    UserMessageTagContent,
    Workflow,
)
from openai.types.responses import ResponseInputTextParam
from openai.types.responses.response_reasoning_item import ResponseReasoningItem, Summary

from tests.chatkit_server.peers import Context, hosted, played_twice, stored_items
from tests.chatkit_server.shapes import AgentServer, Answer, Events, in_time
from tests.harness.client import ApiFailure, Chat, Turn, message

Call = RunContextWrapper[Answer]


class QuickStart(ChatKitServer[Context]):
    """The first server that anybody writes: a store in memory, an agent, its stream."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        answers = [[assistant_message(text, item_id=f"msg_0000000{n}")] for n, text in enumerate(["Hello!", "Again."])]
        self.agent: Agent[Answer] = Agent(name="Assistant", model=ScriptedModel(answers))

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        agent_context: Answer = AgentContext(thread=thread, store=self.store, request_context=context)
        text = input_user_message.content[0].text if input_user_message else ""
        result = Runner.run_streamed(self.agent, text, context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event


def test_the_quick_start_with_its_store_in_memory(tmp_path: Path) -> None:
    def play(chat: Chat) -> list[Turn]:
        first = chat.create("hello")
        return [first, chat.send(first.thread_id, "and again")]

    first, second = played_twice(tmp_path, QuickStart, play)
    assert (first.text, second.text) == ("Hello!", "Again.")
    assert first.outcome == "completed"


class Remembering(AgentServer):
    """Sends what was said along; tags, quotes and hidden context by a converter of its own."""

    class Converter(ThreadItemConverter):
        async def tag_to_message_content(self, tag: UserMessageTagContent) -> ResponseInputTextParam:
            return ResponseInputTextParam(type="input_text", text=f"<TAG {tag.id}>{tag.data['berth']}</TAG>")

        async def hidden_context_to_input(self, item: HiddenContextItem) -> Any:
            return {"role": "developer", "type": "message", "content": f"hidden {item.content['n']}"}

    converter = Converter()

    def script(self) -> list[Any]:
        def answer(call: Any) -> list[Any]:
            seen = [entry for entry in call.input if isinstance(entry, dict)]
            said = [entry["content"] for entry in seen if entry["role"] != "developer"]
            parts = [[{"text": content}] if isinstance(content, str) else content for content in said]
            texts = [part["text"] for each in parts for part in each]
            hidden = [entry["content"] for entry in seen if entry["role"] == "developer"]
            return [assistant_message(" | ".join([*texts, *hidden]), item_id=f"msg_{len(call.input):08x}")]

        return [ModelStep.respond(answer)] * 2

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        hidden = HiddenContextItem(
            id=self.store.generate_item_id("message", thread, context),
            thread_id=thread.id,
            created_at=thread.created_at,
            content={"n": len(thread.metadata)},
        )
        await self.store.add_thread_item(thread.id, hidden, context)
        thread.metadata["turn"] = context["user_id"]
        async for event in super().respond(thread, input_user_message, context):
            yield event


def test_tags_quotes_and_hidden_context_reach_the_model_through_the_servers_converter(tmp_path: Path) -> None:
    def play(chat: Chat) -> list[Turn]:
        tag = {"type": "input_tag", "id": "boat_7", "text": "Nereid", "data": {"berth": "B4"}}
        tagged: Any = {**message("Where is "), "quoted_text": "a fine boat"}
        tagged["content"].append(tag)
        first = Turn(chat.stream("threads.create", input=tagged))
        return [first, chat.send(first.thread_id, "thanks")]

    first, second = played_twice(tmp_path, Remembering, play)
    assert "<TAG boat_7>B4</TAG>" in first.text
    assert "hidden 0" in first.text
    assert second.text.endswith("hidden 0 | hidden 1")
    assert second.text.count("Where is @Nereid") == 2


class Choosing(AgentServer):
    """The model and the tool that the user chose in the composer."""

    def script(self) -> list[Any]:
        return []

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        assert input_user_message is not None
        chosen = input_user_message.inference_options
        tool = chosen.tool_choice.id if chosen.tool_choice else None
        yield ProgressUpdateEvent(text=f"{chosen.model} {tool}")


def test_what_was_chosen_in_the_composer_reaches_respond(tmp_path: Path) -> None:
    def play(chat: Chat) -> list[Turn]:
        options = {"model": "large", "tool_choice": {"id": "charts"}}
        return [Turn(chat.stream("threads.create", input={**message("hello"), "inference_options": options}))]

    (turn,) = played_twice(tmp_path, Choosing, play)
    assert turn.of("progress_update")[0]["text"] == "large charts"


class Busy(AgentServer):
    """Tools that show what they do: progress, an effect in the page, tasks of a workflow."""

    def script(self) -> list[Any]:
        return [
            [function_call("look_up", {"order": "7"}, call_id="call_1")],
            [assistant_message("Sent yesterday.", item_id="msg_00000001")],
        ]

    def make_agent(self) -> Agent[Answer]:
        @function_tool
        async def look_up(call: Call, order: str) -> str:
            """Look an order up."""
            await call.context.stream(ProgressUpdateEvent(text=f"Looking for {order}", icon="search"))
            await call.context.start_workflow(Workflow(type="custom", tasks=[]))
            await call.context.add_workflow_task(CustomTask(title="Orders", status_indicator="loading"))
            await call.context.update_workflow_task(CustomTask(title="Orders", status_indicator="complete"), 0)
            await call.context.add_workflow_task(SearchTask(title_query=order, queries=[order]))
            await call.context.end_workflow(CustomSummary(title="Looked it up"), expanded=True)
            await call.context.stream(ClientEffectEvent(name="order_found", data={"order": order}))
            return f"order {order} of {call.context.request_context['user_id']}: sent yesterday"

        return Agent(name="Assistant", model=self.model, tools=[look_up])


def test_tools_show_progress_effects_and_tasks(tmp_path: Path) -> None:
    (turn,) = played_twice(tmp_path, Busy, lambda chat: [chat.create("Where is order 7?")])
    assert turn.of("progress_update")[0]["text"] == "Looking for 7"
    assert turn.of("client_effect")[0]["name"] == "order_found"
    done = turn.done("workflow")[-1]
    assert done["workflow"]["summary"] == {"title": "Looked it up"}
    assert [task["type"] for task in done["workflow"]["tasks"]] == ["custom", "web_search"]
    assert turn.text == "Sent yesterday."


class Continuing(AgentServer):
    """A workflow that is still open when the turn ends is gone on with in the next one."""

    def script(self) -> list[Any]:
        return [
            [function_call("begin", {}, call_id="call_1")],
            in_time(function_call("go_on", {}, call_id="call_2")),
            [assistant_message("All done.", item_id="msg_00000001")],
        ]

    def make_agent(self) -> Agent[Answer]:
        @function_tool
        async def begin(call: Call) -> str:
            """Begin."""
            await call.context.add_workflow_task(CustomTask(title="First"))
            call.context.client_tool_call = ClientToolCall(name="confirm", arguments={})
            return "waits"

        @function_tool
        async def go_on(call: Call) -> str:
            """Go on."""
            await call.context.add_workflow_task(CustomTask(title="Second"))
            return "done"

        stop = StopAtTools(stop_at_tool_names=["begin"])
        return Agent(name="Assistant", model=self.model, tools=[begin, go_on], tool_use_behavior=stop)


def confirmed(chat: Chat) -> list[Turn]:
    """A turn that calls the client, and the one that its answer starts."""
    first = chat.create("begin")
    answered = chat.stream("threads.add_client_tool_output", thread_id=first.thread_id, result={"sure": True})
    return [first, Turn(answered)]


def test_a_workflow_goes_on_after_a_client_tool_call(tmp_path: Path) -> None:
    # Here, what is stored is shown as done; there, the page goes on to show it as it was begun.
    first, second = played_twice(tmp_path, Continuing, confirmed, same_events=False)
    assert first.outcome == "waiting"
    assert first.done("client_tool_call")[0]["name"] == "confirm"
    done = second.done("workflow")[-1]
    assert [task["title"] for task in done["workflow"]["tasks"]] == ["First", "Second"]
    assert done["workflow"]["summary"] == {"duration": 0}


class Leaving(Continuing):
    """Ends a turn with its workflow open, and no message after it."""

    def make_agent(self) -> Agent[Answer]:
        @function_tool
        async def begin(call: Call) -> str:
            """Begin."""
            await call.context.add_workflow_task(CustomTask(title="First"))
            return "begun"

        stop = StopAtTools(stop_at_tool_names=["begin"])
        return Agent(name="Assistant", model=self.model, tools=[begin], tool_use_behavior=stop)


def test_a_workflow_that_is_left_open_is_shown_as_it_is_stored(tmp_path: Path) -> None:
    (turn,) = played_twice(tmp_path, Leaving, lambda chat: [chat.create("begin")], same_events=False)
    assert [task["title"] for task in turn.done("workflow")[-1]["workflow"]["tasks"]] == ["First"]
    assert turn.of("thread.item.removed") == []


def test_a_client_tool_call_is_answered_after_a_restart_and_once(tmp_path: Path) -> None:
    class GoingOn(Continuing):
        def script(self) -> list[Any]:
            return super().script()[1:]

    with hosted(tmp_path, Continuing) as server:
        first = server.backend.chat("ada").create("begin")
    assert first.outcome == "waiting"
    with hosted(tmp_path, GoingOn) as server:
        chat = server.backend.chat("ada")
        second = Turn(chat.stream("threads.add_client_tool_output", thread_id=first.thread_id, result={"sure": True}))
        items = stored_items(server, first.thread_id)
        with pytest.raises(ApiFailure) as failure:
            chat.stream("threads.add_client_tool_output", thread_id=first.thread_id, result={"sure": False})
        assert failure.value.error["code"] == "no_pending_call"
        assert stored_items(server, first.thread_id) == items
    assert second.text == "All done."
    (steps,) = [item["workflow"] for item in items if item["type"] == "workflow"]
    assert [task["title"] for task in steps["tasks"]] == ["First", "Second"]


class Thinking(AgentServer):
    """A reasoning model, and ids as the Agents SDK gives them to chat-completions models."""

    def script(self) -> list[Any]:
        thought = ResponseReasoningItem(
            id="rs_1", type="reasoning", summary=[Summary(text="Weighing it.", type="summary_text")]
        )
        return [[thought, assistant_message("Yes.", item_id="__fake_id__")]]


def test_reasoning_is_a_workflow_with_a_duration(tmp_path: Path) -> None:
    (turn,) = played_twice(tmp_path, Thinking, lambda chat: [chat.create("Sure?")])
    (done,) = turn.done("workflow")
    assert done["workflow"]["tasks"][0]["content"] == "Weighing it."
    assert done["workflow"]["summary"] == {"duration": 0}
    assert turn.done("assistant_message")[0]["id"] != "__fake_id__"


class Guarded(AgentServer):
    """A guardrail that takes back what was said."""

    def script(self) -> list[Any]:
        return [in_time(assistant_message("A secret.", item_id="msg_00000001"))]

    def make_agent(self) -> Agent[Answer]:
        @output_guardrail
        async def no_secrets(_call: Call, _agent: Agent[Any], output: str) -> GuardrailFunctionOutput:
            return GuardrailFunctionOutput(output_info=None, tripwire_triggered="secret" in output)

        return Agent(name="Assistant", model=self.model, output_guardrails=[no_secrets])


def test_a_guardrail_takes_back_what_was_said(tmp_path: Path) -> None:
    (turn,) = played_twice(tmp_path, Guarded, lambda chat: [chat.create("Tell me")])
    assert turn.of("thread.item.removed")[0]["item_id"] == "msg_00000001"
    assert turn.of("error")[0]["allow_retry"] is True
    assert turn.outcome == "failed"


def test_the_answer_of_a_client_tool_reaches_the_model(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Asking(Continuing):
        def script(self) -> list[Any]:
            def answer(call: Any) -> list[Any]:
                seen.append([entry["output"] for entry in call.input if entry.get("type") == "function_call_output"])
                return [assistant_message("Good.", item_id="msg_00000001")]

            return [[function_call("begin", {}, call_id="call_1")], ModelStep.respond(answer)]

    played_twice(tmp_path, Asking, confirmed, same_events=False)
    assert seen == [['{"sure": true}']] * 2
