"""`my_export.chatdock.toml`: what an export lost, given back in a file beside it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from chatdock.workflows.workflow import WorkflowError

CLIENT = "client"
Text = Annotated[str, StringConstraints(min_length=1)]
Binding = Annotated[str, StringConstraints(pattern=r"^(client|[A-Za-z_][\w.]*:[A-Za-z_]\w*)$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AgentTable(_Table):
    """`[agents.NAME]`: NAME is the agent's variable, or its name where only one agent has it."""

    show: Annotated[bool, Field(strict=True)] | Literal["progress"] | None = None
    """Whether its text is shown; "progress" shows that it works. None: text is shown, data is not."""
    widget: Path | None = None
    """A .widget file, resolved, which shows what the agent answers."""


class ApprovalTable(_Table):
    """`[approval]`: the labels of the two buttons."""

    approve: Text = "Approve"
    reject: Text = "Reject"


class WorkflowTable(_Table):
    """`[workflow]`"""

    id: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None


class Sidecar(_Table):
    """Every key is optional. An unknown key is an error."""

    workflow: WorkflowTable = WorkflowTable()
    agents: Mapping[str, AgentTable] = Field(default_factory=dict)
    """By what stands in the file; `Export.agent_table(variable)` finds one."""
    tools: Mapping[str, Binding] = Field(default_factory=dict)
    """By variable (or, of a file-search node, by the variable of its result): "module:function", or "client"."""
    models: Mapping[str, Text] = Field(default_factory=dict)
    """By the file's name of a model; "*" stands for all that are not named."""
    approval: ApprovalTable = ApprovalTable()
    refusal: Text | None = None
    """What is said when a guardrail trips."""

    def model(self, name: str) -> str:
        """What the endpoint calls a model of the file."""
        return self.models.get(name, self.models.get("*", name))


def sidecar_path(export: Path) -> Path:
    """Where an export's sidecar lies."""
    return export.with_suffix(".chatdock.toml")


def read_sidecar(export: Path) -> Sidecar:
    """The sidecar of an export, empty where there is none; `WorkflowError` with line and key for what it cannot say."""
    path = sidecar_path(export)
    if not path.exists():
        return Sidecar()
    try:
        sidecar = Sidecar.model_validate(tomllib.loads(_text(path)))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WorkflowError(f"{path} is no TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise wrong_key(export, _keys(first["loc"]), _said(first)) from None
    agents = {name: table.model_copy(update=_resolved(export, name, table)) for name, table in sidecar.agents.items()}
    return sidecar.model_copy(update={"agents": agents})


def wrong_key(export: Path, keys: Sequence[str], message: str) -> WorkflowError:
    """The error of a key that an export's sidecar has, with its line."""
    path = sidecar_path(export)
    line = _line(_text(path), keys)
    return WorkflowError(f"{path}{f':{line}' if line else ''}: {'.'.join(keys)}: {message}")


def _resolved(export: Path, name: str, table: AgentTable) -> dict[str, Path]:
    if table.widget is None:
        return {}
    path = export.parent / table.widget
    if path.suffix != ".widget" or not path.is_file():
        raise wrong_key(export, ["agents", name, "widget"], f"there is no .widget file at {path}")
    return {"widget": path}


def _keys(location: Sequence[int | str]) -> list[str]:
    """A key as it stands in the file: pydantic adds which member of a union it tried."""
    return [str(part) for part in location if not str(part).startswith(("bool", "literal", "function-", "constrained"))]


def _said(error: Any) -> str:
    keys = _keys(error["loc"])
    if error["type"] == "extra_forbidden":
        return f"there is no such key; it can be {', '.join(_known(keys[:-1]))}"
    if keys[0] == "tools":
        return 'must be "client", or "module:function"'
    if keys[-1] == "show":
        return 'must be true, false or "progress"'
    return str(error["msg"])


def _known(table: Sequence[str]) -> list[str]:
    kinds: dict[str, type[BaseModel]] = {"agents": AgentTable, "approval": ApprovalTable, "workflow": WorkflowTable}
    return [*(kinds[table[0]] if table else Sidecar).model_fields]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig")  # editors of Windows put a mark before it


def _line(text: str, keys: Sequence[str]) -> int | None:
    """The line on which a key stands."""
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        header = line.strip().startswith("[")
        try:
            read = tomllib.loads(line if header else f"{line.partition('=')[0]} = 0")
        except tomllib.TOMLDecodeError:
            continue  # a line of a value
        path = _path(read)
        if header:
            table = path
        elif [*table, *path][: len(keys)] == [*keys]:
            return number
        if header and table[: len(keys)] == [*keys]:
            return number
    return None


def _path(read: dict[str, Any]) -> list[str]:
    keys = []
    value: Any = read
    while isinstance(value, dict) and value:
        key = next(iter(value))
        keys.append(key)
        value = value[key]
    return keys
