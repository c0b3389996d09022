"""chatkit-python's guides on what a server can show: widgets and their actions, sources, questions, pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, RunContextWrapper, Runner, StopAtTools, function_tool
from agents.testing import ModelStep, assistant_message, function_call
from chatkit.actions import Action
from chatkit.agents import ResponseStreamConverter, accumulate_text, stream_agent_response
from chatkit.server import ChatKitServer, stream_widget
from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    CustomTask,
    EntitySource,
    HiddenContextItem,
    NoticeEvent,
    StructuredInput,
    StructuredInputFreeform,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
    SyncCustomActionResponse,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    URLSource,
    UserMessageItem,
    WidgetItem,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
)
from chatkit.widgets import Card, Text, WidgetTemplate
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseImageGenCallPartialImageEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
)
from openai.types.responses.response_output_item import ImageGenerationCall

from tests.chatkit_server.peers import Context, hosted, played_twice
from tests.chatkit_server.shapes import AgentServer, Answer, Events, base, in_time, says, text_of
from tests.harness.client import ApiFailure, Chat, Turn

Call = RunContextWrapper[Answer]
ORDER = WidgetTemplate.from_file("order.widget")


class Showing(AgentServer):
    """A tool streams a widget made from a `.widget` file, and the turn ends there."""

    def script(self) -> list[Any]:
        return [[function_call("show_order", {"order": "7"}, call_id="call_1")]]

    def make_agent(self) -> Agent[Answer]:
        @function_tool
        async def show_order(call: Call, order: str) -> str:
            """Show an order."""
            await call.context.stream_widget(ORDER.build({"title": f"Order {order}", "order": order}), copy_text=order)
            return "shown"

        stop = StopAtTools(stop_at_tool_names=["show_order"])
        return Agent(name="Assistant", model=self.model, tools=[show_order], tool_use_behavior=stop)


def test_a_widget_of_a_file_is_shown_by_a_tool(tmp_path: Path) -> None:
    (turn,) = played_twice(tmp_path, Showing, lambda chat: [chat.create("Where is order 7?")])
    (widget,) = turn.done("widget")
    assert widget["copy_text"] == "7"
    assert widget["widget"]["children"][0]["value"] == "Order 7"
    assert widget["widget"]["children"][1]["onClickAction"]["payload"] == {"order": "7"}


class Drafting(AgentServer):
    """The model's text streams into a widget."""

    def script(self) -> list[Any]:
        return [in_time(assistant_message("Dear harbour master", item_id="msg_00000001"))]

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        result = Runner.run_streamed(self.agent, "draft a letter")

        async def states() -> Any:
            async for text in accumulate_text(result.stream_events(), Text(id="draft", value="", streaming=True)):
                yield Card(children=[text])

        def new_id(kind: Any) -> str:
            return self.store.generate_item_id(kind, thread, context)

        async for event in stream_widget(thread, states(), generate_id=new_id):
            yield event


def test_text_streams_into_a_widget(tmp_path: Path) -> None:
    (turn,) = played_twice(tmp_path, Drafting, lambda chat: [chat.create("A letter, please")])
    deltas = [event["update"]["delta"] for event in turn.of("widget.streaming_text.value_delta")]
    assert "".join(deltas) == "Dear harbour master"
    assert turn.done("widget")[0]["widget"]["children"][0]["value"] == "Dear harbour master"


class Orders(ChatKitServer[Context]):
    """Widget actions: hidden context for the model, the widget replaced, an answer; and one that does not stream."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        widget = ORDER.build({"title": "Order 7", "order": "7"})
        yield ThreadItemDoneEvent(item=WidgetItem(**base(self, thread, context), widget=widget))

    async def action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Context
    ) -> Events:
        assert sender is not None
        note = f"{context['user_id']} cancelled order {action.payload['order']}"
        hidden = HiddenContextItem(**base(self, thread, context), content=note)
        await self.store.add_thread_item(thread.id, hidden, context)
        cancelled = ORDER.build({"title": "Cancelled", "order": "7"})
        yield ThreadItemReplacedEvent(item=sender.model_copy(update={"widget": cancelled}))
        yield NoticeEvent(level="info", message="Done")
        page = await self.store.load_thread_items(thread.id, None, 10, "asc", context)
        yield says(self, thread, context, ", ".join(item.type for item in page.data))

    async def sync_action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Context
    ) -> SyncCustomActionResponse:
        assert sender is not None
        renamed = sender.model_copy(update={"widget": ORDER.build({"title": action.payload, "order": "7"})})
        await self.store.save_item(thread.id, renamed, context)
        return SyncCustomActionResponse(updated_item=renamed)


def test_an_action_leaves_context_and_replaces_its_widget(tmp_path: Path) -> None:
    def play(chat: Chat) -> list[Turn]:
        first = chat.create("Where is order 7?")
        (widget,) = first.done("widget")
        action = {"type": "order.cancel", "payload": {"order": "7"}}
        told = chat.stream("threads.custom_action", thread_id=first.thread_id, item_id=widget["id"], action=action)
        return [first, Turn(told)]

    _, second = played_twice(tmp_path, Orders, play)
    assert second.of("thread.item.replaced")[0]["item"]["widget"]["children"][0]["value"] == "Cancelled"
    said = second.done("assistant_message")[0]["content"][0]["text"]
    assert said == "user_message, widget, hidden_context_item"
    assert "cancelled order 7" not in json.dumps(second.events)


def test_a_sync_action_answers_with_the_changed_widget(tmp_path: Path) -> None:
    answers: list[Any] = []

    def play(chat: Chat) -> list[Turn]:
        first = chat.create("Where is order 7?")
        (widget,) = first.done("widget")
        action = {"type": "order.rename", "payload": "Seven"}
        answer = chat.call("threads.sync_custom_action", thread_id=first.thread_id, item_id=widget["id"], action=action)
        answers.append(answer["updated_item"]["widget"])
        return [first]

    played_twice(tmp_path, Orders, play)
    assert answers[0] == answers[1]
    assert answers[1]["children"][0]["value"] == "Seven"


def test_what_a_server_does_not_do_is_refused_as_for_any_workflow(tmp_path: Path) -> None:
    with hosted(tmp_path, Showing) as server:
        chat = server.backend.chat("ada")
        thread_id = chat.create().thread_id
        for operation in ("threads.custom_action", "threads.sync_custom_action"):
            with pytest.raises(ApiFailure) as failure:
                chat.call(operation, thread_id=thread_id, item_id=None, action={"type": "any", "payload": None})
            assert (failure.value.status, failure.value.error["code"]) == (400, "action_unsupported")
        with pytest.raises(ApiFailure) as failure:
            chat.call("input.transcribe", audio_base64="AAAA", mime_type="audio/webm")
        assert failure.value.error["code"] == "transcriber_not_configured"


class Citing(ChatKitServer[Context]):
    """An answer that streams by hand, with sources at their places."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        item = AssistantMessageItem(**base(self, thread, context), content=[AssistantMessageContent(text="")])
        yield ThreadItemAddedEvent(item=item)
        for piece in ("High water ", "at nine."):
            update = AssistantMessageContentPartTextDelta(content_index=0, delta=piece)
            yield ThreadItemUpdatedEvent(item_id=item.id, update=update)
        boat = EntitySource(id="boat_7", title="Nereid", interactive=True, data={"berth": "B4"})
        tides = URLSource(url="https://example.com/tides", title="Tides")
        annotations = [Annotation(source=tides, index=10), Annotation(source=boat, index=18)]
        content = AssistantMessageContent(text="High water at nine.", annotations=annotations)
        yield ThreadItemDoneEvent(item=item.model_copy(update={"content": [content]}))


def test_sources_stand_where_the_server_put_them(tmp_path: Path) -> None:
    (turn,) = played_twice(tmp_path, Citing, lambda chat: [chat.create("When?")])
    (item,) = turn.done("assistant_message")
    sources = [(one["index"], one["source"]["type"]) for one in item["content"][0]["annotations"]]
    assert sources == [(10, "url"), (18, "entity")]


class Asking(ChatKitServer[Context]):
    """Questions in place of the composer; the answers are in the thread."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        if input_user_message is not None:
            options = [StructuredInputMultipleChoiceOption(value=berth) for berth in ("B3", "B4")]
            questions: list[StructuredInput] = [
                StructuredInputMultipleChoice(id="berth", question="Which berth?", options=options),
                StructuredInputFreeform(id="why", question="Why?"),
            ]
            yield ThreadItemDoneEvent(item=StructuredInputItem(**base(self, thread, context), inputs=questions))
            return
        page = await self.store.load_thread_items(thread.id, None, 1, "desc", context)
        (asked,) = page.data
        assert isinstance(asked, StructuredInputItem)
        told = [question.answer.values if question.answer else None for question in asked.inputs]
        yield says(self, thread, context, f"{asked.status}: {told}")


@pytest.mark.parametrize("status", ["answered", "skipped"])
def test_structured_input_is_asked_and_answered(tmp_path: Path, status: str) -> None:
    def play(chat: Chat) -> list[Turn]:
        first = chat.create("A berth, please")
        (asked,) = first.done("structured_input")
        answers = {"berth": {"values": ["B4"]}} if status == "answered" else {}
        told = chat.stream(
            "threads.add_structured_input",
            thread_id=first.thread_id,
            item_id=asked["id"],
            input={"status": status, "answers": answers},
        )
        return [first, Turn(told)]

    # chatkit-python sends its stream options before the answered item, Chatdock after it.
    first, second = played_twice(tmp_path, Asking, play, same_events=False)
    assert first.outcome == "waiting"
    said = second.done("assistant_message")[0]["content"][0]["text"]
    assert said == ("answered: [['B4'], []]" if status == "answered" else "skipped: [[], []]")


class Painting(AgentServer):
    """An image by the hosted tool, with a preview; its bytes are kept elsewhere."""

    class Converter(ResponseStreamConverter):
        async def base64_image_to_url(
            self, image_id: str, base64_image: str, partial_image_index: int | None = None
        ) -> str:
            return f"https://images.example/{image_id}/{partial_image_index}"

    def script(self) -> list[Any]:
        def begun(status: Any, result: str | None) -> ImageGenerationCall:
            return ImageGenerationCall(id="ig_1", type="image_generation_call", status=status, result=result)

        picture = begun("completed", "BBBB")
        finished = Response(
            id="resp_1", created_at=0, model="m", object="response", output=[picture], parallel_tool_calls=False,
            tool_choice="auto", tools=[], status="completed",
        )  # fmt: skip
        events: list[Any] = [
            ResponseOutputItemAddedEvent(
                type="response.output_item.added", item=begun("in_progress", None), output_index=0, sequence_number=0
            ),
            ResponseImageGenCallPartialImageEvent(
                type="response.image_generation_call.partial_image", item_id="ig_1", output_index=0,
                partial_image_b64="AAAA", partial_image_index=1, sequence_number=1,
            ),
            ResponseOutputItemDoneEvent(
                type="response.output_item.done", item=picture, output_index=0, sequence_number=2
            ),
            ResponseCompletedEvent(type="response.completed", response=finished, sequence_number=3),
        ]  # fmt: skip
        return [ModelStep.stream(events), in_time(assistant_message("A boat.", item_id="msg_00000001"))]

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        thread.allowed_image_domains = ["images.example"]
        agent_context: Answer = Answer(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(self.agent, "paint", context=agent_context)
        async for event in stream_agent_response(agent_context, result, converter=self.Converter(partial_images=2)):
            yield event


def test_a_generated_image_comes_with_its_preview(tmp_path: Path) -> None:
    (turn,) = played_twice(tmp_path, Painting, lambda chat: [chat.create("Paint a boat")])
    (preview,) = turn.of("generated_image.updated")
    assert preview["update"]["progress"] == 0.5
    assert preview["update"]["image"]["url"] == "https://images.example/ig_1/1"
    assert turn.done("generated_image")[0]["image"]["url"] == "https://images.example/ig_1/None"
    assert turn.of("thread.updated")[0]["thread"]["allowed_image_domains"] == ["images.example"]


class Resuming(ChatKitServer[Context]):
    """Goes on with an item of its first turn in each later one, as `stream_agent_response` does with a workflow."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        task = CustomTask(title=text_of(input_user_message))
        page = await self.store.load_thread_items(thread.id, None, 20, "asc", context)
        begun = next((item for item in page.data if isinstance(item, WorkflowItem)), None)
        if begun is None:
            item = WorkflowItem(**base(self, thread, context), workflow=Workflow(type="custom", tasks=[task]))
            yield ThreadItemDoneEvent(item=item)
        elif text_of(input_user_message) == "nonsense":
            yield ThreadItemUpdatedEvent(
                item_id=begun.id, update=AssistantMessageContentPartTextDelta(content_index=0, delta="x")
            )
        else:
            added = WorkflowTaskAdded(task_index=len(begun.workflow.tasks), task=task)
            yield ThreadItemUpdatedEvent(item_id=begun.id, update=added)


def test_an_item_of_an_earlier_turn_goes_on_in_the_second_and_the_fifth(tmp_path: Path) -> None:
    with hosted(tmp_path, Resuming) as hosting:
        chat = hosting.backend.chat("ada")
        thread_id = chat.create("一").thread_id
        assert chat.send(thread_id, "nonsense").outcome == "failed"
        for text in ("二", "三", "四", "五"):
            turn = chat.send(thread_id, text)
            assert turn.outcome == "completed"
            (event,) = turn.of("thread.item.replaced")
            assert event["item"]["workflow"]["tasks"][-1]["title"] == text
        (kept,) = [item for item in chat.items(thread_id) if item["type"] == "workflow"]
    assert [task["title"] for task in kept["workflow"]["tasks"]] == ["一", "二", "三", "四", "五"]
