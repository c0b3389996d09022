"""`my_export.chatdock.toml`: what an export lost, given back in a file beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Show = Literal[True, False, "progress"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class AgentTable(_Table):
    """`[agents.NAME]`: NAME is the agent's variable, or its name where only one agent has it."""

    show: bool | Literal["progress"] | None = None
    """Whether its text is shown; "progress" shows that it works. None: text is shown, data is not."""
    widget: Path | None = None
    """A .widget file, resolved, which shows what the agent answers."""


class ApprovalTable(_Table):
    """`[approval]`: the labels of the two buttons."""

    approve: str = "Approve"
    reject: str = "Reject"


class WorkflowTable(_Table):
    """`[workflow]`"""

    id: str | None = None


class Sidecar(_Table):
    """Every key is optional. An unknown key is an error."""

    workflow: WorkflowTable = WorkflowTable()
    agents: Mapping[str, AgentTable] = Field(default_factory=dict)
    """By what stands in the file; `Export.agent_table(variable)` finds one."""
    tools: Mapping[str, str] = Field(default_factory=dict)
    """By variable (or, of a file-search node, by the variable of its result): "module:function", or "client"."""
    models: Mapping[str, str] = Field(default_factory=dict)
    approval: ApprovalTable = ApprovalTable()
    refusal: str | None = None
    """What is said when a guardrail trips."""


def sidecar_path(export: Path) -> Path:
    """Where an export's sidecar lies."""
    return export.with_suffix(".chatdock.toml")


def read_sidecar(export: Path) -> Sidecar:
    """The sidecar of an export, empty where there is no file; `WorkflowError` with line and key for what it may not say."""
    return Sidecar()
