"""`chatdock serve my_export.py` takes exports as they were written, several at once."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from chatdock.launch import Launch
from chatdock.settings import Settings
from chatdock.workflows.agent_builder.export import load_export
from chatdock.workflows.agent_builder.sidecar import sidecar_path
from chatdock.workflows.loader import load
from chatdock.workflows.workflow import WorkflowError
from tests.exports.scripted import run
from tests.exports.serving import EXPORTS


def constructs(name: str) -> str:
    return str(EXPORTS / "constructs" / f"{name}.py")


def launch(folder: Path, *targets: str) -> Launch:
    return Launch(targets, "127.0.0.1", 0, False, Settings(database_url=f"sqlite:///{folder}/chatdock.db"))


def test_exports_register_themselves_under_the_ids_found_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-unused")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    loaded = launch(tmp_path, constructs("tools"), constructs("flow"), constructs("guards")).load()
    assert loaded.names == ["wf_tools", "wf_flow", "wf_guards"]


def test_a_hosted_tool_on_an_endpoint_without_it_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:9/v1")
    with pytest.raises(WorkflowError, match=r"agent 'My agent' uses web_search_preview \(WebSearchTool\)"):
        launch(tmp_path, constructs("tools")).load()


def test_what_an_export_has_is_known_by_its_variables() -> None:
    export = load_export(Path(constructs("flow")))
    assert [*export.agents] == ["classify", "counter", "painter"]
    assert export.approval_stubs == ["approval_request"]
    assert (export.repairs, export.search_nodes, export.guardrail_fail_output_broken) == ([], [], False)
    assert [*load_export(Path(constructs("tools"))).stub_tools] == ["show_map"]


def test_a_file_that_makes_a_client_of_its_own_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    load_export(Path(constructs("guards")))
    assert "OPENAI_API_KEY" not in os.environ
    assert "guardrails" not in sys.modules


def test_an_approval_and_a_tool_that_somebody_wrote_are_no_stubs(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    text = Path(constructs("flow")).read_text()
    path.write_text(text.replace("  # TODO: Implement\n  return True", "  return len(message) > 3"))
    assert load_export(path).approval_stubs == []
    path = tmp_path / "tools.py"
    path.write_text(Path(constructs("tools")).read_text().replace("str):\n  pass", "str):\n  return place"))
    assert load_export(path).stub_tools == {}


@pytest.mark.parametrize(
    ("ids", "said"), [([], "has no workflow id"), (["wf_a", "wf_b"], "several workflow ids: wf_a, wf_b")]
)
def test_no_id_or_several_are_the_sidecars_to_settle(tmp_path: Path, ids: list[str], said: str) -> None:
    path = Path(shutil.copy(constructs("guards"), tmp_path / "unnamed.py"))
    members = ", ".join(f'"{"workflow_id"}": "{each}"' for each in ids) or '"other": "x"'
    path.write_text(path.read_text().replace('"workflow_id": "wf_guards"', members))
    with pytest.raises(WorkflowError, match=rf"{said}; write one into unnamed.chatdock.toml"):
        load(str(path))
    sidecar_path(path).write_text('workflow.id = "wf_mine"\n')
    assert [entry.id for entry in load(str(path))] == ["wf_mine"]


def test_a_file_that_registers_itself_is_an_ordinary_one(tmp_path: Path) -> None:
    path = tmp_path / "itself.py"
    path.write_text(
        Path(constructs("flow")).read_text() + '\nfrom chatdock import workflow\nworkflow("wf_painter")(painter)\n'
    )
    assert [entry.id for entry in load(str(path))] == ["wf_painter"]


@pytest.mark.anyio
async def test_what_an_author_has_made_of_it_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "words_of_this_test.py").write_text("def loud(text: str) -> str:\n    return text.upper()\n")
    text = (EXPORTS / "constructs" / "tools.py").read_text()
    for old, new in {
        "# Tool definitions\n": "import words_of_this_test\n",
        "class WorkflowInput(BaseModel):\n": 'class WorkflowInput(BaseModel):\n  """What a user wrote: text."""\n\n',
        "(workflow_input: WorkflowInput):\n": '(payload: WorkflowInput) -> dict:\n  """One turn: two agents."""\n',
        "workflow_input.model_dump()": "payload.model_dump()",
    }.items():
        text = text.replace(old, new)
    text += '    return {"message": f"{words_of_this_test.loud(agent_result1[\'output_text\'])}!", "seen": state}\n'
    path = tmp_path / "own.py"
    path.write_text(text)
    export = load_export(path)
    assert export.repairs == []
    assert (await run(export, "one", "two"))[0] == {"message": "TWO!", "seen": {}}


def test_an_export_is_one_workflow(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match="is an export of Agent Builder, and one workflow: leave out :painter"):
        load(f"{constructs('flow')}:painter")


LOOPS = {
    "Runner.run_sync(painter, 'x')": True,
    "import asyncio\nasyncio.run(run_workflow(None))": True,
    "import asyncio\nasyncio.get_event_loop().run_until_complete(run_workflow(None))": True,
    'if __name__ == "__main__":\n  import asyncio\n  asyncio.run(run_workflow(None))': False,
    'import asyncio\ndef main(): asyncio.run(run_workflow(None))\nif __name__ == "__main__":\n  main()': False,
    "import asyncio\nhelped = [lambda: helper()]\ndef helper(): asyncio.run(run_workflow(None))": True,
    "import asyncio\n@function_tool\ndef tool(): asyncio.run(run_workflow(None))": True,
}


@pytest.mark.parametrize(("added", "refused"), LOOPS.items(), ids=range(len(LOOPS)))
def test_an_event_loop_of_its_own_is_refused_with_its_line(tmp_path: Path, added: str, refused: bool) -> None:
    path = tmp_path / "loop.py"
    text = Path(constructs("flow")).read_text()
    path.write_text(f"{text}\n{added}\n")
    if not refused:
        load_export(path)
        return
    line = text.count("\n") + 1 + added.count("\n") + 1
    with pytest.raises(WorkflowError, match=rf"^{path}:{line}: .*has an event loop of its own"):
        load_export(path)
