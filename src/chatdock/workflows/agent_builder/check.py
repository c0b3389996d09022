"""`chatdock check`: what an export is like, before anybody chats with it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agents import FunctionTool

from chatdock.workflows.agent_builder import rewrite
from chatdock.workflows.agent_builder.endpoint import needs_openai
from chatdock.workflows.agent_builder.export import Export, load_export
from chatdock.workflows.agent_builder.mark import is_export
from chatdock.workflows.agent_builder.secrets import find_secrets
from chatdock.workflows.agent_builder.source import read_export
from chatdock.workflows.models import speaks_responses
from chatdock.workflows.registry import workflow
from chatdock.workflows.workflow import WorkflowError

if TYPE_CHECKING:
    from chatdock.model.endpoint import ModelEndpoint
    from chatdock.settings import Settings
    from chatdock.workflows.agent_builder.repairs import Repair


class Finding(NamedTuple):
    """One line of the answer; `line` is that of the file."""

    line: int
    kind: str
    said: str
    fatal: bool = False


class Checked(NamedTuple):
    """What was found, group by group; `export` None where it could not be loaded, `error` why it cannot run."""

    findings: list[Finding]
    export: Export | None
    error: str | None

    @property
    def runs(self) -> bool:
        """Whether `chatdock serve` takes it."""
        return self.error is None and not any(finding.fatal for finding in self.findings)


def check(path: Path, endpoint: ModelEndpoint | None, settings: Settings) -> Checked:
    """Load an export as `chatdock serve` does, and look at it. `endpoint` None: there is no model yet."""
    if not path.is_file():
        return Checked([], None, f"{path}: no such file")
    if path.suffix != ".py":
        return Checked([], None, f"{path} is no Python file; its name must end in .py")
    findings: list[Finding] = []
    export = None
    try:
        if not is_export(path):
            raise WorkflowError(f"{path} is no export of Agent Builder")
        source = read_export(path)
        findings = [*_repaired(source.repairs), *_secrets(source.tree())]
        export = load_export(path)
        findings = [*_repaired(export.repairs), *_stubs(export), *_hosted(export, endpoint, settings)]
        findings += [*_secrets(export.tree), *sorted(_widgets(export))]
        workflow(export.workflow_id)(export)  # as `serve` does
    except (WorkflowError, OSError) as error:
        return Checked(findings, export, str(error))
    return Checked(findings, export, None)


def _repaired(repairs: Iterable[Repair]) -> Iterator[Finding]:
    for line, bug, done in repairs:
        yield Finding(line, "repaired", f"{bug}; {done}")


def _stubs(export: Export) -> Iterator[Finding]:
    for variable in export.stub_tools:
        yield Finding(
            _line(export, variable), "client tool", f"{variable}() does nothing in the file: the page is asked for it"
        )


def _hosted(export: Export, endpoint: ModelEndpoint | None, settings: Settings) -> Iterator[Finding]:
    """What only OpenAI has."""
    refused = endpoint is not None and not speaks_responses(endpoint, settings)
    but = ", and the model's endpoint speaks Chat Completions" if refused else ""
    for variable, agent in export.agents.items():
        for tool in agent.tools:
            if not needs_openai(tool):
                continue
            named = export.variable(tool)
            if named in export.bound_tools:
                continue
            kind = type(tool).__name__
            uses = f"{named} ({kind})" if named else kind
            said = f"agent {agent.name!r} uses {uses}, which runs at OpenAI{but}"
            yield Finding(_line(export, named or variable), "OpenAI", said, refused)
    for variable, call in rewrite.search_nodes(export.tree):
        if variable not in export.bound_tools:
            yield Finding(call.lineno, "OpenAI", f"{variable} searches OpenAI's vector stores{but}", refused)


def _secrets(tree: ast.Module) -> Iterator[Finding]:
    for line, place, kind in find_secrets(tree):
        yield Finding(
            line, "secret", f"{kind} stands in {place}: replace it where it came from, and read it from outside"
        )


def _widgets(export: Export) -> Iterator[Finding]:
    """Agents whose data nothing reads: in Agent Builder, widgets showed it."""
    for line, variable in _unread(export):
        table = export.agent_table(variable)
        agent = export.agents[variable]
        if table.widget is None and table.show is None and agent.output_type not in (None, str):
            said = f"no node reads what agent {agent.name!r} answers; its widget's template is not in the file"
            yield Finding(line, "widget", said)


def _unread(export: Export) -> Iterator[tuple[int, str]]:
    """The runs of agents whose results are at most returned, and the agents' variables."""
    function = rewrite.run_workflow(export.tree)
    assert function is not None
    runs: dict[str, tuple[int, str]] = {}
    results: dict[str, str] = {}
    returned = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Return)}
    read = set()
    for node in ast.walk(function):
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Await(value=ast.Call(args=[ast.Name(id=agent), *_]))
            ):
                runs[name] = (node.lineno, agent)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict()):
                results |= {part.id: name for part in ast.walk(node.value) if isinstance(part, ast.Name)}
            case ast.Name(id=name, ctx=ast.Load()) if id(node) not in returned:
                read.add(name)
            case _:
                pass
    if "input" in read:  # the result of the node before, whichever that is
        return
    for name, (line, agent) in runs.items():
        if agent in export.agents and name in results and results[name] not in read:
            yield line, agent


def _line(export: Export, variable: str) -> int:
    """Where a variable gets its value."""
    for statement in export.tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found = name == variable
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found = name == variable
            case _:
                found = False
        if found:
            return statement.lineno
    return 1


def started_sidecar(export: Export) -> str:
    """A sidecar that says nothing yet: every agent, tool and model, commented out."""
    lines = [
        f"# What {export.path.name} has lost, given back. A line counts once its # is gone.",
        "",
        '# refusal = "Sorry, I cannot help with that."  # when a guardrail trips',
        "",
        "# [workflow]",
        f'# id = "{export.workflow_ids[0] if export.workflow_ids else "wf_"}"',
        "",
    ]
    for variable, agent in export.agents.items():
        is_text = agent.output_type in (None, str)
        what = f"{agent.name!r}, line {_line(export, variable)}, answers with {'text' if is_text else 'data'}"
        lines += [
            f"# [agents.{_key(variable)}]  # {what}",
            f'# show = {"true" if is_text else "false"}  # or true, false, "progress"',
            f'# widget = "{variable}.widget"',
            "",
        ]
    lines.append('# [tools]  # "module:function" of yours, or "client": the page executes it')
    tools: dict[str, Any] = {n: tool for n, tool in vars(export.module).items() if isinstance(tool, FunctionTool)}
    for agent in export.agents.values():
        tools |= {name: tool for tool in agent.tools if (name := export.variable(tool))}
    for variable, tool in tools.items():
        is_stub = variable in export.stub_tools
        value = "client" if is_stub else f"my_tools:{variable}"
        what = "does nothing yet" if is_stub else type(tool).__name__
        lines.append(f'# {_key(variable)} = "{value}"  # line {_line(export, variable)}, {what}')
    lines += [f'# {_key(name)} = "my_tools:{name}"  # a file-search node' for name in export.search_nodes]
    models = dict.fromkeys(agent.model for agent in export.agents.values() if isinstance(agent.model, str))
    lines += ["", "# [models]", *(f'# "{model}" = "{model}"' for model in models)]
    lines += ["", "# [approval]", '# approve = "Approve"', '# reject = "Reject"', ""]
    return "\n".join(lines)


def _key(name: str) -> str:
    return name if name.isascii() else f'"{name}"'
