"""A prompt reaches the model with the braces that were typed, and what an author wrote in Python stays Python."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chatdock.workflows.agent_builder.export import load_export
from chatdock.workflows.agent_builder.repairs import CannotRepair, repair
from tests.exports.scripted import prompt
from tests.exports.serving import EXPORTS

HEAD, TAIL = (EXPORTS / "bugs" / "braces.py").read_text().split("Fill the form")
TAIL = TAIL[TAIL.index('"""') :]
FIELD = "{state_form}"


def export(written: str) -> str:
    """An export whose agent has this prompt, exactly as it stands in its f-string."""
    return f"{HEAD}{written}{TAIL}"


TYPED = [
    'JSON: {"items": [{"name": string, "qty": number}]}',
    'JSON: {\n  "items": [\n    {"name": "x", "qty": 3},\n  ],\n}',
    'JSON: {"title": "…", "score": 0-10, "nested": {"x": "..."}}',
    'JSON: {"items": [{"a": 1}, ...]} or {"a": 5} or {"age":5}',
    'JSON: {"form": {state_form}} or {"form":{state_form}} or {"form": "{state_form}", "n": {"of": 2}}',
    "JSON: {'a': {'b': 1}} or {a: 1}",
    "Names: {id} {type} {list[str]} {input} {title} {form_filler} {Agent} {FormContext} {trace}",
    'Texts: {...} {"yes"} {0} {1, 2} {0-10} {True} {a && b} {first name} {}',
    "Sets: { {state_form} } {[{state_form}]}",
    "Code: def f(x): return f'{x!r:>10}' # {x}",
    "Templates: ${amount} {% if x %} {user.name} {{open} style={{a: 1}} {",
    r"Patterns: ^\\d{3,5}$ x{3} \\frac{a}{b}",
    r"Quotes: \"\"\" {it's} \"{x}\" 'y'",
    "Others: æ {😀} {at: HH:mm} }",
]


@pytest.mark.parametrize("typed", TYPED, ids=[typed.partition(":")[0] for typed in TYPED])
def test_braces_that_ask_for_nothing_in_the_file_are_text(tmp_path: Path, typed: str) -> None:
    path = tmp_path / "prompt.py"
    path.write_text(export(f"Fill {FIELD}. {typed}"))
    meant = f"Fill {FIELD}. {typed}".replace(FIELD, "A-1").replace('\\"', '"').replace("\\\\", "\\")
    assert prompt(load_export(path), "form_filler_instructions", "FormContext", "A-1") == meant


WRITTEN = [
    '{{"a": 1}} and {{{state_form}}}',
    "{state_form!r:>8} {state_form.upper()} {state_form or 'none'} {len(state_form):>{len(state_form)}}",
    "{'{'}{'}'}{chr(10)}{', '.join(['a', state_form])}{'Name':>10}{3.14159:.2f}{f'x'}",
    "{run_context.context.state_form} {'yes' if state_form in {'a', 'b'} else 'no'}",
]


@pytest.mark.parametrize("written", WRITTEN)
def test_what_an_author_wrote_in_python_stays(written: str) -> None:
    text = export(written)
    assert repair(text) == (text, [])


@pytest.mark.parametrize(
    "line",
    [
        """return f'{"Name":10}|{"Qty":>5}|{{"a": 1}}|{5}|{True}|{"yes"}|{1 + 1}|{int}|{...}'""",
        "return f'{gone} {gone[0]}'",
    ],
)
def test_functions_of_the_authors_own_stay(line: str) -> None:
    text = export(FIELD).replace("class WorkflowInput", f"def table(rows):\n  {line}\n\nclass WorkflowInput")
    assert repair(text) == (text, [])


@pytest.mark.parametrize("written", ["{state_form.upper()}", "{state_form:>9}", "{len(state_form)}"])
@pytest.mark.parametrize("typed", ["{", '{"a": {"b": string}}'])
def test_python_beside_braces_that_are_text_is_not_certain(written: str, typed: str) -> None:
    with pytest.raises(CannotRepair, match="braces that are text; double each of those braces") as caught:
        repair(export(f"First\n{written} {typed}"))
    assert caught.value.line == HEAD.count("\n") + 1


def test_the_result_of_a_node_that_is_gone_is_no_text() -> None:
    text = (EXPORTS / "bugs" / "quotes.py").read_text().replace("state[", "gone_result[")
    assert 'gone_result["nickname"]' in repair(text)[0].replace("'", '"')


PIECES = ["{", "}", "[", "]", '"a": ', "'b': ", "c: ", ", ", "string", '"x"', "1", "...", "id", "trace", "not x", "\n"]
PIECES += [FIELD, f'"{FIELD}"', "don't", "# ", "$", "😀", ":", "!", "=", "| null", "lambda: ", "a.b", "x[0]", " "]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_a_prompt_says_what_was_typed_or_is_refused(typed: str) -> None:
    assume("{{" not in typed and "}}" not in typed)  # Python's own; an author may have doubled them
    assume(not typed.endswith('"'))
    doubled = FIELD.join(part.replace("{", "{{").replace("}", "}}") for part in typed.split(FIELD))
    try:
        repaired, _ = repair(export(typed))
    except CannotRepair:
        return
    assert ast.dump(ast.parse(repaired)) == ast.dump(ast.parse(export(doubled)))
