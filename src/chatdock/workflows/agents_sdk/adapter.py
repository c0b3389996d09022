"""Runs an agent on the history of a turn's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from agents import (
    Agent,
    InputGuardrailTripwireTriggered,
    Model,
    ModelRefusalError,
    OpenAIProvider,
    OutputGuardrailTripwireTriggered,
    RunConfig,
    Runner,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailTripwireTriggered,
)
from chatkit.agents import AgentContext, ResponseStreamConverter, ThreadItemConverter
from chatkit.types import ClientToolCallItem, CustomTask, ThreadItemDoneEvent

from chatdock.tracing.agents_sdk import run_options
from chatdock.workflows.agents_sdk import client_tools
from chatdock.workflows.agents_sdk.answer import Answer
from chatdock.workflows.agents_sdk.checkpoint import Checkpoint
from chatdock.workflows.agents_sdk.context import agent_context, connect
from chatdock.workflows.agents_sdk.failures import MODEL_ERRORS, failure
from chatdock.workflows.agents_sdk.hosted_tools import refuse
from chatdock.workflows.agents_sdk.model_answers import NoAnswer, is_nothing, mend
from chatdock.workflows.agents_sdk.output import ShowOutput, output_type, told, widget_template
from chatdock.workflows.agents_sdk.pause import Pause
from chatdock.workflows.agents_sdk.pausing import PausingAdapter
from chatdock.workflows.agents_sdk.progress import Progress
from chatdock.workflows.agents_sdk.team import refuse_namesakes, team
from chatdock.workflows.agents_sdk.titler import model_title
from chatdock.workflows.agents_sdk.tool_calls import ToolCalls
from chatdock.workflows.wording import readable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from agents import RunState, TResponseInputItem
    from chatkit.types import WorkflowItem
    from openai import AsyncOpenAI

    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted

log = structlog.get_logger("chatdock.workflows")

REFUSAL = "Sorry, I cannot help with that."
MAX_TURNS = 10
"""How often an agent may call its model for one answer; the SDK's own default."""

TRIPPED = (
    InputGuardrailTripwireTriggered,
    OutputGuardrailTripwireTriggered,
    ToolInputGuardrailTripwireTriggered,
    ToolOutputGuardrailTripwireTriggered,
)


class AgentAdapter(PausingAdapter):
    """Answers turns with an agent."""

    def __init__(
        self,
        agent: Agent[Any],
        *,
        show_tools: bool = True,
        refusal: str = REFUSAL,
        max_turns: int = MAX_TURNS,
        history_limit: int | None = None,
        context: Callable[[Turn], Any] = agent_context,
        item_converter: ThreadItemConverter | None = None,
        response_converter: ResponseStreamConverter | None = None,
        show_output: ShowOutput = False,
    ) -> None:
        """Options of `workflow()` for an agent.

        `show_tools`: show tool calls and handoffs as tasks. `refusal`: what is said when a guardrail trips.
        `max_turns`: calls of the model for one answer. `history_limit`: so many of the thread's newest items are sent
        along. `context`: makes what tools receive as `ctx.context`. `item_converter` and `response_converter`:
        chatkit-python's, from items to the model's input and from its citations and images to items. `show_output`:
        show the data of an agent with an `output_type` as a list, or in a widget of this template.
        """
        self.agent = agent
        self.history_limit = history_limit
        self._show_tools = show_tools
        self._refusal = refusal
        self._max_turns = max_turns
        self._context = context
        self._item_converter = item_converter
        self._response_converter = response_converter or ResponseStreamConverter()
        self._show_output = show_output if isinstance(show_output, bool) else widget_template(show_output)
        self._provider: OpenAIProvider | None = None
        members = team([agent])
        refuse(members, named=False)
        refuse_namesakes(members)
        mend(*(type(each.model) for each in members if isinstance(each.model, Model)))

    @property
    def agents(self) -> list[Agent[Any]]:
        """The agent."""
        return [self.agent]

    @property
    def needs_model(self) -> bool:
        """An agent that names its model, or none, rather than holding one."""
        return not isinstance(self.agent.model, Model)

    def prepare(self, *, responses: bool, openai: bool) -> None:
        """Refuse tools that the endpoint cannot execute."""
        refuse(team([self.agent]), named=not responses)

    def connect(self, client: AsyncOpenAI, *, use_responses: bool) -> None:
        """Use this client for models that are named."""
        self._provider = OpenAIProvider(openai_client=client, use_responses=use_responses)

    async def begin(self, turn: Turn) -> AsyncIterator[Emitted]:
        """Run the agent on the thread's history and stream what it says and does."""
        history = await turn.input_items(self.history_limit, self._item_converter)
        async for event in self._run(turn, history):
            yield event

    def go_on(self, turn: Turn, pause: Pause) -> AsyncIterator[Emitted]:
        """Continue the run where it stopped."""
        return self._run(turn, pause)

    async def take_up(self, turn: Turn, checkpoint: Checkpoint) -> AsyncIterator[Emitted]:
        """Ask the model again, with what the tools came to."""
        if not Progress.of(checkpoint.left.get("progress")).input:  # an export had this id before
            yield checkpoint.told()
            async for event in self.begin(turn):
                yield event
            return
        async for event in self._run(turn, checkpoint):
            yield event

    async def title(self, turn: Turn) -> str | None:
        """A title for the thread, by the agent's model."""
        return await model_title(turn, self.agent.model, self._run_config())

    async def _run(self, turn: Turn, given: list[TResponseInputItem] | Pause | Checkpoint) -> AsyncIterator[Emitted]:
        """Run the agent on a history, or go on with a run that waited or broke off."""
        context = self._context(turn)
        chatkit_context = context if isinstance(context, AgentContext) else None
        if chatkit_context is not None:
            connect(chatkit_context, turn)

        def on_workflow(item: WorkflowItem | None) -> None:
            if chatkit_context is not None:
                chatkit_context.workflow_item = item

        answer = Answer(turn, show_tools=self._show_tools, converter=self._response_converter, on_workflow=on_workflow)
        agent, progress = self.agent, Progress()
        checkpoint = given if isinstance(given, Checkpoint) else Checkpoint(turn)
        checkpoint.describe = lambda: {
            "progress": progress.to_json(), "ran": progress.ran(), "shown": list(answer.worked)
        }  # fmt: skip
        source: list[TResponseInputItem] | RunState[Any]
        if isinstance(given, Checkpoint):
            progress = Progress.of(given.left.get("progress"))
            agent, source = progress.current(agent), progress.as_input()
        elif isinstance(given, Pause):
            source = await given.resume(turn, agent, context)
            progress = given.progress()
            await checkpoint.keep()  # a crash from here on must not let the tools run a second time
            client_tools.outputs.set({call.call_id: call.output for call in given.calls if call.by_client})
            for call in given.calls:
                if call.approved and not call.by_provider:
                    await answer.begin_call(
                        call.call_id, CustomTask(title=readable(call.name), status_indicator="loading")
                    )
        else:
            source = given
        hooks = ToolCalls(turn, progress, checkpoint.keep)
        answer.on_item = hooks.streamed
        result = Runner.run_streamed(
            agent,
            source,
            context=context,
            max_turns=self._max_turns,
            hooks=hooks,
            run_config=self._run_config(turn.chosen_model),
        )
        if self._show_output is False and output_type(self.agent) is not str:
            yield turn.progress(self.agent.name)
        try:
            await answer.follow(result)
        except TRIPPED as error:
            log.info("guardrail_tripped", workflow=turn.workflow_id, thread=turn.thread.id, kind=type(error).__name__)
            await answer.take_back()
            await checkpoint.drop()
            yield turn.say(self._refusal)
            return
        except ModelRefusalError:
            await answer.finish()
            await checkpoint.drop()
            if not answer.said_anything:
                yield turn.say(self._refusal)
            return
        except MODEL_ERRORS as error:
            await answer.finish()
            await checkpoint.keep_shown(answer.worked)
            raised = failure(turn, error)
            raise raised from (None if raised is error.__cause__ or raised is error else error)
        finally:
            if not result.is_complete:
                result.cancel()
        await checkpoint.drop()
        if result.interruptions:
            pause = Pause.of(turn, result, progress)
            await answer.finish(without=[call.call_id for call in pause.calls])
            async for event in pause.ask(turn, self.labels):
                yield event
            return
        asked = None if chatkit_context is None else chatkit_context.client_tool_call
        called = [call_id for call_id, name in answer.calls.items() if asked is not None and name == asked.name]
        await answer.finish(without=called)
        if asked is not None:
            call_id = called[-1] if called else next(reversed(answer.calls), turn.new_id())
            item = ClientToolCallItem(**turn.place(), call_id=call_id, name=asked.name, arguments=asked.arguments)
            yield ThreadItemDoneEvent(item=item)
        elif answer.silent and is_nothing(result.final_output):
            raise failure(turn, NoAnswer(answer.missing))
        elif output_type(result.last_agent) is not str:
            yield told(turn, result.final_output, self._show_output)

    def _run_config(self, model: str | Model | None = None) -> RunConfig:
        # The SDK's tracing sends every prompt to one vendor unless told not to; nothing leaves this machine unasked.
        if self._provider is None:
            return RunConfig(**run_options(), model=model)
        return RunConfig(**run_options(), model=model, model_provider=self._provider)
