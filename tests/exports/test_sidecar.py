"""A sidecar means what it says, or its line is named at start."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from chatdock.workflows.agent_builder.export import Export, load_export
from chatdock.workflows.agent_builder.sidecar import sidecar_path
from chatdock.workflows.workflow import WorkflowError
from tests.exports.serving import EXPORTS


def loaded(folder: Path, sidecar: str, name: str = "tools") -> Export:
    path = Path(shutil.copy(EXPORTS / "constructs" / f"{name}.py", folder / f"{name}.py"))
    sidecar_path(path).write_text(sidecar)
    return load_export(path)


def test_everything_at_once(tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "card.widget").write_text("{}")
    (tmp_path / "my_searches_of_this_test.py").write_text("def web(query: str) -> str:\n    return query\n")
    export = loaded(
        tmp_path,
        'refusal = "No."\n[workflow]\nid = "wf_mine"\n[agents.agent]\nshow = "progress"\nwidget = "cards/card.widget"\n'
        '[tools]\nweb_search_preview = "my_searches_of_this_test:web"\nshow_map = "client"\n'
        '[models]\n"gpt-5" = "ours"\n[approval]\napprove = "Yes"\nreject = "No"\n',
    )
    sidecar = export.sidecar
    assert export.workflow_id == "wf_mine"
    assert export.agent_table("agent").show == "progress"
    assert export.agent_table("agent").widget == tmp_path / "cards" / "card.widget"
    assert export.agent_table("agent1").show is None
    assert export.bound_tools["web_search_preview"]("x") == "x"
    assert [*export.stub_tools] == ["show_map"]
    assert (sidecar.refusal, sidecar.models, sidecar.approval.approve) == ("No.", {"gpt-5": "ours"}, "Yes")


def test_functions_in_modules_of_one_name_in_two_folders_are_refused(tmp_path: Path) -> None:
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        (folder / "my_tools_of_this_test.py").write_text("def web(query: str) -> str:\n    return query\n")
    sidecar = '[tools]\nweb_search_preview = "my_tools_of_this_test:web"\n'
    loaded(tmp_path / "one", sidecar)
    with pytest.raises(WorkflowError, match=r"two/tools\.py needs .*/two/my_tools_of_this_test\.py, but .*/one/my_"):
        loaded(tmp_path / "two", sidecar)


def test_an_agent_may_be_named_by_its_name_where_that_is_its_alone(tmp_path: Path) -> None:
    assert loaded(tmp_path, "[agents.Painter]\nshow = true\n", "flow").agent_table("painter").show is True


def test_a_mark_that_an_editor_put_before_it_is_none_of_it(tmp_path: Path) -> None:
    assert loaded(tmp_path, '\ufeff[approval]\r\napprove = "Ja"\r\n').sidecar.approval.approve == "Ja"


WRONG = {
    "no TOML": ("[agents\n", "tools.chatdock.toml is no TOML: .*line 1"),
    "unknown key": (
        "\ncolour = 1\n",
        r"tools.chatdock.toml:2: colour: there is no such key; it can be workflow, agents",
    ),
    "unknown key of an agent": (
        "[agents.agent]\nshow = true\nshown = 1\n",
        r":3: agents.agent.shown: there is no such key",
    ),
    "dotted": ("agents.agent.shown = 1\n", r":1: agents.agent.shown: there is no such key; it can be show, widget"),
    "wrong value": ('[agents.agent]\nshow = "maybe"\n', r':2: agents.agent.show: must be true, false or "progress"'),
    "number for a switch": ("[agents.agent]\nshow = 1\n", r":2: agents.agent.show: must be true, false"),
    "no agent": (
        "\n[agents.somebody]\nshow = true\n",
        r":2: agents.somebody: no agent has this name; .* agent, agent1",
    ),
    "two agents": ('[agents."My agent"]\nshow = true\n', r":1: agents.My agent: 2 agents have this name"),
    "no widget": ('[agents.agent]\nwidget = "x.widget"\n', r":2: agents.agent.widget: there is no .widget file at"),
    "no tool": ('[tools]\nhammer = "client"\n', r":2: tools.hammer: no tool has this variable; .*web_search_preview"),
    "no function": ('[tools]\nshow_map = "os:nowhere"\n', r":2: tools.show_map: .*has no attribute 'nowhere'"),
    "no module": ('[tools]\nshow_map = "no_such_module:x"\n', r":2: tools.show_map: .*no_such_module"),
    "not callable": ('[tools]\nshow_map = "os:sep"\n', r":2: tools.show_map: os:sep is no function"),
    "no binding": ('[tools]\nshow_map = "a page"\n', r':2: tools.show_map: must be "client", or "module:function"'),
    "a hosted tool of the page": (
        '[tools]\nmcp = "client"\n',
        r":2: tools.mcp: only a function tool can be the page's",
    ),
    "empty id": ('[workflow]\nid = ""\n', r":2: workflow.id: "),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_it_may_not_say_is_refused_with_line_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        loaded(tmp_path, text)
    assert re.search(said, str(caught.value)), str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)
