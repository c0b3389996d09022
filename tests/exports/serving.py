"""Exports behind a server, their models scripted at an endpoint of their own."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatdock import workflow
from chatdock.model.endpoint import ModelEndpoint as Address
from chatdock.workflows.agent_builder import export
from tests.harness.client import Chat
from tests.harness.model_endpoint import ModelEndpoint, Step, model_endpoint
from tests.harness.server import ThreadServer, serving
from tests.workflows.agents import KEY, Api

EXPORTS = Path(__file__).parents[1] / "data" / "exports"
APIS = {"responses": "responses", "chat": "chat_completions"}


def placed(folder: Path, name: str, sidecar: str = "") -> Path:
    """A copy of an export in a folder of its own, with a sidecar."""
    folder = folder / "export"
    folder.mkdir(exist_ok=True)
    source = EXPORTS / f"{name}.py"
    path = folder / source.name
    shutil.copy(source, path)
    if sidecar:
        path.with_suffix(".chatdock.toml").write_text(sidecar)
    return path


def journey(folder: Path, nodes: str, before: str = "", sidecar: str = "") -> Path:
    """An export whose nodes are these, with the agents and tools of `journey.py`; `before` stands before its function.

    Each turn adds one to `state["n"]`.
    """
    path = placed(folder, "journey", sidecar)
    head, _, function = path.read_text().partition("# Main code entrypoint\n")
    body = textwrap.indent(textwrap.dedent(nodes), "  ")
    path.write_text(f"{head}{textwrap.dedent(before)}\n# Main code entrypoint\n{function}{body}")
    return path


@contextmanager
def export_server(
    folder: Path, url: str, path: Path, *, api: Api = "responses", trace_content: bool = False
) -> Iterator[ThreadServer]:
    """A server of one export as `wf_test`; the same folder again finds the same database."""
    made = workflow("wf_test")(export.load_export(path))
    made.titler(lambda turn: None)
    address = Address(url, KEY, None, False)
    with serving(folder, [made], model=address, model_api=APIS[api], trace_content=trace_content) as server:
        yield server


@contextmanager
def scripted_export(
    folder: Path, name: str, *steps: Step, sidecar: str = "", api: Api = "responses"
) -> Iterator[tuple[Chat, ModelEndpoint]]:
    """A user of the export, and the endpoint that says the steps. All of them must be asked for."""
    with scripted_file(folder, placed(folder, name, sidecar), *steps, api=api) as scripted:
        yield scripted


@contextmanager
def scripted_file(
    folder: Path, path: Path, *steps: Step, api: Api = "responses"
) -> Iterator[tuple[Chat, ModelEndpoint]]:
    """The same for a file that was placed already."""
    with model_endpoint(*steps) as endpoint:
        with export_server(folder, endpoint.url, path, api=api) as server:
            yield server.backend.chat(), endpoint
        assert endpoint.steps == []
