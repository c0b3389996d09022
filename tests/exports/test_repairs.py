"""Every bug of the exporter is repaired in memory, on its own line, and what needs nothing stays as it is."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from agents import AgentOutputSchema, RunContextWrapper

from chatdock.workflows.agent_builder.export import Export, load_export
from chatdock.workflows.agent_builder.repairs import CannotRepair, repair
from chatdock.workflows.workflow import WorkflowError
from tests.exports.serving import EXPORTS

ROOT = Path(__file__).parents[2]
BUGS = sorted((EXPORTS / "bugs").glob("*.py"))
SOUND = sorted(EXPORTS.glob("constructs/*.py"))
NEWER = sys.version_info >= (3, 12)

LINES = {
    "braces": {11: "braces that are text"},
    "empty_branch": {40: "nothing in it", 58: "nothing in it"},
    "file_search": {48: "pages"},
    "guardrail_output": {19: "every guardrail"},
    "input": {114: "function `input`"},
    "keys": dict.fromkeys((5, 6, 10, 11, 12, 13), "no name of a field"),
    "nullable": {6: "commas", 10: "commas"},
    "quotes": {} if NEWER else {54: "quotes"},
    "temperature": {8: "a path"},
    "types": {6: "as JSON does"},
}


def bug(name: str) -> Export:
    return load_export(EXPORTS / "bugs" / f"{name}.py")


class Scripted:
    """`Runner` for a file: agents answer what the test says, in order."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Any, dict[str, Any]]] = []

    async def run(self, agent: Any, **given: Any) -> Any:
        self.asked.append((agent, given))
        answer = self.answers.pop(0)
        return SimpleNamespace(final_output=answer, new_items=[], final_output_as=lambda _kind: answer)


async def run(export: Export, *answers: Any, text: str = "Hello") -> tuple[Any, Scripted]:
    """Execute a workflow with scripted agents and no tracing; what it returned."""
    module: Any = export.module
    module.Runner = runner = Scripted(*answers)
    if hasattr(module, "trace"):
        module.trace = lambda _name: __import__("contextlib").nullcontext()
    return await module.run_workflow(module.WorkflowInput(input_as_text=text)), runner


def prompt(export: Export, function: str, context: str, *given: Any) -> str:
    """What a function of instructions makes of its context."""
    module: Any = export.module
    agent = next(iter(export.agents.values()))
    return str(getattr(module, function)(RunContextWrapper(getattr(module, context)(*given)), agent))


@pytest.mark.parametrize("path", BUGS, ids=lambda path: path.stem)
def test_a_bug_is_found_on_its_line_and_the_file_loads(path: Path) -> None:
    before = path.read_bytes()
    export = load_export(path)
    found = {
        (repair.line, said) for repair in export.repairs for said in LINES[path.stem].values() if said in repair.bug
    }
    assert found == set(LINES[path.stem].items())
    assert path.read_bytes() == before
    assert export.digest == hashlib.sha256(before).hexdigest()


@pytest.mark.parametrize("path", [*BUGS, EXPORTS / "checked.py"], ids=lambda path: path.stem)
def test_a_repair_moves_no_line(path: Path) -> None:
    text = path.read_text()
    repaired, _ = repair(text)
    old, new = text.split("\n"), repaired.split("\n")
    assert len(old) == len(new)
    assert repair(repaired) == (repaired, [])


@pytest.mark.parametrize("path", SOUND, ids=lambda path: path.stem)
def test_what_needs_no_repair_stays_as_it_is(path: Path) -> None:
    text = path.read_text()
    assert repair(text) == (text, [])
    assert load_export(path).repairs == []


def test_the_files_of_this_project_need_none() -> None:
    for path in [*(ROOT / "src" / "chatdock").glob("*/*.py"), *(ROOT / "tests").glob("*/*.py")]:
        text = path.read_text()
        assert repair(text) == (text, []), path


def test_a_prompts_braces_reach_the_model_as_they_were_written() -> None:
    said = prompt(bug("braces"), "form_filler_instructions", "FormContext", "A-1")
    assert said == (
        "Fill the form A-1.\n"
        "Answer like this:\n"
        '{"title": "...", "lines": [{"text": "...", "count": 3}]}\n'
        "Never write {title} or {{placeholder} itself, and no lone } either."
    )


def test_many_braces_that_are_never_closed_are_read_at_once() -> None:
    text = "".join(f'def f{number}(x):\n  return f"""Open {{ and {{x}}"""\n' for number in range(60))
    values: dict[str, Any] = {}
    exec(repair(text)[0], values)
    assert {values[f"f{number}"]("more") for number in range(60)} == {"Open { and more"}


def test_a_lambda_is_no_parameters_types() -> None:
    text = "pair = (lambda a: str,int)\n"
    assert repair(text) == (text, [])


def test_numbers_and_types_are_what_was_meant() -> None:
    assert bug("temperature").agents["poet"].model_settings.temperature == 0.8
    schema = bug("types").stub_tools["find_rooms"].params_json_schema["properties"]
    assert {name: each.get("type") for name, each in schema.items()} == {
        "guests": "integer",
        "price": "number",
        "breakfast": "boolean",
        "town": "string",
        "tags": "array",
        "extra": None,
    }
    schema = bug("nullable").stub_tools["book_room"].params_json_schema["properties"]
    assert list(schema) == ["guest", "note", "nights"]
    assert [each["type"] for each in schema["guest"]["anyOf"]] == ["string", "null"]


@pytest.mark.anyio
async def test_quotes_inside_quotes_are_read() -> None:
    _, runner = await run(bug("quotes"), "Hi!", text="Good day")
    asked = runner.asked[0][1]["input"][-1]["content"][0]["text"]
    assert asked == "They wrote Good day and are called friend"


@pytest.mark.anyio
@pytest.mark.parametrize(("brief", "meant"), [(True, "short"), (False, "long_")])
async def test_input_is_the_result_of_the_branch_that_ran(brief: bool, meant: str) -> None:
    export = bug("input")
    vars(export.module)["__chatdock_state"] = lambda state: {**state, "brief": brief}
    _, runner = await run(export, "the draft", "reviewed")
    assert runner.asked[0][0] is export.agents[meant]
    assert runner.asked[1][1]["context"].input_output_text == "the draft"


@pytest.mark.anyio
async def test_keys_that_are_no_names_stay_the_keys_of_the_answer() -> None:
    export = bug("keys")
    schema = AgentOutputSchema(export.agents["painter"].output_type)  # type: ignore[arg-type]
    asked = schema.json_schema()
    assert [*asked["properties"]] == ["image description", "from", "_id", "json", "frame"]
    assert [*asked["$defs"]["PainterSchema__Frame"]["properties"]] == ["class", "width-cm"]
    given = {
        "image description": "A ship",
        "from": "Bergen",
        "_id": "7",
        "json": "{}",
        "frame": {"class": "oak", "width-cm": 40.0},
    }
    answer: Any = schema.validate_json(json.dumps(given))
    returned, _ = await run(export, answer)
    assert returned == {"message": "A ship from Bergen, 40.0 wide"}
    assert answer.model_dump() == given
    assert json.loads(answer.json()) == given


@pytest.mark.anyio
async def test_a_file_search_waits_for_its_pages() -> None:
    export = bug("file_search")

    async def pages(**asked: Any) -> Any:
        assert asked == {"vector_store_id": "vs_1", "query": "about Hello", "max_num_results": 5}
        for number in (1, 2):
            yield SimpleNamespace(file_id=f"file_{number}", filename="a.txt", score=0.5)

    module: Any = export.module
    module.client = SimpleNamespace(vector_stores=SimpleNamespace(search=pages))
    returned, _ = await run(export, "Found")
    assert returned == {"output_text": "Found"}
    assert export.search_nodes == ["filesearch_result"]


@pytest.mark.anyio
async def test_the_line_of_an_error_is_that_of_the_file(tmp_path: Path) -> None:
    text = (EXPORTS / "bugs" / "empty_branch.py").read_text()
    path = tmp_path / "late.py"
    path.write_text(text.replace("    return greeter_result\n", "    return greeter_resalt\n"))
    with pytest.raises(NameError) as caught:
        await run(load_export(path), "Hi!")
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.line) == (str(path), "return greeter_resalt")


REFUSED = {
    "no end": ('x = """text\n', 1, "a string that begins here has no end; close it with"),
    "no Python": ("x = 1\ny = = 2\n", 2, "mend it by hand"),
    "backslash in a field": ('x = []\ny = f"{"\\n".join(x)}"\n', 2, "give the value a name on a line above"),
}


@pytest.mark.parametrize(("text", "line", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_certain_is_refused_with_its_line_and_an_edit(text: str, line: int, said: str) -> None:
    if NEWER and "join" in text:
        assert repair(text) == (text, [])
        return
    with pytest.raises(CannotRepair, match=re.escape(said)) as caught:
        repair(text)
    assert caught.value.line == line


def test_input_before_any_result_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "early.py"
    text = (EXPORTS / "bugs" / "quotes.py").read_text()
    path.write_text(text.replace('state["nickname"])\n', 'input["output_text"])\n'))
    with pytest.raises(WorkflowError, match=rf"^{path}:63: .*no node has answered before; write the variable"):
        load_export(path)


ON_ANOTHER = """
import pathlib, sys, warnings
from chatdock.workflows.agent_builder.repairs import repair
warnings.simplefilter("error")
for name in sys.argv[1:]:
    repaired, _ = repair(pathlib.Path(name).read_text())
    compile(repaired, name, "exec")
    print(pathlib.Path(name).stem, sys.version_info[:2])
"""


def others() -> list[str]:
    """Pythons beside the running one: on the PATH, or among pyenv's."""
    found = [shutil.which(f"python3.{minor}") for minor in (11, 12, 13, 14)]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found += [str(path) for path in sorted(pyenv.glob("3.1[1-9]*/bin/python"))]
    versions: dict[str, str] = {}
    for python in filter(None, found):
        asked = subprocess.run(
            [python, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True
        )
        if asked.returncode == 0:
            versions.setdefault(asked.stdout.strip(), python)
    versions.pop(f"{sys.version_info.major} {sys.version_info.minor}", None)
    return [*versions.values()]


def test_every_other_python_on_this_machine_reads_the_repaired_files() -> None:
    pythons = others()
    if not pythons:
        pytest.skip("no other Python from 3.11 on is here")
    for python in pythons:
        names = [str(path) for path in [*BUGS, *SOUND]]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run([python, "-c", ON_ANOTHER, *names], capture_output=True, text=True, env=environment)
        assert done.stderr == ""
        assert len(done.stdout.splitlines()) == len(names)
