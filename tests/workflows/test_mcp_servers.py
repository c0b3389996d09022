"""The MCP servers of agents are connected while the server runs, whoever has them and whatever becomes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog
from agents import Agent, Model, OpenAIChatCompletionsModel
from agents.mcp import MCPServer, MCPServerStdio

from chatdock import workflow
from chatdock.app import create_app
from chatdock.settings import Settings
from chatdock.workflows.workflow import WorkflowError
from tests.harness.model_endpoint import Say, Step, Use, model_endpoint
from tests.harness.openai_client import openai_client
from tests.harness.server import eventually, free_port, serving
from tests.workflows.agents import Api, scripted

SHIPS = """
import os
from mcp.server import MCPServer

server = MCPServer("ships")

@server.tool()
def berth(ship: str) -> str:
    "Where a ship lies."
    return f"{ship} lies at berth {os.getpid()}"

server.run("stdio")
"""


class Harbour(MCPServer):
    """Tools of this process; notes what becomes of the connection."""

    def __init__(self, name: str = "harbour") -> None:
        super().__init__()
        self.noted: list[str] = []
        self.broken = False
        self.away = False
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    async def connect(self) -> None:
        self.noted.append("connect")
        if self.away:
            raise ConnectionError("nobody there")
        self.broken = False

    async def cleanup(self) -> None:
        self.noted.append("cleanup")

    async def list_tools(self, run_context: Any = None, agent: Any = None) -> list[Any]:
        if self.broken or "connect" not in self.noted:
            raise ConnectionError("broken")
        from mcp.types import Tool

        return [Tool.model_validate({"name": f"{self.name}_tides", "inputSchema": {"type": "object"}})]

    async def call_tool(self, tool_name: str, arguments: Any, meta: Any = None) -> Any:
        self.noted.append("call")
        if self.broken:
            raise ConnectionError("broken")
        from mcp.types import CallToolResult

        return CallToolResult.model_validate({"content": [{"type": "text", "text": "at nine"}]})

    async def list_prompts(self) -> Any:
        raise NotImplementedError

    async def get_prompt(self, name: str, arguments: Any = None) -> Any:
        raise NotImplementedError


def asked_tools(request: Any) -> list[str]:
    return [tool["function"]["name"] if "function" in tool else tool["name"] for tool in request["tools"]]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_server_is_connected_again_when_it_has_died_and_ends_with_ours(tmp_path: Path) -> None:
    (tmp_path / "ships.py").write_text(SHIPS)
    server = MCPServerStdio(
        {"command": sys.executable, "args": [str(tmp_path / "ships.py")]},
        name="ships",
        client_session_timeout_seconds=20,
    )

    def guide(model: Model) -> Agent[Any]:
        return Agent(name="Guide", model=model, mcp_servers=[server])

    def said(requests: list[Any]) -> int:
        [output] = [item for item in requests[-1]["input"] if item.get("type") == "function_call_output"]
        return int(str(output["output"]).rpartition("berth ")[2].split("'")[0].split('"')[0])

    steps: list[Step] = [[Use("berth", {"ship": "Erna"})], [Say("There.")]] * 2
    with structlog.testing.capture_logs() as logs, scripted(tmp_path, guide, *steps) as (chat, endpoint):
        turn = chat.create("Where is Erna?")
        assert (turn.outcome, turn.text) == ("completed", "There.")
        assert [task["title"] for task in turn.done("workflow")[0]["workflow"]["tasks"]] == ["Berth"]
        first = said(endpoint.requests)
        os.kill(first, signal.SIGKILL)
        eventually(lambda: not alive(first), what="the end of the server's process")
        again = chat.create("And now?")
        assert (again.outcome, again.text) == ("completed", "There.")
        second = said(endpoint.requests)
        assert second != first
    assert [entry["server"] for entry in logs if entry["event"] == "mcp_server_reconnects"] == ["ships"]
    eventually(lambda: not alive(second), what="the end of the server's process")


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_servers_of_everybody_whom_an_agent_reaches_are_connected(tmp_path: Path, api: Api) -> None:
    servers = {name: Harbour(name) for name in ("own", "billing", "expert", "deep")}

    def desk(model: Model) -> Agent[Any]:
        deep = Agent(name="Deep", model=model, mcp_servers=[servers["deep"]])
        billing = Agent(name="Billing", model=model, mcp_servers=[servers["billing"]], handoffs=[deep])
        expert = Agent(name="Expert", model=model, mcp_servers=[servers["expert"]])
        asks = expert.as_tool("ask_expert", "Ask the expert.")
        deep.handoffs = [billing]
        return Agent(name="Desk", model=model, mcp_servers=[servers["own"]], handoffs=[billing], tools=[asks])

    steps: list[Step] = [
        [Use("ask_expert", {"input": "tides"})],
        [Say("Nine.")],
        [Use("transfer_to_billing", call_id="call_2")],
        [Say("Done.")],
    ]
    with scripted(tmp_path, desk, *steps, api=api) as (chat, endpoint):
        turn = chat.create()
        assert turn.outcome == "completed"
        assert "own_tides" in asked_tools(endpoint.requests[0])
        assert asked_tools(endpoint.requests[1]) == ["expert_tides"]
        assert "billing_tides" in asked_tools(endpoint.requests[3])
        assert [server.noted for server in servers.values()] == [["connect"]] * 4
    assert [server.noted for server in servers.values()] == [["connect", "cleanup"]] * 4


def test_one_server_of_several_agents_and_versions_is_connected_once(tmp_path: Path) -> None:
    shared = Harbour()
    with model_endpoint([Say("One.")], [Say("Two.")]) as endpoint:
        model = OpenAIChatCompletionsModel("scripted", openai_client(endpoint.url))
        agents = [Agent(name=name, model=model, mcp_servers=[shared]) for name in ("One", "Two")]
        made = [
            workflow("wf_test", version="1")(agents[0]),
            workflow("wf_test", version="2")(agents[0]),
            workflow("wf_other")(agents[1]),
        ]
        for entry in made:
            entry.titler(lambda turn: None)
        with serving(tmp_path, made) as server:
            assert server.backend.chat(workflow="wf_test").create().text == "One."
            assert server.backend.chat(workflow="wf_other").create().text == "Two."
            assert shared.noted == ["connect"]
        assert shared.noted == ["connect", "cleanup"]
        endpoint.steps = [[Say("Three.")]]
        agents[0].model = OpenAIChatCompletionsModel("scripted", openai_client(endpoint.url))
        with serving(tmp_path, made) as server:  # another start in the same process
            assert server.backend.chat(workflow="wf_test").create().text == "Three."
    assert shared.noted == ["connect", "cleanup"] * 2


def test_a_server_that_stays_away_fails_the_turn_with_a_retry_and_comes_back(tmp_path: Path) -> None:
    harbour = Harbour()

    def guide(model: Model) -> Agent[Any]:
        return Agent(name="Guide", model=model, mcp_servers=[harbour])

    with structlog.testing.capture_logs() as logs, scripted(tmp_path, guide, [Say("Nine.")]) as (chat, _):
        harbour.broken = harbour.away = True
        turn = chat.create()
        assert (
            turn.events[-1]["message"] == "A tool of this assistant could not be reached. Please try again in a moment."
        )
        assert turn.events[-1]["allow_retry"] is True
        harbour.away = False
        assert chat.create().text == "Nine."
    [entry] = [entry for entry in logs if entry["event"] == "mcp_server_unreachable"]
    assert (entry["server"], str(entry["error"])) == ("harbour", "nobody there")


def test_a_call_over_a_broken_connection_is_made_once_and_the_next_finds_a_new_one(tmp_path: Path) -> None:
    harbour = Harbour()

    class Breaking(Harbour):
        async def call_tool(self, tool_name: str, arguments: Any, meta: Any = None) -> Any:
            self.broken = self.noted.count("call") == 0
            return await super().call_tool(tool_name, arguments, meta)

    harbour = Breaking()

    def guide(model: Model) -> Agent[Any]:
        return Agent(name="Guide", model=model, mcp_servers=[harbour])

    steps: list[Step] = [[Use("harbour_tides")], [Use("harbour_tides", call_id="call_2")], [Say("Nine.")]]
    with scripted(tmp_path, guide, *steps) as (chat, _):
        assert chat.create().text == "Nine."
        assert harbour.noted == ["connect", "call", "cleanup", "connect", "call"]


@pytest.mark.anyio
async def test_a_server_that_cannot_be_reached_refuses_the_start_and_leaves_none_connected(tmp_path: Path) -> None:
    there, away = Harbour("there"), Harbour("away")
    away.away = True
    agent = Agent(
        name="Guide",
        model=OpenAIChatCompletionsModel("m", openai_client("http://127.0.0.1:9")),
        mcp_servers=[there, away],
    )
    app: Any = create_app(Settings(database_url=f"sqlite:///{tmp_path}/chatdock.db"), [workflow("wf_test")(agent)])
    with pytest.raises(WorkflowError, match=r"MCP server 'away' of agent 'Guide' cannot be reached: .*nobody there"):
        async with app._app.router.lifespan_context(app._app):
            raise AssertionError("it has started")
    assert there.noted == ["connect", "cleanup"]


@pytest.mark.slow
def test_the_command_says_in_one_line_which_server_cannot_be_reached(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(
        "from agents import Agent\n"
        "from agents.mcp import MCPServerStreamableHttp\n"
        "from chatdock import workflow\n"
        f"url = 'http://127.0.0.1:{free_port()}/mcp?key=sk-secret'\n"
        "ships = MCPServerStreamableHttp({'url': url}, name='ships')\n"
        "workflow('wf_test')(Agent(name='Guide', mcp_servers=[ships]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "chatdock", "serve", "flows.py", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "OPENAI_API_KEY": "none"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "chatdock: the MCP server 'ships' of agent 'Guide' cannot be reached: "
    )
    assert "Traceback" not in done.stderr
    assert "sk-secret" not in done.stderr
