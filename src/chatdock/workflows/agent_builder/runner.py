"""What an export's module gets in place of the SDK's `Runner`, and what its other calls come to during a turn."""

from __future__ import annotations

import inspect
from contextvars import ContextVar
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import structlog
from agents import Agent, AgentOutputSchemaBase, Runner
from chatkit.agents import ResponseStreamConverter
from chatkit.types import CustomTask
from pydantic import TypeAdapter

from chatdock.workflows.agent_builder.closing import readable_block
from chatdock.workflows.agent_builder.journal import Diverged, Suspended, fingerprint, plain
from chatdock.workflows.agent_builder.results import Result, Verdict, found, verdict
from chatdock.workflows.agent_builder.sidecar import AgentTable
from chatdock.workflows.agents_sdk import client_tools
from chatdock.workflows.agents_sdk.adapter import MAX_TURNS, TRIPPED
from chatdock.workflows.agents_sdk.answer import Answer
from chatdock.workflows.agents_sdk.pause import Pause
from chatdock.workflows.agents_sdk.tool_calls import ToolCalls
from chatdock.workflows.wording import readable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from agents import RunConfig, RunResultStreaming, StreamEvent, TResponseInputItem
    from chatkit.widgets import WidgetTemplate

    from chatdock.workflows.agent_builder.endpoint import Endpoint
    from chatdock.workflows.agent_builder.export import Export
    from chatdock.workflows.agent_builder.journal import Journal, Step
    from chatdock.workflows.agent_builder.memory import Memory
    from chatdock.workflows.turn import Turn

log = structlog.get_logger("chatdock.workflows")

WALK: ContextVar[Walk] = ContextVar("walk")
"""Set while a turn executes a workflow: parallel turns share the module, not this."""


class ExportRunner(Runner):
    """`Runner` in an export's module. Outside a turn it is the SDK's."""

    @classmethod
    async def run(cls, starting_agent: Agent[Any], input: Any, **options: Any) -> Any:  # noqa: A002 - the SDK's name
        """Run an agent as one step of the turn's workflow."""
        walk = WALK.get(None)
        if walk is None:
            return await Runner.run(starting_agent, input, **options)
        return await walk.run(starting_agent, input, **options)

    @classmethod
    def run_streamed(  # type: ignore[override]
        cls,
        starting_agent: Agent[Any],
        input: Any,  # noqa: A002
        **options: Any,
    ) -> RunResultStreaming:
        """A run that the file streams itself: what it does with it is its own affair, and nothing of it is shown."""
        walk = WALK.get(None)
        if walk is not None:
            options["run_config"] = walk.endpoint.run_config(options.get("run_config"))
        return Runner.run_streamed(starting_agent, input, **options)


class Walk:
    """One execution of `run_workflow`, from its beginning to its end or to where it waits for the user."""

    def __init__(
        self,
        turn: Turn,
        export: Export,
        endpoint: Endpoint,
        journal: Journal,
        memory: Memory,
        pause: Pause | None,
        templates: Mapping[str, WidgetTemplate],
    ) -> None:
        self.endpoint = endpoint
        self.journal = journal
        self.history: list[Any] | None = None
        """The file's own `conversation_history`."""
        self.state: dict[str, Any] | None = None
        """The file's own `state`."""
        self.said: set[str] = set()
        """What agents answered: text, or data as JSON. None of it is to be shown once more at the end."""
        self.shown = False
        """Whether there was an answer to show, so that nothing is to be shown in its place."""
        self.data: Any = None
        """The last answer that is data."""
        self.tripped: list[Any] = []
        """What the file made of guardrails that failed."""
        self._turn = turn
        self._export = export
        self._memory = memory
        self._pause = pause
        self._templates = templates

    # What the file starts with

    def start_state(self, defaults: dict[str, Any]) -> dict[str, Any]:
        """The file's state: its defaults, under the session's variables and what earlier turns left."""
        defaults.update(deepcopy(self._memory.state))
        self.state = defaults
        return defaults

    def start_history(self, begun: list[Any]) -> list[Any]:
        """The file's history: what was before, then what it begins with."""
        self.history = [*self._memory.history, *begun]
        return self.history

    # Steps

    def approve(self, message: str = "", *_: Any, **__: Any) -> bool:
        """What the user decides; where that is not known yet, the workflow waits."""
        step, known = self.journal.begin("approval", message=str(message))
        if not known:
            step["waits"] = True
            raise Suspended(Pause.asking(self._turn, str(message)))
        return bool(step["approved"])

    async def guard(self, run_guardrails: Callable[..., Awaitable[Any]], *given: Any, **options: Any) -> list[Verdict]:
        """The guardrails' results; what was paid for once is not paid for again."""
        step, known = self.journal.begin("guardrails", input=fingerprint([given[1:3], options.get("data")]))
        if not known:
            try:
                results = await run_guardrails(*given, **options)
            except Exception as error:
                self._failed(step, error)
                raise
            step["results"] = [verdict(result) for result in results]
        return [Verdict(**result) for result in step["results"]]

    async def search(self, node: str, search: Callable[..., Any], *given: Any, **options: Any) -> list[Any]:
        """What a file-search node finds: in OpenAI's vector store, or by the function that the sidecar names."""
        step, known = self.journal.begin("search", node=node, input=fingerprint([given, options]))
        if not known:
            own = self._export.bound_tools.get(node)
            try:
                if own is None:
                    step["found"] = [plain(each) async for each in search(*given, **options)]
                else:
                    answered = own(options["query"])
                    step["found"] = plain(await answered if inspect.isawaitable(answered) else answered)
            except Exception as error:
                self._failed(step, error)
                raise
        return [found(each) for each in step["found"]]

    async def run(
        self,
        agent: Agent[Any],
        given: str | list[TResponseInputItem],
        *,
        context: Any = None,
        max_turns: int | None = MAX_TURNS,
        run_config: RunConfig | None = None,
        **options: Any,
    ) -> Result:
        """Run an agent, and show what of it is to be seen."""
        if options.get("hooks") is not None:
            raise TypeError("Runner.run(hooks=…) is taken: tool calls are counted with it")
        step, known = self.journal.begin("run", agent=agent.name, input=fingerprint(given))
        if known and "waits" not in step:
            return self._recalled(agent, step)
        step.pop("waits", None)
        pause, self._pause = self._pause, None
        if known and pause is None:
            raise Diverged(f"the run of agent {agent.name!r} is not stored")
        options |= {"context": context, "max_turns": max_turns, "run_config": self.endpoint.run_config(run_config)}
        try:
            result = await self._stream(agent, given, pause, options)
        except Suspended:
            step["waits"] = True
            raise
        except Exception as error:
            self._failed(step, error)
            raise
        items = [item.to_input_item() for item in result.new_items if item.type != "tool_approval_item"]
        output = result.final_output
        step |= {"items": plain(items), "last": result.last_agent.name, "output": _written(output)}
        await self._tell(result.last_agent, output, step["output"])
        return Result(given, step["items"], output, result.last_agent)

    async def _stream(
        self, agent: Agent[Any], given: Any, pause: Pause | None, options: dict[str, Any]
    ) -> RunResultStreaming:
        turn = self._turn
        answer = Answer(turn, show_tools=True, converter=ResponseStreamConverter(), on_workflow=lambda _: None)
        source = given
        if pause is not None:
            source = await pause.resume(turn, agent, options["context"])
            client_tools.outputs.set({call.call_id: call.output for call in pause.calls if call.by_client})
            for call in pause.calls:
                if call.approved and not call.by_provider and self._shows(agent) is True:
                    task = CustomTask(title=readable(call.name), status_indicator="loading")
                    await answer.begin_call(call.call_id, task)
        result = Runner.run_streamed(agent, source, hooks=ToolCalls(turn), **options)
        visible = Visible(result, self._enters)
        try:
            await answer.follow(visible)
        except TRIPPED:
            await answer.take_back()
            raise
        except Exception:
            await answer.finish()
            raise
        finally:
            if not result.is_complete:
                result.cancel()
        self.shown = self.shown or visible.spoke
        if result.interruptions:
            waiting = Pause.of(turn, result)
            await answer.finish(without=[call.call_id for call in waiting.calls])
            raise Suspended(waiting)
        await answer.finish()
        return result

    def _recalled(self, agent: Agent[Any], step: Step) -> Result:
        """What a run came to that was taken, and shown, before the workflow waited."""
        last = agent
        if agent.name != step["last"]:
            last = next(each for each in self._export.agents.values() if each.name == step["last"])
        kind = _output_type(last)
        output = step["output"] if kind is str else TypeAdapter(kind).validate_json(step["output"])
        self._remember(last, output, step["output"])
        return Result(None, step["items"], output, last)

    def _failed(self, step: Step, error: Exception) -> None:
        """Note it: a file may catch the error and go on."""
        step["failed"] = f"{type(error).__name__}: {error}"
        turn, kind = self._turn, step["kind"]
        log.warning(
            "step_failed", workflow=turn.workflow_id, thread=turn.thread.id, step=kind, error=type(error).__name__
        )

    # What is shown

    async def _enters(self, agent: Agent[Any]) -> bool:
        """Whether the text of an agent, which begins now, is shown; of one that works unseen the user may read so."""
        shows = self._shows(agent)
        if shows == "progress":
            await self._turn.emit(self._turn.progress(agent.name))
        return shows is True and _output_type(agent) is str

    async def _tell(self, agent: Agent[Any], output: Any, written: str) -> None:
        """Show the data that an agent answered, where the sidecar asks for it."""
        self._remember(agent, output, written)
        if not isinstance(output, str):
            if (template := self._template(agent)) is not None:
                await self._turn.emit(self._turn.widget(template.build(plain(output))))
            elif self._shows(agent) is True:
                await self._turn.emit(self._turn.say(readable_block(plain(output))))

    def _remember(self, agent: Agent[Any], output: Any, written: str) -> None:
        self.said.add(written)
        shows = self._shows(agent)
        if isinstance(output, str):
            self.shown = self.shown or bool(output)  # text that the sidecar hides is no reason to show data instead
        elif shows is not False:
            self.data = output
            self.shown = self.shown or shows is True or self._template(agent) is not None

    def _shows(self, agent: Agent[Any]) -> bool | str:
        chosen = self._table(agent).show
        if chosen is not None:
            return chosen
        return True if _output_type(agent) is str else "progress"

    def _template(self, agent: Agent[Any]) -> WidgetTemplate | None:
        return None if self._shows(agent) is False else self._templates.get(self._variable(agent) or "")

    def _table(self, agent: Agent[Any]) -> AgentTable:
        """What the sidecar says of an agent; nothing of one that the file makes while it runs."""
        variable = self._variable(agent)
        return AgentTable() if variable is None else self._export.agent_table(variable)

    def _variable(self, agent: Agent[Any]) -> str | None:
        return next((name for name, each in self._export.agents.items() if each is agent), None)


class Visible:
    """The part of a run's stream that belongs to agents whose text is shown."""

    def __init__(self, result: RunResultStreaming, enters: Callable[[Agent[Any]], Awaitable[bool]]) -> None:
        self._result = result
        self._enters = enters
        self.spoke = False
        """Whether any text was among it."""

    @property
    def run_loop_exception(self) -> BaseException | None:
        """What ended the run."""
        return self._result.run_loop_exception

    async def stream_events(self) -> AsyncIterator[StreamEvent]:
        """Its events, from where an agent takes over that is shown to where one does that is not."""
        agent = self._result.current_agent
        visible = await self._enters(agent)
        async for event in self._result.stream_events():
            if event.type == "agent_updated_stream_event" and event.new_agent is not agent:
                agent = event.new_agent
                visible = await self._enters(agent)
            if visible:
                if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                    self.spoke = True
                yield event


def _output_type(agent: Agent[Any]) -> Any:
    kind = agent.output_type
    if isinstance(kind, AgentOutputSchemaBase):
        return getattr(kind, "output_type", kind)
    return str if kind is None else kind


def _written(output: Any) -> str:
    return output if isinstance(output, str) else TypeAdapter(type(output)).dump_json(output).decode()
