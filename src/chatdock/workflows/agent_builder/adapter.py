"""Answers turns with an export of Agent Builder, as it was written."""

from __future__ import annotations

import re
import traceback
import warnings
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from agents import Model, ModelRefusalError
from chatkit.errors import BaseStreamError, CustomStreamError
from pydantic.warnings import PydanticDeprecatedSince20

from chatdock.redaction import cause
from chatdock.workflows.agent_builder import guardrails, rewrite
from chatdock.workflows.agent_builder.closing import closing
from chatdock.workflows.agent_builder.current import WALK
from chatdock.workflows.agent_builder.endpoint import Endpoint
from chatdock.workflows.agent_builder.journal import Diverged, Journal, OverLimit, Suspended
from chatdock.workflows.agent_builder.memory import Memory
from chatdock.workflows.agent_builder.runner import ExportRunner, Walk, ran
from chatdock.workflows.agent_builder.secrets import without_secrets
from chatdock.workflows.agents_sdk.adapter import REFUSAL, TRIPPED
from chatdock.workflows.agents_sdk.approval import Labels
from chatdock.workflows.agents_sdk.checkpoint import Checkpoint
from chatdock.workflows.agents_sdk.failures import MODEL_ERRORS, failure
from chatdock.workflows.agents_sdk.model_answers import mend
from chatdock.workflows.agents_sdk.output import widget_template
from chatdock.workflows.agents_sdk.pause import CHANGED as UNREADABLE
from chatdock.workflows.agents_sdk.pausing import PausingAdapter
from chatdock.workflows.agents_sdk.titler import model_title
from chatdock.workflows.limits import LimitReached
from chatdock.workflows.titles import opening_words
from chatdock.workflows.untrusted import stated, typed
from chatdock.workflows.workflow import WorkflowError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractContextManager

    from agents import Agent
    from openai import AsyncOpenAI

    from chatdock.workflows.agent_builder.export import Export
    from chatdock.workflows.agents_sdk.approval import Outcome
    from chatdock.workflows.agents_sdk.pause import Pause
    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted

log = structlog.get_logger("chatdock.workflows")

BROKEN = "Something in this assistant went wrong. Please try again."
CHANGED = "This assistant was changed while it waited for you, so it starts over."
DIVERGED = "This assistant cannot go on from where it waited. Please try again."


class ExportAdapter(PausingAdapter):
    """Executes `run_workflow` for each turn. The module's own calls come back here: to `Walk`, for the turn at hand."""

    unanswered: Outcome = "Rejected by a new message"

    def __init__(self, export: Export) -> None:
        self.export = export
        approval = export.sidecar.approval
        self.labels = Labels(approval.approve, approval.reject)
        self._refusal = export.sidecar.refusal or REFUSAL
        self._endpoint = Endpoint(export)
        self._templates = {
            variable: widget_template(path)
            for variable in export.agents
            if (path := export.agent_table(variable).widget)
        }
        guardrails.prepare(export)
        mend()
        self._take_over()

    @property
    def agents(self) -> list[Agent[Any]]:
        """The file's agents."""
        return list(self.export.agents.values())

    @property
    def needs_model(self) -> bool:
        """Exports name their models; a hand-edited one may hold them."""
        return any(not isinstance(agent.model, Model) for agent in self.export.agents.values())

    def prepare(self, *, responses: bool, openai: bool) -> None:
        """Fit the agents to the endpoint; `WorkflowError` when it cannot do what they need."""
        self._endpoint.prepare(responses=responses, openai=openai)

    def connect(self, client: AsyncOpenAI, *, use_responses: bool) -> None:
        """Use this client for models that are named."""
        self._endpoint.connect(client, use_responses=use_responses)

    async def begin(self, turn: Turn) -> AsyncIterator[Emitted]:
        """Execute the workflow for a message; there is nothing else that it could answer."""
        if turn.message is None:
            return
        text = typed(turn.text)
        if turn.message.quoted_text:
            quoted = stated(f"The user is referring to this in particular:\n{typed(turn.message.quoted_text)}")
            text = f"{text}\n\n{quoted}"
        async for event in self._walk(turn, text, await Memory.of(turn), Journal(), None, Checkpoint(turn)):
            yield event

    async def go_on(self, turn: Turn, pause: Pause) -> AsyncIterator[Emitted]:
        """Execute the workflow once more, up to where it waited by its journal, then on."""
        around = pause.around
        if around is None:  # an agent had this id before
            raise CustomStreamError(UNREADABLE, allow_retry=True)
        text, memory, journal = around["text"], Memory(**around["memory"]), Journal(around["steps"])
        if around["digest"] != self.export.digest:
            yield turn.say(CHANGED)
            journal = Journal()
        async for event in self._walk(turn, text, memory, journal, pause, Checkpoint(turn)):
            yield event

    async def take_up(self, turn: Turn, checkpoint: Checkpoint) -> AsyncIterator[Emitted]:
        """Execute the workflow once more, up to where it broke off by its journal, then on."""
        around = checkpoint.left.get("around")
        if around is None or around["digest"] != self.export.digest:
            yield checkpoint.told()
            async for event in self.begin(turn):
                yield event
            return
        memory, journal = Memory(**around["memory"]), Journal(deepcopy(around["steps"]))
        async for event in self._walk(turn, around["text"], memory, journal, None, checkpoint):
            yield event

    async def title(self, turn: Turn) -> str | None:
        """A title for the thread, by the first agent's model; of what guardrails have to see first, its own words."""
        if "run_guardrails" in vars(self.export.module):
            return opening_words(turn)
        return await model_title(turn, self._endpoint.first_model, self._endpoint.run_config())

    async def _walk(
        self,
        turn: Turn,
        text: str,
        memory: Memory,
        journal: Journal,
        pause: Pause | None,
        checkpoint: Checkpoint,
    ) -> AsyncIterator[Emitted]:
        walk = Walk(turn, self.export, self._endpoint, journal, memory, pause, checkpoint, self._templates)
        walk.said.add(text)
        begun = {"digest": self.export.digest, "text": text, "memory": asdict(memory)}

        def reached() -> dict[str, Any]:
            steps = walk.steps
            return {"around": begun | {"steps": steps}, "ran": ran(steps), "shown": list(walk.worked)}

        checkpoint.describe = reached
        if pause is not None:
            await checkpoint.keep()  # a crash from here on must not let the tools run a second time
        try:
            returned = await self._execute(walk, turn, text)
        except Suspended:
            waiting = walk.asked()
            waiting.around, waiting.ran = begun | {"steps": journal.steps}, [*waiting.ran, *ran(journal.steps)]
            await checkpoint.drop()
            async for event in waiting.ask(turn, self.labels):
                yield event
            return
        except OverLimit as over:
            raise over.limit from None
        except Diverged as error:
            log.error("export_diverged", workflow=turn.workflow_id, thread=turn.thread.id, error=error)
            await checkpoint.drop()  # it would not come by there at the next try either
            raise CustomStreamError(DIVERGED, allow_retry=True) from None
        except (*TRIPPED, ModelRefusalError) as error:
            log.info("guardrail_tripped", workflow=turn.workflow_id, thread=turn.thread.id, kind=type(error).__name__)
            await checkpoint.drop()
            if not walk.refused:
                yield turn.say(self._refusal)
            yield memory.kept(turn, memory.history, memory.saved)
            return
        except MODEL_ERRORS as error:
            await checkpoint.keep_shown(walk.worked)
            raised = failure(turn, error)
            raise raised from (None if raised is error.__cause__ or raised is error else error)
        except (LimitReached, BaseStreamError, WorkflowError):
            raise
        except (Exception, SystemExit) as error:  # a file that was a script may exit, and the server may not
            said = without_secrets(f"{type(error).__name__}: {error}", self.export.tree)
            self._tell_mistake(turn, error, without_secrets(cause(error), self.export.tree))
            # What a failure came from is kept in the turn's trace.
            raise CustomStreamError(BROKEN, allow_retry=True) from (error if said.endswith(str(error)) else None)
        await checkpoint.drop()
        refused = any(returned is each for each in walk.tripped)
        last = self._refusal if refused else closing(walk, returned)
        if last is not None:
            yield turn.say(last)
        # What was refused is nothing that agents of later turns should read.
        yield memory.kept(turn, memory.history if refused else walk.history, walk.changed)

    async def _execute(self, walk: Walk, turn: Turn, text: str) -> Any:
        module: Any = self.export.module
        kind = module.WorkflowInput
        # Members that were added by hand are filled as the state is: by the session's variables.
        given = {name: value for name, value in turn.session.state_variables.items() if name in kind.model_fields}
        token = WALK.set(walk)
        try:
            return await walk.follow(module.run_workflow(kind(**given | {"input_as_text": text})))
        finally:
            WALK.reset(token)
            await walk.close()

    def _tell_mistake(self, turn: Turn, error: BaseException, said: str) -> None:
        """Tell the operator of an error of the file's own, and where it is."""
        path = str(self.export.path)
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        log.error(
            "export_failed",
            workflow=turn.workflow_id,
            thread=turn.thread.id,
            at=f"{path}:{lines[-1]}" if lines else path,
            error=said,
        )

    def _take_over(self) -> None:
        """Let what the module calls come to the turn's `Walk`; outside a turn it is as it was."""
        module = self.export.module
        names = vars(module)
        # The exporter writes `final_output.json()`, of which pydantic says that it is old.
        warnings.filterwarnings("ignore", category=PydanticDeprecatedSince20, module=re.escape(module.__name__))
        names["Runner"] = ExportRunner
        names["trace"] = _untraced
        names[rewrite.STATE] = lambda state: WALK.get().start_state(state)
        names[rewrite.HISTORY] = lambda history: WALK.get().start_history(history)
        names[rewrite.SEARCH] = _search
        for name in self.export.approval_stubs:
            names[name] = lambda *given, **options: WALK.get().approve(*given, **options)
        if "run_guardrails" in names:
            names["run_guardrails"] = partial(_guard, names["run_guardrails"])
        if "build_guardrail_fail_output" in names:
            names["build_guardrail_fail_output"] = partial(
                _fail_output, names["build_guardrail_fail_output"], self.export.guardrail_fail_output_broken
            )


def _untraced(*_: Any, **__: Any) -> AbstractContextManager[None]:
    """In place of the SDK's `trace()`, which begins one of its own: the turn has its trace."""
    return nullcontext()


async def _search(node: str, search: Any, *given: Any, **options: Any) -> AsyncIterator[Any]:
    for found in await WALK.get().search(node, search, *given, **options):
        yield found


async def _guard(run_guardrails: Any, *given: Any, **options: Any) -> Any:
    return await WALK.get().guard(run_guardrails, *given, **options)


def _fail_output(build: Any, broken: bool, results: Any) -> Any:
    made = build([*(results or ()), *guardrails.absent(results or ())] if broken else results)
    WALK.get().tripped.append(made)
    return made
