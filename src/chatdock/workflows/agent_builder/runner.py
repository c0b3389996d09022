"""What an export's module gets in place of the SDK's `Runner`, and what its other calls come to during a turn."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NoReturn

import structlog
from agents import Agent, ModelRefusalError, Runner
from chatkit.agents import ResponseStreamConverter
from chatkit.types import CustomTask
from pydantic import BaseModel, TypeAdapter

from chatdock.workflows.agent_builder.current import INSIDE, WALK
from chatdock.workflows.agent_builder.journal import Diverged, OverLimit, Stopped, Suspended, fingerprint, plain
from chatdock.workflows.agent_builder.memory import model_input
from chatdock.workflows.agent_builder.results import GuardrailResult, Result, found, verdict
from chatdock.workflows.agent_builder.sidecar import AgentTable
from chatdock.workflows.agent_builder.visible import Visible
from chatdock.workflows.agents_sdk import client_tools
from chatdock.workflows.agents_sdk.adapter import MAX_TURNS, TRIPPED
from chatdock.workflows.agents_sdk.answer import Answer
from chatdock.workflows.agents_sdk.model_answers import NoAnswer, is_nothing
from chatdock.workflows.agents_sdk.output import output_type
from chatdock.workflows.agents_sdk.pause import Pause
from chatdock.workflows.agents_sdk.progress import Progress
from chatdock.workflows.agents_sdk.tool_calls import ToolCalls
from chatdock.workflows.limits import LimitReached
from chatdock.workflows.readable_data import readable_block
from chatdock.workflows.turn import REACHED
from chatdock.workflows.wording import readable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from agents import RunConfig, RunHooks, RunResultStreaming, TResponseInputItem
    from chatkit.widgets import WidgetTemplate

    from chatdock.workflows.agent_builder.endpoint import Endpoint
    from chatdock.workflows.agent_builder.export import Export
    from chatdock.workflows.agent_builder.journal import Journal, Step
    from chatdock.workflows.agent_builder.memory import Memory
    from chatdock.workflows.agents_sdk.checkpoint import Checkpoint
    from chatdock.workflows.turn import Turn

log = structlog.get_logger("chatdock.workflows")


class ExportRunner(Runner):
    """`Runner` in an export's module. Outside a turn it is the SDK's."""

    @classmethod
    async def run(cls, starting_agent: Agent[Any], input: Any, **options: Any) -> Any:  # noqa: A002 - the SDK's name
        """Run an agent as one step of the turn's workflow."""
        walk, given = WALK.get(None), model_input(input)
        if walk is None or INSIDE.get():
            return await Runner.run(starting_agent, given, **_at_endpoint(options))
        return await walk.run(starting_agent, given, **options)

    @classmethod
    def run_streamed(  # type: ignore[override]
        cls,
        starting_agent: Agent[Any],
        input: Any,  # noqa: A002
        **options: Any,
    ) -> RunResultStreaming:
        """A run that the file streams itself: what it does with it is its own affair, and nothing of it is shown."""
        return Runner.run_streamed(starting_agent, model_input(input), **_at_endpoint(options))


def _at_endpoint(options: dict[str, Any]) -> dict[str, Any]:
    walk = WALK.get(None)
    if walk is None:
        return options
    return options | {"run_config": walk.endpoint.run_config(options.get("run_config"))}


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
        checkpoint: Checkpoint,
        templates: Mapping[str, WidgetTemplate],
    ) -> None:
        self.endpoint = endpoint
        self.journal = journal
        self.worked: dict[str, None] = {}
        """The items that show what tools were called."""
        self.stopped: Stopped | None = None
        """Why it goes no further. From then on no step begins, also where the file has caught it."""
        self.history: list[Any] | None = None
        """The file's own `conversation_history`."""
        self.state: dict[str, Any] | None = None
        """The file's own `state`."""
        self.said: set[str] = set()
        """What the user and agents have said: text, or data as JSON. It is not to be shown once more at the end."""
        self.hidden: set[str] = set()
        """Text of it that the sidecar hides: an End node may show it all the same."""
        self.shown = False
        """Whether there was an answer to show, so that nothing is to be shown in its place."""
        self.refused = False
        """Whether an agent has refused in words of its own."""
        self.data: Any = None
        """The last answer that is data."""
        self.tripped: list[Any] = []
        """What the file made of guardrails that failed."""
        self._turn = turn
        self._export = export
        self._memory = memory
        self._answered = pause
        self._checkpoint = checkpoint
        self._templates = templates
        self._begun: dict[str, Any] = {}
        self._pauses: dict[int, Pause] = {}
        self._under_way: dict[asyncio.Future[None], asyncio.Task[Any]] = {}

    # What the file starts with

    def start_state(self, defaults: dict[str, Any]) -> dict[str, Any]:
        """The file's state: its defaults, under the session's variables and what earlier turns changed."""
        defaults.update(deepcopy(self._memory.state))
        self.state, self._begun = defaults, deepcopy(defaults)
        return defaults

    @property
    def changed(self) -> dict[str, Any]:
        """Of the state what this turn or an earlier one has changed: other variables go by the file and the session."""
        if self.state is None:
            return self._memory.saved
        known = self._begun
        return {
            name: value
            for name, value in self.state.items()
            if name in self._memory.saved or name not in known or known[name] != value
        }

    def start_history(self, begun: list[Any]) -> list[Any]:
        """The file's history: what was before, then what it begins with."""
        self.history = [*self._memory.history, *begun]
        return self.history

    # Steps

    @contextmanager
    def _step(self, kind: str, **facts: str) -> Iterator[Step]:
        """One step, with its outcome where it was taken before; what fails in it is noted: a file may go on."""
        if self.stopped is not None:
            raise self.stopped
        task, ended = asyncio.current_task(), asyncio.get_running_loop().create_future()
        assert task is not None
        self._under_way[ended] = task
        step: Step = {}
        try:
            step = self.journal.begin(kind, **facts)
            yield step
        except Stopped as stopped:
            self.stopped = stopped
            raise
        except LimitReached as limit:
            self.stopped = OverLimit(limit)
            raise self.stopped from limit
        except Exception as error:
            if step and self.stopped is None:  # beside one that waits, it is taken once more
                self.journal.fail(step, error)
                turn, cause = self._turn, type(error).__name__
                log.warning("step_failed", workflow=turn.workflow_id, thread=turn.thread.id, step=kind, error=cause)
            raise
        finally:
            del self._under_way[ended]
            ended.set_result(None)

    def _wait(self, step: Step, pause: Pause) -> NoReturn:
        """The step waits for the user."""
        self._pauses[id(step)] = pause
        raise Suspended

    async def follow(self, workflow: Awaitable[Any]) -> Any:
        """What the workflow returns; `Stopped` where it goes no further, whatever the file has made of that."""
        returned = None
        try:
            returned = await workflow
        except asyncio.CancelledError:
            raise
        except BaseException:
            if self.stopped is None:
                raise
        if self.stopped is None:
            self.journal.end()
            return returned
        while self._pauses and self._under_way:  # what is beside a step that waits comes to its end
            await asyncio.wait(self._under_way)
        raise self.stopped

    def asked(self) -> Pause:
        """What the user is asked first; the pauses of other steps are kept with these."""
        first, *others = [step for step in self.journal.steps if id(step) in self._pauses]
        for step in others:
            step["waits"] = self._pauses[id(step)].kept
        first["waits"] = True
        return self._pauses[id(first)]

    async def close(self) -> None:
        """Leave nothing behind of what the file began and did not wait for."""
        self.stopped = self.stopped or Stopped()
        while self._under_way:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.wait(self._under_way)

    def _answer_to(self, step: Step) -> Pause | None:
        """What the user said to a step that waited; `Suspended` where they are still to be asked."""
        waits = step.pop("waits", None)
        if isinstance(waits, dict):
            self._wait(step, Pause.again(self._turn, waits))
        return self._answered if waits else None

    def approve(self, message: str = "", *_: Any, **__: Any) -> bool:
        """What the user decides; where that is not known yet, the workflow waits."""
        if INSIDE.get():
            raise RuntimeError("a tool cannot wait for an approval; let it have needs_approval=True")
        with self._step("approval", message=str(message)) as step:
            if (answer := self._answer_to(step)) is not None:
                step["approved"] = answer.calls[0].approved
            if "approved" not in step:
                self._wait(step, Pause.asking(self._turn, str(message)))
            return bool(step["approved"])

    async def guard(self, run_guardrails: Callable[..., Awaitable[Any]], *given: Any, **options: Any) -> list[Any]:
        """The guardrails' results; what was paid for once is not paid for again."""
        if INSIDE.get():
            return list(await run_guardrails(*given, **options))
        with self._step("guardrails", input=fingerprint([given[1:3], options.get("data")])) as step:
            if "results" not in step:
                try:
                    results = await run_guardrails(*given, **options)
                except ExceptionGroup as group:  # the package runs them in a task group
                    raise group.exceptions[0] from group
                step["results"] = [verdict(result) for result in results]
            return [GuardrailResult(**result) for result in step["results"]]

    async def search(self, node: str, search: Callable[..., Any], *given: Any, **options: Any) -> list[Any]:
        """What a file-search node finds: in OpenAI's vector store, or by the function that the sidecar names."""
        with self._step("search", node=node, input=fingerprint([given, options])) as step:
            if "found" not in step:
                if (own := self._export.bound_tools.get(node)) is None:
                    there = [each async for each in search(*given, **options)]
                else:
                    answered = own(options["query"])
                    there = await answered if inspect.isawaitable(answered) else answered
                step["found"] = plain(there)
            return [found(each) for each in step["found"]]

    async def run(
        self,
        agent: Agent[Any],
        given: str | list[TResponseInputItem],
        *,
        context: Any = None,
        max_turns: int | None = MAX_TURNS,
        run_config: RunConfig | None = None,
        hooks: RunHooks[Any] | None = None,
        **options: Any,
    ) -> Result:
        """Run an agent, and show what of it is to be seen."""
        with self._step("run", agent=agent.name, input=fingerprint(given)) as step:
            if "output" in step:
                return self._recalled(agent, given, step)
            options |= {"context": context, "max_turns": max_turns, "run_config": self.endpoint.run_config(run_config)}
            answer = self._answer_to(step)
            progress = Progress.of(step.get(REACHED)) if answer is None else answer.progress()
            before = [] if answer is not None else progress.as_input()[progress.given :]

            async def keep() -> None:
                step[REACHED] = progress.to_json()
                await self._checkpoint.keep()

            options["hooks"] = ToolCalls(self._turn, progress, keep, hooks)
            result = await self._stream(agent, given, answer, progress, options)
            if result.interruptions:
                self._wait(step, Pause.of(self._turn, result, progress))
            items = [item.to_input_item() for item in result.new_items if item.type != "tool_approval_item"]
            output = result.final_output
            step |= {"items": plain([*before, *items]), "last": result.last_agent.name, "output": _written(output)}
            step.pop(REACHED, None)
            await self._tell(result.last_agent, output)
            if self._checkpoint.exists:
                await self._checkpoint.keep()
            return Result(given, step["items"], output, result.last_agent)

    async def _stream(
        self, agent: Agent[Any], given: Any, pause: Pause | None, progress: Progress, options: dict[str, Any]
    ) -> RunResultStreaming:
        turn = self._turn
        answer = Answer(turn, show_tools=True, converter=ResponseStreamConverter(), on_workflow=lambda _: None)
        answer.worked, answer.on_item = self.worked, options["hooks"].streamed
        source = given
        if pause is not None:
            source = await pause.resume(turn, agent, options["context"])
            client_tools.outputs.set({call.call_id: call.output for call in pause.calls if call.by_client})
            for call in pause.calls:
                if call.approved and not call.by_provider and self._shows(agent) is True:
                    task = CustomTask(title=readable(call.name), status_indicator="loading")
                    await answer.begin_call(call.call_id, task)
        elif progress.input:
            agent, source = progress.current(agent), progress.as_input()
        outside = INSIDE.set(True)  # for the tasks of the run, which begin here
        try:
            result = Runner.run_streamed(agent, source, **options)
        finally:
            INSIDE.reset(outside)
        visible = Visible(result, self._enters)
        try:
            await answer.follow(visible)
        except TRIPPED:
            await answer.take_back()
            raise
        except Exception as error:
            await answer.finish()
            self.refused = isinstance(error, ModelRefusalError) and answer.said_anything
            raise
        finally:
            if not result.is_complete:
                result.cancel()
        self.shown = self.shown or visible.spoke
        await answer.finish(without=[item.call_id or "" for item in result.interruptions])
        if not result.interruptions and answer.silent and is_nothing(result.final_output):
            raise NoAnswer(answer.missing)
        return result

    def _recalled(self, agent: Agent[Any], given: Any, step: Step) -> Result:
        """What a run came to that was taken, and shown, before the workflow waited."""
        handed = [each for each in agent.handoffs if isinstance(each, Agent)]
        known = [agent, *handed, *self._export.agents.values()]
        last = next((each for each in known if each.name == step["last"]), None)
        if last is None:
            raise Diverged(f"agent {step['last']!r}, which had answered, is not there")
        kind = output_type(last)
        output = step["output"] if kind is str else TypeAdapter(kind).validate_json(step["output"])
        self._remember(last, output)
        return Result(given, step["items"], output, last)

    @property
    def steps(self) -> list[Step]:
        """The journal's steps, as they are once the user's answer has reached the step that waited."""
        steps: list[Step] = []
        for step in self.journal.known:
            if step.get("waits") is True and self._answered is not None:
                del step["waits"]
                if step["kind"] == "approval":
                    step["approved"] = self._answered.calls[0].approved
                else:
                    step[REACHED] = self._answered.progress().to_json()
            steps.append(step)
        return steps

    # What is shown

    async def _enters(self, agent: Agent[Any]) -> bool:
        """Whether the text of an agent, which begins now, is shown; of one that works unseen the user may read so."""
        shows = self._shows(agent)
        if shows == "progress":
            await self._turn.emit(self._turn.progress(agent.name))
        return shows is True and output_type(agent) is str

    async def _tell(self, agent: Agent[Any], output: Any) -> None:
        """Show the data that an agent answered, where the sidecar asks for it."""
        self._remember(agent, output)
        if not isinstance(output, str):
            if (template := self._template(agent)) is not None:
                await self._turn.emit(self._turn.widget(template.build(plain(output))))
            elif self._shows(agent) is True:
                await self._turn.emit(self._turn.say(readable_block(plain(output))))

    def _remember(self, agent: Agent[Any], output: Any) -> None:
        self.said.add(output.model_dump_json() if isinstance(output, BaseModel) else _written(output))
        shows = self._shows(agent)
        if isinstance(output, str):
            self.shown = self.shown or bool(output)  # text that the sidecar hides is no reason to show data instead
            if shows is not True:
                self.hidden.add(output)
        elif shows is not False:
            self.data = output
            self.shown = self.shown or shows is True or self._template(agent) is not None

    def _shows(self, agent: Agent[Any]) -> bool | str:
        chosen = self._table(agent).show
        if chosen is not None:
            return chosen
        return True if output_type(agent) is str else "progress"

    def _template(self, agent: Agent[Any]) -> WidgetTemplate | None:
        return None if self._shows(agent) is False else self._templates.get(self._variable(agent) or "")

    def _table(self, agent: Agent[Any]) -> AgentTable:
        """What the sidecar says of an agent; nothing of one that the file makes while it runs."""
        variable = self._variable(agent)
        return AgentTable() if variable is None else self._export.agent_table(variable)

    def _variable(self, agent: Agent[Any]) -> str | None:
        return next((name for name, each in self._export.agents.items() if each is agent), None)


def ran(steps: list[Step]) -> list[str]:
    """What was called in the steps of a workflow, and what it came to, a line for each."""
    runs = [Progress.of(step.get(REACHED) or {"input": step.get("items", [])}) for step in steps]
    return [line for run in runs for line in run.ran()]


def _written(output: Any) -> str:
    """Text, or data as JSON that its type reads again."""
    return output if isinstance(output, str) else TypeAdapter(type(output)).dump_json(output, by_alias=True).decode()
