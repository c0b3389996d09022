"""An export, loaded: its module, its agents, and what the exporter left for others to do."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from agents import Agent, FunctionTool

from chatdock.workflows.agent_builder import guardrails, rewrite
from chatdock.workflows.agent_builder.repairs import KEYED, MODEL, CannotRepair, Repair
from chatdock.workflows.agent_builder.schema import KeyedModel, keyed
from chatdock.workflows.agent_builder.secrets import without_secrets
from chatdock.workflows.agent_builder.sidecar import CLIENT, AgentTable, Sidecar, read_sidecar, wrong_key
from chatdock.workflows.agent_builder.source import Source, read_export
from chatdock.workflows.agent_builder.strings import quietly
from chatdock.workflows.beside import let_import
from chatdock.workflows.explanation import explained
from chatdock.workflows.workflow import WorkflowError

_ID = re.compile(r"""["']workflow_id["']\s*:\s*["']([^"']+)["']""")
_FAIL_OUTPUT = "build_guardrail_fail_output"
_APPROVAL = re.compile(r"approval_request\d*")
_TYPES = {"string": str, "integer": int, "number": float, "boolean": bool, "array": list, "null": None}
"""What JSON Schema calls types, and the exporter those of tools' parameters. Not among them: `object`, which Python
knows, and which lets the model give anything."""
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_OWN_LOOPS = {
    "Runner.run_sync": "await Runner.run(…)",
    "asyncio.run": "await",
    "asyncio.new_event_loop": "the running event loop",
    "nest_asyncio.apply": "await",
}
"""What cannot work inside a server, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Export:
    """A loaded export.

    Its module's globals hold doors, to be replaced by who runs it: `__chatdock_state` takes the dict and
    `__chatdock_history` the list that the workflow starts with, and `__chatdock_search` a node's variable, OpenAI's
    search and its arguments. Each returns what the workflow goes on with; until they are replaced, what it would have
    without them.
    """

    path: Path
    workflow_ids: list[str]
    """Those that stand in the file; `workflow_id` is the one that counts."""
    module: ModuleType
    tree: ast.Module
    """Of the file as it was written, its repairs included."""
    agents: dict[str, Agent[Any]]
    """By variable."""
    stub_tools: dict[str, FunctionTool]
    """By variable: function tools whose body is `pass`, and those that the sidecar gives to the page; without those
    that the sidecar binds to a function."""
    bound_tools: dict[str, Callable[..., Any]]
    """By variable: what the sidecar binds to functions, imported."""
    search_nodes: list[str]
    """The variables that hold results of file-search nodes."""
    approval_stubs: list[str]
    """The `approval_request…` functions that are still the exporter's."""
    guardrail_fail_output_broken: bool
    """Whether `build_guardrail_fail_output` fails without a result of each guardrail that there is."""
    digest: str
    """SHA-256 of the file."""
    repairs: list[Repair]
    sidecar: Sidecar

    @property
    def workflow_id(self) -> str:
        """The id to register: the sidecar's, else the file's; `WorkflowError` where it has none or several."""
        if self.sidecar.workflow.id is not None:
            return self.sidecar.workflow.id
        if len(self.workflow_ids) == 1:
            return self.workflow_ids[0]
        found = f"several workflow ids: {', '.join(self.workflow_ids)}" if self.workflow_ids else "no workflow id"
        raise WorkflowError(
            f'{self.path} has {found}; write one into {self.path.stem}.chatdock.toml: [workflow] id = "wf_…"'
        )

    def variable(self, tool: object) -> str | None:
        """The variable that holds a tool."""
        return next((name for name, value in vars(self.module).items() if value is tool), None)

    def agent_table(self, variable: str) -> AgentTable:
        """What the sidecar says of an agent, by its variable or, where it is the only one of that name, its name."""
        tables = self.sidecar.agents
        return tables.get(variable) or tables.get(self.agents[variable].name) or AgentTable()


def load_export(path: Path) -> Export:
    """Execute an export in a module of its own; `WorkflowError` with file, line and reason when it cannot be run.

    The file is not changed. An id that is missing is an error of `workflow_id` alone.
    """
    path = path.resolve()
    source = read_export(path)
    tree = source.tree()
    _refuse_own_loops(path, tree)
    sidecar = read_sidecar(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    bound = {target.partition(":")[0].partition(".")[0] for target in sidecar.tools.values() if target != CLIENT}
    module, mended = _executed(source, f"{path.stem}@{digest[:8]}", bound)
    values = vars(module)
    stubs = _stubs(tree)
    broken = _fails_without_results(values.get(_FAIL_OUTPUT))
    export = Export(
        path=path,
        workflow_ids=[*dict.fromkeys(_ID.findall(source.text))],
        module=module,
        tree=tree,
        agents={name: value for name, value in values.items() if isinstance(value, Agent)},
        stub_tools={
            name: value
            for name, value in values.items()
            if isinstance(value, FunctionTool)
            and (sidecar.tools.get(name) == CLIENT or (name in stubs and name not in sidecar.tools))
        },
        bound_tools=_bound(path, sidecar),
        search_nodes=[*dict.fromkeys(name for name, _ in rewrite.search_nodes(tree))],
        approval_stubs=[name for name in stubs if _APPROVAL.fullmatch(name)],
        guardrail_fail_output_broken=broken,
        digest=digest,
        repairs=sorted({*source.repairs, *mended, *_types(tree, values), *_guardrail_repair(tree, broken)}),
        sidecar=sidecar,
    )
    _require_known(export)
    return export


def _executed(source: Source, name: str, others: set[str]) -> tuple[ModuleType, list[Repair]]:
    path = source.path
    tree = source.tree()
    try:
        mended = rewrite.rewrite(tree)
    except CannotRepair as error:
        raise WorkflowError(f"{path}:{error.line}: {error}") from None
    module = ModuleType(name)
    module.__file__ = str(path)
    given: dict[str, Any] = {**_TYPES, KEYED: keyed, MODEL: KeyedModel, **rewrite.DOORS}
    vars(module).update(given)
    let_import(path, tree, others)
    sys.modules[name] = module  # where pydantic looks names up
    try:
        with quietly():
            code = compile(tree, str(path), "exec", dont_inherit=True)
        with guardrails.stand_in(), _some_key():
            exec(code, vars(module))  # noqa: S102 - what the operator asked to serve
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        why = without_secrets(explained(error, str(path), {__file__}), source.tree())
        raise WorkflowError(f"{path} cannot be loaded: {why}") from None  # its own message may hold a secret
    if not callable(vars(module).get("run_workflow")) or "WorkflowInput" not in vars(module):
        raise WorkflowError(f"{path} has no run_workflow(WorkflowInput), with which every export of a workflow ends")
    return module, mended


@contextmanager
def _some_key() -> Iterator[None]:
    """A client that a file makes for itself wants a key at once, also where the model's endpoint needs none."""
    if os.environ.get("OPENAI_API_KEY"):
        yield
        return
    os.environ["OPENAI_API_KEY"] = guardrails.NO_KEY
    try:
        yield
    finally:
        del os.environ["OPENAI_API_KEY"]


def _refuse_own_loops(path: Path, tree: ast.Module) -> None:
    for node in _served(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        instead = _OWN_LOOPS.get(called) or ("await" if called.endswith(".run_until_complete") else None)
        if instead is not None:
            raise WorkflowError(
                f"{path}:{node.lineno}: {called}() has an event loop of its own, which cannot be inside a server; "
                f"use {instead}"
            )


def _served(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node, except those that run only when the file is the main program."""
    functions = {
        each.name: each
        for each in tree.body
        if isinstance(each, _FUNCTIONS) and not each.decorator_list and each.name != "run_workflow"
    }
    left = [each for each in tree.body if each not in functions.values() and not _asks_whether_main(each)]
    while left:
        for node in ast.walk(left.pop(0)):
            yield node
            if isinstance(node, ast.Name) and node.id in functions:
                left.append(functions.pop(node.id))


def _asks_whether_main(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test)


def _stubs(tree: ast.Module) -> list[str]:
    """Functions that do nothing yet: `pass`, or of approvals `return True`, beside comments and docstrings."""

    def undone(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        match [node for node in function.body if not _is_comment(node)]:
            case [] | [ast.Pass()]:
                return True
            case [ast.Return(value=ast.Constant(value=True))]:
                return bool(_APPROVAL.fullmatch(function.name))
            case _:
                return False

    functions = [node for node in tree.body if isinstance(node, _FUNCTIONS)]
    return [function.name for function in functions if undone(function)]


def _is_comment(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _types(tree: ast.Module, values: dict[str, Any]) -> Iterator[Repair]:
    """JSON's names of types among annotations, which the module has been given a meaning for."""
    for function in tree.body:
        if not isinstance(function, _FUNCTIONS):
            continue
        names = [node.id for node in ast.walk(function.args) if isinstance(node, ast.Name)]
        types = [name for name in dict.fromkeys(names) if name in _TYPES and values[name] is _TYPES[name]]
        known = [kind.__name__ if (kind := _TYPES[name]) else "None" for name in types]
        if types:
            bug = f"{function.name}() names its parameters' types as JSON does: {', '.join(types)}"
            yield Repair(function.lineno, bug, f"they read {', '.join(known)}")


def _guardrail_repair(tree: ast.Module, broken: bool) -> Iterator[Repair]:
    for node in tree.body if broken else ():
        if isinstance(node, ast.FunctionDef) and node.name == _FAIL_OUTPUT:
            bug = f"{_FAIL_OUTPUT}() fails unless every guardrail that there is was configured"
            yield Repair(node.lineno, bug, "those that are missing did not trip")


def _fails_without_results(build: Any) -> bool:
    if not callable(build):
        return False
    try:
        build([])
    except Exception:
        return True
    return False


def _bound(path: Path, sidecar: Sidecar) -> dict[str, Callable[..., Any]]:
    bound: dict[str, Callable[..., Any]] = {}
    for name, target in sidecar.tools.items():
        if target == CLIENT:
            continue
        module, _, function = target.partition(":")
        try:
            found = getattr(import_module(module), function)
        except (Exception, SystemExit) as error:
            raise wrong_key(path, ["tools", name], explained(error, module, {__file__})) from error
        if not callable(found):
            raise wrong_key(path, ["tools", name], f"{target} is no function")
        bound[name] = found
    return bound


def _require_known(export: Export) -> None:
    """`WorkflowError` for a key of the sidecar that nothing in the file has as its name."""
    names = [agent.name for agent in export.agents.values()]
    for key in export.sidecar.agents:
        if key not in export.agents and names.count(key) != 1:
            several = f"{names.count(key)} agents have" if key in names else "no agent has"
            known = ", ".join(export.agents)
            raise wrong_key(export.path, ["agents", key], f"{several} this name; the agents' variables are {known}")
    tools = {name: value for name, value in vars(export.module).items() if _is_tool(value)}
    for key, target in export.sidecar.tools.items():
        if key not in tools and key not in export.search_nodes:
            known = ", ".join([*tools, *export.search_nodes]) or "none"
            raise wrong_key(export.path, ["tools", key], f"no tool has this variable; those of the file are {known}")
        if target == CLIENT and not isinstance(tools.get(key), FunctionTool):
            raise wrong_key(export.path, ["tools", key], "only a function tool can be the page's")


def _is_tool(value: object) -> bool:
    """Whether it is one of the SDK's tools."""
    return type(value).__module__ == FunctionTool.__module__ and type(value).__name__.endswith("Tool")
