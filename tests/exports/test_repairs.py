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
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from agents import AgentOutputSchema

from chatdock.workflows.agent_builder.export import Export, load_export
from chatdock.workflows.agent_builder.repairs import CannotRepair, repair
from chatdock.workflows.workflow import WorkflowError
from tests.exports.scripted import prompt, run
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
    "mixed": {
        6: "no name of a parameter",
        **dict.fromkeys((10, 11, 16, 17), "no name of a field"),
        27: "braces that are text",
        44: "a path",
        **dict.fromkeys((112, 114, 116), "nothing in it"),
        **dict.fromkeys((128, 137), "function `input`"),
    },
    "nullable": {6: "commas", 10: "commas"},
    "quotes": {} if NEWER else {54: "quotes"},
    "temperature": {8: "a path"},
    "types": {6: "as JSON does"},
}


def bug(name: str) -> Export:
    return load_export(EXPORTS / "bugs" / f"{name}.py")


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


@pytest.mark.slow
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


PARAMETERS = {
    "a: string,null": {"a": ["string", "null"]},
    "a: string, null": {"a": ["string", "null"]},
    "a: null,string, b: null,number": {"a": ["string", "null"], "b": ["number", "null"]},
    "a: string,null,number": {"a": ["string", "number", "null"]},
    "a: integer, b: string,null, c: boolean": {"a": ["integer"], "b": ["string", "null"], "c": ["boolean"]},
    "\n  a: string,null,\n  b: array,null\n": {"a": ["string", "null"], "b": ["array", "null"]},
    "string: string, null: null": {"string": ["string"], "null": ["null"]},
    "from: string, to: string": {"from": ["string"], "to": ["string"]},
    "image description: string,null, 2nd: null": {"image description": ["string", "null"], "2nd": ["null"]},
    "_id: string, field_id: string": {"_id": ["string"], "field_id": ["string"]},
}


@pytest.mark.parametrize(("written", "meant"), PARAMETERS.items(), ids=PARAMETERS)
def test_a_tools_parameters_are_what_was_asked_for(tmp_path: Path, written: str, meant: dict[str, list[str]]) -> None:
    path = tmp_path / "tool.py"
    text = (EXPORTS / "bugs" / "nullable.py").read_text()
    path.write_text(text.replace("guest: string,null, note: string,null, nights: integer", written))
    schema = load_export(path).stub_tools["book_room"].params_json_schema["properties"]
    assert {name: [each["type"] for each in kind.get("anyOf", [kind])] for name, kind in schema.items()} == meant


def test_functions_that_are_no_tools_keep_their_parameters() -> None:
    text = "def pick(a: str,list, b: int,null=None):\n  return a\n"
    assert repair(text) == (text, [])


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


KEYS = (
    *("@type", "__typename", "__class__", "model_config", "model_fields", "model_dump", "model_dump_json", "copy"),
    *("2nd", "a.b", "a-b", "a (b)", "100%", "😀", "½", "µ", "pre\u0301nom", "prénom", "None", "lambda", "def", "type"),
)


@pytest.mark.anyio
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.filterwarnings('ignore:Field name "copy":UserWarning')  # which runs nevertheless
async def test_any_key_is_the_one_that_the_model_answers_and_the_workflow_finds(tmp_path: Path, key: str) -> None:
    path = tmp_path / "keys.py"
    path.write_text((EXPORTS / "bugs" / "keys.py").read_text().replace("  _id: str\n", f"  _id: str\n  {key}: str\n"))
    export = load_export(path)
    schema = AgentOutputSchema(export.agents["painter"].output_type)  # type: ignore[arg-type]
    assert key in schema.json_schema()["properties"]
    answer: Any = schema.validate_json(
        json.dumps(
            {"image description": "", "from": "", "_id": "", "json": "", "frame": {"class": "", "width-cm": 1}}
        ).removesuffix("}")
        + f', {json.dumps(key)}: "v"}}'
    )
    assert answer.model_dump()[key] == "v"
    assert json.loads(answer.json())[key] == "v"


def test_keys_that_come_to_the_same_name_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "keys.py"
    keys = ["image description", "image-description", "field_image_description", "image_description", "class", "Class"]
    lines = "".join(f"  {key}: Literal['{key}']\n" for key in keys)
    text = (EXPORTS / "bugs" / "keys.py").read_text().replace("  image description: str\n", lines)
    path.write_text(f"from typing import Literal\n{text}")
    export = load_export(path)
    schema = AgentOutputSchema(export.agents["painter"].output_type).json_schema()["properties"]  # type: ignore[arg-type]
    assert {key: schema[key]["const"] for key in keys} == {key: key for key in keys}


@pytest.mark.anyio
async def test_two_bugs_on_one_line_and_all_kinds_in_one_file_are_repaired() -> None:
    export = bug("mixed")
    schema = export.stub_tools["move_booking"].params_json_schema["properties"]
    assert {name: [each["type"] for each in kind.get("anyOf", [kind])] for name, kind in schema.items()} == {
        "guest": ["string", "null"],
        "from": ["string"],
        "to": ["string", "null"],
        "user-id": ["integer", "null"],
        "class": ["string", "null"],
    }
    planner = export.agents["planner"]
    assert (planner.model_settings.temperature, planner.model_settings.top_p) == (0.25, 1.0)
    answer = {"stops": [{"place name": "Bonn", "2nd choice": "Trier"}], "__typename": "Trip", "model_config": "x"}
    planned = AgentOutputSchema(planner.output_type).validate_json(json.dumps(answer))  # type: ignore[arg-type]
    returned, runner = await run(export, planned, "booked")
    assert returned == {"message": "2 tries: booked"}
    assert runner.asked[1][1]["input"][-1]["content"][0]["text"] == "Trier from Köln, 'x'"
    assert runner.asked[1][1]["context"].input_output_parsed_stops == answer["stops"]
    assert prompt(export, "planner_instructions", "PlannerContext", "by train", "Köln") == (
        "Plan « by train » from Köln 🚂. Don't use {id} or {...}.\n"
        '{\n  "stops": [\n    {"place name": string, "2nd choice": "…"}, // at most {3}\n  ],\n'
        '  "from": {"town": Köln, "class": 1 | 2}\n}\n'
        'Say """done""" at the end, or {"yes"} or {"no"}.'
    )


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
async def test_a_node_may_search_twice(tmp_path: Path) -> None:
    path = tmp_path / "twice.py"
    text = (EXPORTS / "bugs" / "file_search.py").read_text()
    start, end = text.index("    filesearch_result"), text.index("    reader_result_temp")
    search = text[start:end].rstrip().removesuffix("}")
    again = search[search.index("[") :].replace("vs_1", "vs_2")
    path.write_text(f'{text[:start]}{search} + {again}}}\n    return {{"found": filesearch_result}}\n{text[end:]}')
    export = load_export(path)

    async def pages(**asked: Any) -> Any:
        yield SimpleNamespace(file_id=asked["vector_store_id"], filename="a.txt", score=1)

    vars(export.module)["client"] = SimpleNamespace(vector_stores=SimpleNamespace(search=pages))
    returned, _ = await run(export)
    assert [each["id"] for each in returned["found"]["results"]] == ["vs_1", "vs_2"]
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
    "a quote at the end": ('x = """\nSay "yes""""\n', 2, 'the last quote of the text before it, write \\"'),
    "no Python": ("x = 1\ny = = 2\n", 2, "mend it by hand"),
    "a path of Windows": ('x = 1\ny = "C:\\Users"\n', 2, "double each backslash that is text"),
    "a null byte": ('x = "\0"\n', 1, "null bytes"),
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


NOTHING, NOT_ALL = "no node has answered before", "not every node before has that"
IF, ELSE, NEXT = "    if state", "    else:\n", "    reviewer_result_temp"
UNCERTAIN = {
    "nothing before": (IF, f'    early = input["output_text"]\n{IF}', 71, NOTHING),
    "the other branch": (ELSE, f'{ELSE}      early = input["output_text"]\n', 89, NOTHING),
    "one way without": (ELSE, f"    elif True:\n      pass\n{ELSE}", 116, NOT_ALL),
    "another kind of result": ('input["output_text"]', 'input["output_parsed"]', 114, NOT_ALL),
    "a transform between": (NEXT, f"    transform_result = {{}}\n{NEXT}", 115, NOT_ALL),
    "a loop between": (NEXT, f"    while state == {{}}:\n      transform_result = {{}}\n{NEXT}", 116, NOT_ALL),
}


@pytest.mark.parametrize(("old", "new", "line", "said"), UNCERTAIN.values(), ids=UNCERTAIN.keys())
def test_input_that_no_node_before_has_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    path = tmp_path / "uncertain.py"
    path.write_text((EXPORTS / "bugs" / "input.py").read_text().replace(old, new, 1))
    with pytest.raises(WorkflowError, match=rf"^{path}:{line}: .*{said}.*; write the variable"):
        load_export(path)


@pytest.mark.anyio
async def test_input_may_be_a_transforms_and_that_of_an_authors_function_stays(tmp_path: Path) -> None:
    path = tmp_path / "input.py"
    own = '    def own(input):\n      return input["mine"]\n    transform_result = {"topic": own({"mine": "ships"})}\n'
    text = (EXPORTS / "bugs" / "input.py").read_text().replace('input["output_text"]', 'input["topic"]')
    path.write_text(text.replace(NEXT, f"{own}{NEXT}", 1))
    _, runner = await run(load_export(path), "the draft", "reviewed")
    assert runner.asked[1][1]["context"].input_output_text == "ships"


BYTES = {
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "BOM": lambda text: text.encode("utf-8-sig"),
    "tabs": lambda text: re.sub(r"(?m)^(  )+", lambda indent: "\t" * (len(indent[0]) // 2), text).encode(),
    "no end of line": lambda text: text.rstrip().encode(),
}


@pytest.mark.anyio
@pytest.mark.parametrize("written", BYTES.values(), ids=BYTES)
async def test_any_way_of_writing_lines_is_read(tmp_path: Path, written: Callable[[str], bytes]) -> None:
    path = tmp_path / "empty_branch.py"
    path.write_bytes(written((EXPORTS / "bugs" / "empty_branch.py").read_text()))
    export = load_export(path)
    assert [repair.line for repair in export.repairs] == [40, 58]
    assert (await run(export, "Hi!"))[0] == {"output_text": "Hi!"}


@pytest.mark.filterwarnings("error")
def test_what_python_finds_odd_in_a_prompt_is_not_said(tmp_path: Path) -> None:
    path = tmp_path / "odd.py"
    path.write_text((EXPORTS / "bugs" / "empty_branch.py").read_text().replace('"Greet."', r'"Greet \(\d+\)."'))
    assert load_export(path).agents["greeter"].instructions == r"Greet \(\d+\)."


def test_annotations_are_read_as_python_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    own = "class Own:\n  count: int\nKIND = Own.__annotations__['count']\n"
    path.write_text((EXPORTS / "bugs" / "types.py").read_text().replace("# Tool definitions\n", own))
    assert vars(load_export(path).module)["KIND"] is int


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
