"""f-strings of Python 3.12 mean the same after they were brought into a form that this Python reads."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdock.workflows.agent_builder.quotes import requoted
from chatdock.workflows.agent_builder.repairs import repair
from chatdock.workflows.agent_builder.strings import lex

NAMES: dict[str, dict[str, object]] = {
    "workflow": {"text": "Ahoy", "it": "1"},
    "state": {"text": 2.5, "it": "x'y"},
    "other_result": {"text": "{}", "it": 7},
}


@dataclass(frozen=True)
class Part:
    """A piece of an f-string as it is written, and what it comes to."""

    written: str
    meant: str


LITERALS = st.text(st.sampled_from("abc .,:;!?=#æ()[]")).map(lambda text: Part(text, text)) | st.sampled_from(
    [Part("{{", "{"), Part("}}", "}"), Part("{{{{", "{{"), Part(r"\n", "\n"), Part(r"\"", '"'), Part(r"\'", "'")]
)


@st.composite
def fields(draw: st.DrawFn, depth: int = 2) -> Part:
    """A field over bound names, its quotes whatever they happen to be, also those around it."""
    name, key = draw(st.sampled_from(sorted(NAMES))), draw(st.sampled_from(["text", "it"]))
    quote = draw(st.sampled_from(['"', "'"]))
    expression, value = f"{name}[{quote}{key}{quote}]", NAMES[name][key]
    if depth and draw(st.booleans()):
        inner = draw(strings(depth - 1))
        expression, value = inner.written, inner.meant
    if draw(st.booleans()):
        other = draw(st.sampled_from(['"', "'"]))
        expression, value = f"{{{other}k{other}: {expression}}}[{other}k{other}]", value
        expression = f" {expression} "
    conversion = draw(st.sampled_from(["", "!r", "!s"]))
    shown = {"": format(value), "!r": repr(value), "!s": str(value)}[conversion]
    if draw(st.booleans()) and (conversion or isinstance(value, str)):
        return Part(f"{{{expression}{conversion}:>{{9}}}}", f"{shown:>9}")
    return Part(f"{{{expression}{conversion}}}", shown)


@st.composite
def strings(draw: st.DrawFn, depth: int = 2) -> Part:
    """An f-string; inside another one it has no backslashes, which this Python could not read in any form."""
    quote = draw(st.sampled_from(['"', "'", '"""', "'''"]))
    parts = draw(st.lists(LITERALS | fields(depth), max_size=4))
    if depth < 2:
        parts = [part for part in parts if "\\" not in part.written]
    return Part(f"f{quote}{''.join(part.written for part in parts)}{quote}", "".join(part.meant for part in parts))


@given(strings())
def test_an_f_string_says_the_same_in_its_new_form(string: Part) -> None:
    file = lex(string.written)
    assert [(each.start, each.end, each.loose) for each in file.strings] == [(0, len(string.written), False)]
    form = requoted(string.written, file.strings[0])
    assert form is not None  # four kinds of quotes are enough for four levels
    assert eval(form, dict(NAMES)) == string.meant


@given(strings(depth=1), strings(depth=1))
def test_a_file_says_the_same_and_its_other_lines_stay(first: Part, second: Part) -> None:
    names = "".join(f"{name} = {value!r}\n" for name, value in NAMES.items())
    text = f"{names}# it's {{a}} comment\nfirst = {first.written}\nsecond = [{second.written}]  # \"\n"
    repaired, _ = repair(text)
    assert repaired.split("\n")[:4] == text.split("\n")[:4]
    values: dict[str, object] = {}
    exec(repaired, values)
    assert (values["first"], values["second"]) == (first.meant, [second.meant])


@given(st.text(st.sampled_from("f{}\"'\\\n#:=!a1 [](),"), max_size=30))
def test_a_python_file_that_this_python_reads_stays_as_it_is(text: str) -> None:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return
    assert repair(text) == (text, [])


@pytest.mark.parametrize("string", ['f"{1:\n}"', 'f"{1:\n}" "{"', "f'{1 # }\n}' f\"{2:\n}\""])
def test_what_only_python_reads_stays_as_it_is(string: str) -> None:
    text = f"x = {string}\ny = 1\n"
    if (3, 12) <= sys.version_info < (3, 14):
        assert repair(text) == (text, [])
    else:  # no line may end there
        with pytest.raises(SyntaxError):
            ast.parse(text)
