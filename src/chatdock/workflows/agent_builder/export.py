"""An export, loaded: its module, its agents, and what the exporter left for others to do."""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from agents import Agent, FunctionTool

from chatdock.workflows.agent_builder.sidecar import AgentTable, Sidecar, read_sidecar
from chatdock.workflows.agent_builder.source import Repair, read_export
from chatdock.workflows.workflow import WorkflowError


@dataclass(frozen=True, slots=True)
class Export:
    """A loaded export. Its module's globals hold `__chatdock_state` and `__chatdock_history`, to be replaced by who runs
    it: each takes what the file starts with (a dict, a list) and returns what it goes on with. Until then they return
    it as it is."""

    path: Path
    workflow_ids: list[str]
    """Those that stand in the file; `workflow_id` is the one that counts."""
    module: ModuleType
    agents: dict[str, Agent[Any]]
    """By variable."""
    stub_tools: dict[str, FunctionTool]
    """Function tools whose body is `pass`, by variable, those that the sidecar binds to a function left out."""
    bound_tools: dict[str, Callable[..., Any]]
    """What the sidecar binds to functions, by variable: the imported functions."""
    search_nodes: list[str]
    """The variables that hold results of file-search nodes."""
    approval_stubs: list[str]
    """The `approval_request…` functions that are still the exporter's."""
    guardrail_fail_output_broken: bool
    """Whether `build_guardrail_fail_output` fails without a result of each guardrail that there is."""
    digest: str
    """SHA-256 of the file."""
    repairs: list[Repair]
    sidecar: Sidecar = field(default_factory=Sidecar)

    @property
    def workflow_id(self) -> str:
        """The id to register: the sidecar's, else the file's; `WorkflowError` where it has none or several."""
        if self.sidecar.workflow.id is not None:
            return self.sidecar.workflow.id
        if len(self.workflow_ids) != 1:
            raise WorkflowError(f"{self.path}: several or no workflow ids")
        return self.workflow_ids[0]

    def agent_table(self, variable: str) -> AgentTable:
        """What the sidecar says of an agent, by its variable or, where it is the only one of that name, its name."""
        tables = self.sidecar.agents
        return tables.get(variable) or tables.get(self.agents[variable].name) or AgentTable()


def is_export(path: Path) -> bool:
    """Whether a Python file is an export, by its text alone."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return "async def run_workflow" in text and bool(re.search(r"__trace_source__.{1,6}agent-builder", text))


def load_export(path: Path) -> Export:
    """Execute an export in a module of its own; `WorkflowError` with file, line and reason when it cannot be run."""
    source = read_export(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    tree = ast.parse(source.repaired, str(path))
    module = ModuleType(f"{path.stem}@{digest[:8]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    vars(module).update(__chatdock_state=lambda state: state, __chatdock_history=lambda history: history)
    exec(compile(tree, str(path), "exec"), vars(module))  # noqa: S102 - the file is what the operator asked to run
    return Export(
        path=path,
        workflow_ids=sorted(set(re.findall(r"""["']workflow_id["']\s*:\s*["'](wf_[^"']+)["']""", source.text))),
        module=module,
        agents={name: value for name, value in vars(module).items() if isinstance(value, Agent)},
        stub_tools={},
        bound_tools={},
        search_nodes=[],
        approval_stubs=[],
        guardrail_fail_output_broken=False,
        digest=digest,
        repairs=source.repairs,
        sidecar=read_sidecar(path),
    )
