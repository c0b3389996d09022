"""Mends what the Agents SDK makes of a model's answer, for every run in this process: also those that a workflow, an
export or a chatkit-python server begins itself.

The SDK (0.24) passes on reasoning that stands in the text, drops that a Chat Completions model stopped at its length
limit, takes a Responses model's half answer for none, and refuses hosted tools with words for nobody.
"""

from __future__ import annotations

from contextlib import aclosing
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal

import structlog
from agents import FunctionTool, OpenAIChatCompletionsModel, OpenAIResponsesModel
from agents.exceptions import ModelBehaviorError
from agents.models.chatcmpl_stream_handler import ChatCmplStreamHandler
from chatkit.errors import CustomStreamError
from openai.types.responses import (
    ResponseCompletedEvent,
    ResponseOutputItemAddedEvent,
    ResponseReasoningItem,
    ResponseReasoningSummaryTextDeltaEvent,
    ResponseReasoningSummaryTextDoneEvent,
)
from openai.types.responses.response import IncompleteDetails

from chatdock.workflows.agents_sdk.hosted_tools import way_out
from chatdock.workflows.error_lines import hear_errors
from chatdock.workflows.thinking import Answer, without_thoughts
from chatdock.workflows.turn import CURRENT_TURN
from chatdock.workflows.wording import NOT_SET_UP

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    Events = Callable[..., AsyncGenerator[Any, None]]

log = structlog.get_logger("chatdock.workflows")

LENGTH: Literal["max_output_tokens"] = "max_output_tokens"
"""Why an answer is incomplete that stopped at its length limit, in words of the Responses API."""
MENDED = "_chatdock_mended"
THOUGHT = "thought"
"""The id of the reasoning that stood in a message."""
TOOLS = 3
"""The place of the tools among a model's arguments."""
ENDS = {
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
    "response.incomplete",
}


class NoAnswer(ModelBehaviorError):
    """The model answered nothing that the user could read; `reason` is for the operator."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The model answered nothing: {reason}")
        self.reason = reason


def is_nothing(output: Any) -> bool:
    """Whether a run came to no text and no data."""
    return output is None or (isinstance(output, str) and not output.strip())


def mend(*kinds: type[Any]) -> None:
    """Mend the SDK's own models, and these classes of models."""
    for kind in (OpenAIChatCompletionsModel, OpenAIResponsesModel, *kinds):
        for name, mended in (("stream_response", _streamed), ("get_response", _at_once)):
            original = getattr(kind, name, None)
            if original is not None and not hasattr(original, MENDED):
                setattr(kind, name, _marked(mended(original)))
    if not hasattr(ChatCmplStreamHandler.handle_stream, MENDED):
        original = ChatCmplStreamHandler.handle_stream.__func__  # type: ignore[attr-defined]
        ChatCmplStreamHandler.handle_stream = classmethod(_marked(_telling_length(original)))  # type: ignore[assignment, method-assign]
    hear_errors()


def _marked(function: Any) -> Any:
    setattr(function, MENDED, True)
    return function


def _telling_length(handle_stream: Events) -> Events:
    """`incomplete_details` in the response of a Chat Completions model, as the Responses API has them."""

    @wraps(handle_stream)
    async def handled(cls: Any, response: Any, stream: Any, *given: Any, **options: Any) -> AsyncGenerator[Any, None]:
        reasons: set[Any] = set()

        async def watched() -> AsyncGenerator[Any, None]:
            async for chunk in stream:
                reasons.update(choice.finish_reason for choice in chunk.choices)
                yield chunk

        # What has no text is told apart where it is known what else the user has read.
        options = {name: value for name, value in options.items() if name != "raise_on_length_truncation"}
        async with aclosing(handle_stream(cls, response, watched(), *given, **options)) as events:
            async for event in events:
                if event.type == "response.completed" and "length" in reasons:
                    event.response.incomplete_details = IncompleteDetails(reason=LENGTH)
                yield event

    return handled


def _at_once(get_response: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(get_response)
    async def answered(self: Any, *given: Any, **options: Any) -> Any:
        _refuse_hosted(self, given, options)
        response = await get_response(self, *given, **options)
        for item in response.output:
            _speak_only(item)
        return response

    return answered


def _streamed(stream_response: Events) -> Events:
    @wraps(stream_response)
    async def streamed(self: Any, *given: Any, **options: Any) -> AsyncGenerator[Any, None]:
        _refuse_hosted(self, given, options)
        begun = False
        async with aclosing(_thinking_apart(stream_response(self, *given, **options))) as events:
            async for event in events:
                begun = True
                if event.type == "response.incomplete" and _stopped_early(event.response):
                    yield ResponseCompletedEvent(
                        response=event.response, sequence_number=event.sequence_number, type="response.completed"
                    )
                    return
                yield event
        if not begun:
            raise NoAnswer("its stream held no event")

    return streamed


def _stopped_early(response: Any) -> bool:
    """Whether it is an answer up to its length limit; half a tool call is none."""
    details = response.incomplete_details
    calls = any(item.type.endswith("_call") for item in response.output)
    return details is not None and details.reason == LENGTH and not calls


async def _thinking_apart(events: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    """The stream, with reasoning at the beginning of a message as reasoning of its own before it."""
    held: list[Any] = []  # the message's beginning, while it is not known whether it thinks first
    answer, thought = Answer(), ""
    async for event in events:
        before: list[Any] = []
        thinks, says = "", ""
        if event.type == "response.output_text.delta":
            thinks, says = answer.more(event.delta)
        elif event.type in ENDS:
            thinks, _ = answer.end()
        if thinks:
            before += _thinking(event, thinks, begins=not thought)
            thought += thinks
        if thought and (says or event.type in ENDS):
            before.append(_thought(event, thought.rstrip()))
            thought = ""
        if event.type == "response.output_item.added" and event.item.type == "message":
            before += held
            held, answer = [event], Answer()
        elif event.type == "response.content_part.added" and held:
            held.append(event)
        elif event.type != "response.output_text.delta":
            _speak_only(event)
            before += [*held, event]
            held = []
        elif says:
            before += [*held, event.model_copy(update={"delta": says})]
            held = []
        for each in before:
            yield each


def _thinking(event: Any, delta: str, *, begins: bool) -> list[Any]:
    place = {"output_index": getattr(event, "output_index", 0), "sequence_number": event.sequence_number}
    more = ResponseReasoningSummaryTextDeltaEvent(
        delta=delta, item_id=THOUGHT, summary_index=0, type="response.reasoning_summary_text.delta", **place
    )
    item = ResponseReasoningItem(id=THOUGHT, summary=[], type="reasoning")
    return [
        *([ResponseOutputItemAddedEvent(item=item, type="response.output_item.added", **place)] if begins else []),
        more,
    ]


def _thought(event: Any, text: str) -> Any:
    return ResponseReasoningSummaryTextDoneEvent(
        text=text,
        item_id=THOUGHT,
        output_index=getattr(event, "output_index", 0),
        sequence_number=event.sequence_number,
        summary_index=0,
        type="response.reasoning_summary_text.done",
    )


def _speak_only(event: Any) -> None:
    """Take reasoning out of what a message is said to be at its end."""
    match event.type:
        case "response.output_text.done":
            event.text = without_thoughts(event.text)
        case "response.content_part.done" if event.part.type == "output_text":
            event.part.text = without_thoughts(event.part.text)
        case "response.output_item.done":
            _speak_only(event.item)
        case "response.completed" | "response.incomplete":
            for item in event.response.output:
                _speak_only(item)
        case "message":
            for part in event.content[:1]:
                if part.type == "output_text":
                    part.text = without_thoughts(part.text)


def _refuse_hosted(model: Any, given: tuple[Any, ...], options: dict[str, Any]) -> None:
    """The SDK would refuse a tool that its provider executes as well, with nothing that helps anybody."""
    tools = options.get("tools", given[TOOLS] if len(given) > TOOLS else ())
    hosted = [tool for tool in tools if not isinstance(tool, FunctionTool)]
    if hosted and isinstance(model, OpenAIChatCompletionsModel):
        turn = CURRENT_TURN.get(None)
        log.error(
            "hosted_tool_unavailable",
            workflow=None if turn is None else turn.workflow_id,
            thread=None if turn is None else turn.thread.id,
            tools=", ".join(type(tool).__name__ for tool in hosted),
            reason=f"the model {model.model} is asked over Chat Completions, which have none",
            way_out=way_out(hosted[0]),
        )
        raise CustomStreamError(NOT_SET_UP, allow_retry=True)
