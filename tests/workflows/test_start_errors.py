"""What is wrong with a workflow file is said at start, in one line: file, line and reason; never to a user."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chatdock.workflows.loader import load
from chatdock.workflows.workflow import WorkflowError


@dataclass
class Case:
    """Files, the target, and what the one line says after `chatdock: `; `{here}` is the files' folder."""

    said: str
    files: dict[str, str] = field(default_factory=dict)
    target: str = "flows.py"


ECHO = "from chatdock import workflow\n@workflow('wf_echo')\nasync def echo(turn):\n    yield turn.text\n"


def flows(text: str, said: str, **others: str) -> Case:
    """A file `flows.py`, and others."""
    return Case(said, {"flows.py": text, **{f"{name}.py": other for name, other in others.items()}})


CASES = {
    "syntax": flows("import os\ndef broken(:\n", "flows.py cannot be loaded: {here}/flows.py:2: invalid syntax"),
    "indentation": flows(
        "if True:\nx = 1\n",
        "flows.py cannot be loaded: {here}/flows.py:2: expected an indented block after 'if' statement on line 1",
    ),
    "syntax of an import": flows(
        "import os\nimport other\n",
        "flows.py cannot be loaded: {here}/other.py:1: '(' was never closed (on the way from {here}/flows.py:2)",
        other="x = (\n",
    ),
    "exception": flows("\n\n1 / 0\n", "flows.py cannot be loaded: {here}/flows.py:3: ZeroDivisionError: "),
    "exception of several lines": flows(
        "raise ValueError('one\\ntwo\\n')\n", "flows.py cannot be loaded: {here}/flows.py:1: ValueError: one two"
    ),
    "exception in an import": flows(
        "\nimport other\n",
        "flows.py cannot be loaded: {here}/other.py:2: KeyError: 'missing' (on the way from {here}/flows.py:2)",
        other="\n{}['missing']\n",
    ),
    "exception inside the standard library": flows(
        "import json\n\njson.loads('{')\n", "flows.py cannot be loaded: {here}/flows.py:3: JSONDecodeError: Expecting"
    ),
    "missing package": flows(
        "import os\nimport no_such_package\n",
        "flows.py cannot be loaded: {here}/flows.py:2: No module named 'no_such_package': is its package installed?",
    ),
    "missing package of an import": flows(
        "import other\n",
        "flows.py cannot be loaded: {here}/other.py:1: No module named 'no_such_package': is its package installed? "
        "(on the way from {here}/flows.py:1)",
        other="from no_such_package.sub import thing\n",
    ),
    "circular import": flows(
        "import one\n",
        "flows.py cannot be loaded: {here}/two.py:1: ImportError: cannot import name 'a' from partially initialized "
        "module 'one' (most likely due to a circular import)",
        one="from two import b\na = 1\n",
        two="from one import a\nb = 2\n",
    ),
    "exit": flows(
        "import sys\nsys.exit('no key')\n",
        "flows.py cannot be loaded: {here}/flows.py:2: it calls sys.exit('no key')",
    ),
    "exit in an import": flows(
        "import other\n",
        "flows.py cannot be loaded: {here}/other.py:1: it calls sys.exit() (on the way from {here}/flows.py:1)",
        other="raise SystemExit\n",
    ),
    "no yield": flows(
        "from chatdock import workflow\n@workflow('wf_a')\nasync def answer(turn):\n    return 'x'\n",
        "flows.py cannot be loaded: {here}/flows.py:2: "
        "answer() is not an async generator over a turn: it needs a `yield`",
    ),
    "no async": flows(
        "from chatdock import workflow\n@workflow('wf_a')\ndef answer(turn):\n    yield 'x'\n",
        "flows.py cannot be loaded: {here}/flows.py:2: "
        "answer() is not an async generator over a turn: it needs `async def` and `yield`",
    ),
    "no parameter": flows(
        "from chatdock import workflow\n@workflow('wf_a')\nasync def answer():\n    yield 'x'\n",
        "flows.py cannot be loaded: {here}/flows.py:2: answer() must take one argument, the turn, not ()",
    ),
    "two parameters": flows(
        "from chatdock import workflow\n@workflow('wf_a')\nasync def answer(turn, context):\n    yield 'x'\n",
        "flows.py cannot be loaded: {here}/flows.py:2: answer() must take one argument, the turn, not (turn, context)",
    ),
    "action": flows(
        ECHO + "@echo.action\nasync def press(turn):\n    return None\n",
        "flows.py cannot be loaded: {here}/flows.py:5: "
        "the action of workflow 'wf_echo' is not an async generator over a turn: it needs a `yield`",
    ),
    "no kind of workflow": flows(
        "from chatdock import workflow\nworkflow('wf_a')(42)\n",
        "flows.py cannot be loaded: {here}/flows.py:2: int is no kind of workflow that this version runs",
    ),
    "id": flows(
        "from chatdock import workflow\nworkflow('')\n",
        "flows.py cannot be loaded: {here}/flows.py:2: a workflow's id has 1 to 256 characters",
    ),
    "twice in a file": flows(
        ECHO + ECHO,
        "flows.py cannot be loaded: {here}/flows.py:6: two workflows are registered as 'wf_echo' with no version",
    ),
    "nothing registered": flows("x = 1\n", "flows.py registers no workflow: put @workflow('wf_…') on what answers"),
    "no file": Case("nowhere.py: no such file", target="nowhere.py"),
    "no module": Case(
        "no.where cannot be loaded: there is no module 'no', neither in this folder nor installed; "
        "a file's name ends in .py",
        target="no.where",
    ),
    "name of a package": Case(
        "agents.py cannot be loaded: {here}/agents.py:1: cannot import name 'Agent' from 'agents' ({here}/agents.py): "
        "the file's own name hides the package 'agents'; give it another",
        {"agents.py": "from agents import Agent\n"},
        "agents.py",
    ),
    "no object": Case("flows.py:other: flows has no 'other'", {"flows.py": ECHO}, "flows.py:other"),
    "object that is none": Case(
        "flows:table: dict is no kind of workflow that this version runs", {"flows.py": "table = {}\n"}, "flows:table"
    ),
    "folder": Case(
        "agents_of_mine is a folder; name a file in it, or a package as pkg.module",
        {"agents_of_mine/flows.py": ECHO},
        "agents_of_mine",
    ),
    "folder with a slash": Case(
        "{here}/package/ is a folder; name a file in it, or a package as pkg.module",
        {"package/__init__.py": ECHO},
        "{here}/package/",
    ),
    "not Python": Case("notes.txt is no Python file; its name must end in .py", {"notes.txt": "x"}, target="notes.txt"),
}


def started(folder: Path, *targets: str) -> subprocess.CompletedProcess[str]:
    """`chatdock serve` in a folder, which has to end by itself."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHATDOCK_")}
    return subprocess.run(
        [sys.executable, "-m", "chatdock", "serve", *targets, "--port", "0"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def written(case: Case, folder: Path) -> tuple[str, str]:
    """The files in their folder; returns the target and what is to be said of it."""
    for name, text in case.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return case.target.replace("{here}", str(folder)), case.said.replace("{here}", str(folder))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own to load from; nothing stays loaded."""
    before = dict(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    for name, module in [*sys.modules.items()]:
        if str(tmp_path) in str(getattr(module, "__file__", "")):
            del sys.modules[name]
    sys.modules.update({name: module for name, module in before.items() if name not in sys.modules})


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_wrong_with_a_target_is_said_in_one_line_with_file_and_line(folder: Path, case: Case) -> None:
    target, said = written(case, folder)
    with pytest.raises(WorkflowError) as caught:
        load(target)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_an_installed_package_as_a_target_is_told_with_its_file_and_line_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(folder))
    (folder / "installed").mkdir()
    (folder / "installed" / "__init__.py").write_text("")
    (folder / "installed" / "flows.py").write_text("from installed import other\n")
    (folder / "installed" / "other.py").write_text("\n1 / 0\n")
    with pytest.raises(
        WorkflowError, match=rf"^installed\.flows cannot be loaded: {folder}/installed/other\.py:2: Zero"
    ):
        load("installed.flows")


@pytest.mark.parametrize(
    "importing", ["import beside_both", "import beside_one", "def late():\n    import beside_both"]
)
def test_two_modules_of_one_name_beside_two_targets_are_refused(folder: Path, importing: str) -> None:
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / f"flows_{name}.py").write_text(f"{importing}\n{ECHO}")
        (folder / name / "beside_both.py").write_text("")
    (folder / "one" / "beside_one.py").write_text("import beside_both\n")
    (folder / "two" / "beside_one.py").symlink_to(folder / "one" / "beside_one.py")
    load("one/flows_one.py")
    importlib.import_module("beside_both")
    with pytest.raises(WorkflowError) as caught:
        load("two/flows_two.py")
    assert str(caught.value) == (
        f"{folder}/two/flows_two.py needs {folder}/two/beside_both.py, but {folder}/one/beside_both.py is loaded under "
        "that name: two modules of one server cannot both be called 'beside_both'; rename one"
    )


def test_targets_of_one_folder_share_what_stands_beside_them(folder: Path) -> None:
    (folder / "beside_both.py").write_text("WORD = 'shared'\n")
    for name in ("one", "two"):
        (folder / f"{name}.py").write_text(f"from beside_both import WORD\n{ECHO}")
    assert [load(f"{name}.py")[0].id for name in ("one", "two")] == ["wf_echo", "wf_echo"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["exit", "missing package of an import", "no yield"])
def test_a_target_that_cannot_be_loaded_stops_the_start(tmp_path: Path, kind: str) -> None:
    target, said = written(CASES[kind], tmp_path)
    done = started(tmp_path, target)
    assert done.stderr == f"chatdock: {said}\n"
    assert done.stdout == ""
    assert done.returncode == 1


@pytest.mark.slow
def test_one_id_and_version_in_two_targets_is_refused(tmp_path: Path) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(ECHO.replace("'wf_echo'", "'wf_echo', version='2'"))
    done = started(tmp_path, "one.py", "two.py")
    assert done.stderr == "chatdock: two workflows are registered as 'wf_echo' with version '2'\n"
    assert done.returncode == 1
