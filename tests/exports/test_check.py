"""`chatdock check` says before the first user does what an export has, lacks and gives away."""

from __future__ import annotations

import shutil
import sys
import traceback
from contextlib import nullcontext
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from chatdock.cli import app
from chatdock.workflows.agent_builder.export import load_export
from chatdock.workflows.agent_builder.sidecar import read_sidecar, sidecar_path
from chatdock.workflows.workflow import WorkflowError
from tests.exports.serving import EXPORTS

ELSEWHERE = "http://localhost:9/v1"
TOKEN = "canary-5f2b9d71c3"


@pytest.fixture(autouse=True)
def _openai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-unused")
    for name in ("OPENAI_BASE_URL", "CHATDOCK_MODEL_API"):
        monkeypatch.delenv(name, raising=False)


def placed(folder: Path, name: str) -> Path:
    return Path(shutil.copy(EXPORTS / f"{name}.py", folder / f"{Path(name).name}.py"))


def checked(path: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["check", str(path), *options])


def test_three_bugs_a_stub_and_a_hosted_tools_token_are_five_findings_without_the_token(tmp_path: Path) -> None:
    path = placed(tmp_path, "checked")
    done = checked(path)
    *findings, verdict = done.stdout.splitlines()
    assert [finding.removeprefix(f"{path}:").split(": ")[:2] for finding in findings] == [
        ["6", "repaired"],
        ["25", "repaired"],
        ["73", "repaired"],
        ["6", "client tool"],
        ["13", "secret"],
    ]
    assert verdict == f"{path} runs"
    assert done.exit_code == 0
    assert TOKEN not in done.output


def test_hosted_tools_are_named_with_their_agent_and_stop_only_what_cannot_do_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = placed(tmp_path, "constructs/tools")
    done = checked(path)
    assert done.exit_code == 0
    hosted = [line for line in done.stdout.splitlines() if "OpenAI" in line]
    assert [line.split(":")[1] for line in hosted] == ["6", "16", "30", "36", "45"]
    assert "agent 'My agent' uses web_search_preview (WebSearchTool)" in hosted[0]
    assert "mcp (" not in done.stdout  # it has an address, so it can be called from here

    monkeypatch.setenv("OPENAI_BASE_URL", ELSEWHERE)
    done = checked(path)
    assert done.exit_code == 1
    assert done.stdout.count("error: OpenAI: ") == 5
    assert done.stdout.endswith("cannot run\n")

    monkeypatch.setenv("CHATDOCK_MODEL_API", "responses")
    assert checked(path).exit_code == 0


def test_a_hosted_tool_that_the_sidecar_binds_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", ELSEWHERE)
    path = placed(tmp_path, "bugs/file_search")
    assert "error: OpenAI: filesearch_result searches" in checked(path).stdout
    sidecar_path(path).write_text('[tools]\nfilesearch_result = "os.path:join"\n')
    done = checked(path)
    assert "OpenAI:" not in done.stdout
    assert done.exit_code == 0


def test_data_that_no_node_reads_was_a_widget(tmp_path: Path) -> None:
    path = placed(tmp_path, "constructs/flow")
    found = [line for line in checked(path).stdout.splitlines() if "widget" in line]
    assert [line.split(":")[1] for line in found] == ["132", "165"]
    sidecar_path(path).write_text('[agents.painter]\nshow = false\n[agents.counter]\nshow = "progress"\n')
    assert "widget" not in checked(path).stdout


def test_data_that_is_read_as_input_was_no_widget(tmp_path: Path) -> None:
    path = placed(tmp_path, "bugs/mixed")
    text = path.read_text().replace('planner_result["output_parsed"]["__typename"] == "Trip"', "True")
    path.write_text(text.replace(', {planner_result["output_parsed"]["model_config"]!r}', ""))
    assert "widget" not in checked(path).stdout


SECRETS = {
    '"authorization": "Bearer {}"': "a token stands in mcp, authorization",
    '"headers": {{ "X-Key": "{}" }}': "a header's value stands in mcp, header 'X-Key'",
    '"server_description": "sk-{}"': "an API key of OpenAI's stands in mcp",
    '"server_description": "call with Bearer {}"': "a bearer token stands in mcp",
    '"server_url": "https://example.com/?api_key={}"': "a secret in the address stands in mcp, server_url",
    '"server_url": "https://user:{}@example.com/"': "a secret in the address stands in mcp, server_url",
    '"server_url": "https://example.com/s/{}0123456789/mcp"': "a secret in the address stands in mcp, server_url",
    '"access_token": "{}"': "a secret stands in mcp, access_token",
    '"server_description": dict(api_key="{}")': "a secret stands in mcp, api_key",
    '"authorization": f"Bearer {}"': "a token stands in mcp, authorization",
    '"authorization": "Bearer " + "{}"': "a token stands in mcp, authorization",
    '"server_description": "postgresql://me:{}@db/"': "a secret in the address stands in mcp",
}


@pytest.mark.parametrize(("member", "said"), SECRETS.items(), ids=SECRETS.values())
def test_a_secret_is_named_by_place_and_kind_alone(tmp_path: Path, member: str, said: str) -> None:
    path = placed(tmp_path, "checked")
    text = path.read_text().replace('"authorization": "pk-canary-5f2b9d71c3"', member.format(TOKEN))
    path.write_text(text)
    done = checked(path)
    assert [line for line in done.stdout.splitlines() if "secret:" in line] == [
        f"{path}:13: secret: {said}: replace it where it came from, and read it from outside"
    ]
    assert TOKEN not in done.output


@pytest.mark.parametrize("value", ["{}", "f'Bearer {{{}}}'", "'Bearer ' + {}", "''"])
def test_a_value_that_is_read_from_outside_is_no_secret(tmp_path: Path, value: str) -> None:
    path = placed(tmp_path, "checked")
    outside = "__import__('os').environ.get('TOKEN', '')"
    path.write_text(path.read_text().replace('"pk-canary-5f2b9d71c3"', value.format(outside)))
    assert "secret" not in checked(path).stdout


def test_headers_that_say_what_is_sent_are_no_secret(tmp_path: Path) -> None:
    path = placed(tmp_path, "checked")
    headers = '"headers": {"Content-Type": "application/json", "User-Agent": "parcels"}'
    path.write_text(path.read_text().replace('"authorization": "pk-canary-5f2b9d71c3"', headers))
    assert "secret" not in checked(path).stdout


RAISES = {
    "its own": "raise ValueError(f'bad: {mcp.tool_config}')",
    "pydantic's": "ModelSettings(extra_headers=mcp.tool_config['authorization'])",
    "shortened": "ModelSettings(extra_headers=mcp.tool_config['authorization'] + 'x' * 200)",
    "a key": "{}[mcp.tool_config['authorization']]",
    "an exit": "__import__('sys').exit(mcp.tool_config['authorization'])",
    "not loaded": "= mcp",
    "an escape": "odd = '\\d'  # canary-5f2b9d71c3",
}


@pytest.mark.parametrize("line", RAISES.values(), ids=RAISES)
def test_no_error_and_no_warning_tells_a_secret(
    tmp_path: Path, line: str, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    path = placed(tmp_path, "checked")
    path.write_text(path.read_text().replace("courier = Agent(", f"{line}\ncourier = Agent("))
    done = checked(path)
    assert "5f2b9d" not in done.output
    assert [*recwarn] == []
    with pytest.raises(WorkflowError) if "odd" not in line else nullcontext() as caught:
        load_export(path)
    if caught is not None:
        assert "5f2b9d" not in "".join(traceback.format_exception(caught.value))
    assert "5f2b9d" not in "".join(capfd.readouterr())


CANNOT = {
    "own loop": ("state = {", "state = Runner.run_sync(courier, 'x') or {", "has an event loop of its own"),
    "several ids": ('"workflow_id": "wf_checked"', '"workflow_id": "wf_a", **{"workflow_id": "wf_b"}', "wf_a, wf_b"),
    "syntax": ("state = {", "state = = {", "mend it by hand"),
    "exception": ("# Tool definitions", "1 / 0", "ZeroDivisionError"),
}


@pytest.mark.parametrize(("old", "new", "said"), CANNOT.values(), ids=CANNOT.keys())
def test_what_stops_a_start_is_said_and_the_exit_code_tells(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = placed(tmp_path, "checked")
    path.write_text(path.read_text().replace(old, new))
    done = checked(path)
    assert done.exit_code == 1
    *_, error, verdict = done.stdout.splitlines()
    assert error.startswith(f"error: {path}")
    assert said in error
    assert verdict == f"{path} cannot run"
    assert TOKEN not in done.output


def test_a_file_that_serve_does_not_take_by_its_name_cannot_run(tmp_path: Path) -> None:
    path = Path(shutil.copy(EXPORTS / "checked.py", tmp_path / "checked.txt"))
    assert checked(path).exit_code == 1
    assert "its name must end in .py" in checked(path).output


def test_a_file_that_is_no_export_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "other.py"
    path.write_text("x = 1\n")
    assert checked(path).stdout == f"error: {path} is no export of Agent Builder\n{path} cannot run\n"
    assert checked(tmp_path / "nowhere.py").exit_code == 1


@pytest.mark.parametrize("name", ["checked", "constructs/tools", "constructs/flow", "bugs/file_search"])
def test_a_sidecar_is_started_with_everything_and_says_nothing_until_a_line_is_uncommented(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "my_tools", raising=False)
    path = placed(tmp_path, name)
    assert checked(path, "--write-sidecar").exit_code == 0
    sidecar = sidecar_path(path)
    text = sidecar.read_text()
    assert all(line.startswith("# ") or not line for line in text.splitlines())
    assert read_sidecar(path) == read_sidecar(tmp_path / "none.py")

    first, *lines = text.splitlines()
    uncommented = [line.removeprefix("# ") for line in lines if "widget" not in line and "refusal" not in line]
    sidecar.write_text("\n".join(uncommented))
    (tmp_path / "my_tools.py").write_text(
        "def __getattr__(name):\n    if name.startswith('__'):\n        raise AttributeError(name)\n    return print\n"
    )
    done = checked(path)
    assert done.exit_code == 0, done.output
    assert path.name in first


def test_a_sidecar_that_was_started_can_name_what_is_not_in_ascii(tmp_path: Path) -> None:
    path = placed(tmp_path, "checked")
    path.write_text(path.read_text().replace("courier", "übersetzer").replace("send_parcel", "größe"))
    assert checked(path, "--write-sidecar").exit_code == 0
    sidecar = sidecar_path(path)
    lines = sidecar.read_text(encoding="utf-8").splitlines()
    kept = [line.removeprefix("# ") for line in lines if "[agents" in line or "show" in line or "größe" in line]
    sidecar.write_text("\n".join([*kept[:2], "[tools]", *kept[2:]]), encoding="utf-8")
    read = read_sidecar(path)
    assert (read.agents["übersetzer"].show, read.tools) == (True, {"größe": "client"})


def test_a_sidecar_that_cannot_be_written_is_told_so(tmp_path: Path) -> None:
    path = placed(tmp_path, "checked")
    sidecar_path(path).symlink_to(tmp_path / "nowhere" / "checked.toml")
    done = checked(path, "--write-sidecar")
    assert done.exit_code == 1
    assert "cannot be written: No such file" in done.output


def test_a_sidecar_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = placed(tmp_path, "checked")
    sidecar_path(path).write_text("# mine\n")
    done = checked(path, "--write-sidecar")
    assert done.exit_code == 1
    assert "is there already" in done.output
    assert sidecar_path(path).read_text() == "# mine\n"
