"""`chatdock traces` tells what the scripted model said it used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from agents import Agent
from typer.testing import CliRunner

from chatdock import workflow
from chatdock.cli import app
from tests.harness.client import Turn
from tests.harness.model_endpoint import Say, Status, Use, Used, model_endpoint
from tests.harness.server import serving
from tests.tracing.test_agents import UNTITLED, chat_model, weather

DURATION = re.compile(r"\d+\.\d+ m?s")


class Told:
    """Two turns of a thread, the first of which failed, and one of another thread, as the command shows them."""

    def __init__(self, folder: Path, turns: list[Turn]) -> None:
        self.turns = turns
        self._database = f"sqlite:///{folder}/chatdock.db"

    def lines(self, *arguments: str) -> list[str]:
        result = CliRunner().invoke(app, ["traces", *arguments, "--database-url", self._database])
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines()

    def failure(self, *arguments: str) -> str:
        result = CliRunner().invoke(app, ["traces", *arguments, "--database-url", self._database])
        assert result.exit_code == 1
        return result.stderr


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("told")
    with model_endpoint(
        Status(500),
        [Use("weather", {"city": "Bergen"}), Used(100, 10)],
        [Say("It rains."), Used(300, 30, cached=128)],
        [Say("Hello."), Used(5, 6)],
    ) as endpoint:
        agent = Agent(name="Support", model=chat_model(endpoint), tools=[weather])
        with serving(folder, [workflow("wf_test", version="2")(agent)]) as server:
            chat = server.backend.chat(chatkit_configuration=UNTITLED)
            first = chat.create()
            second = chat.send(first.thread_id)
            third = chat.create()
    return Told(folder, [first, second, third])


def test_the_list_has_the_newest_turn_first_with_its_tokens(told: Told) -> None:
    rows = [line.split("\t") for line in told.lines()]
    first, second, third = told.turns
    assert [row[2:] for row in rows] == [
        ["wf_test 2", "completed", "5", "6", third.run_id, third.thread_id],
        ["wf_test 2", "completed", "400", "40", second.run_id, first.thread_id],
        ["wf_test 2", "failed", "0", "0", first.run_id, first.thread_id],
    ]
    for row in rows:
        assert DURATION.fullmatch(row[1])


def test_the_list_can_be_cut_and_is_one_projects(told: Told) -> None:
    assert len(told.lines("--count", "2")) == 2
    assert told.lines("--project", "other") == []


def test_a_run_is_a_tree_with_durations_and_tokens(told: Told) -> None:
    run = told.turns[1]
    head, about, *tree = [DURATION.sub("…", line) for line in told.lines(run.run_id)]
    assert head == f"run {run.run_id}  wf_test 2  completed  …  400 → 40 tokens"
    assert about.startswith(f"thread {run.thread_id}  user user_1  ")
    assert about.endswith("first text after …")
    assert tree == [
        "└─ invoke_agent Support  …",
        "   ├─ chat scripted-1  …  100 → 10 tokens",
        "   ├─ execute_tool weather  …",
        "   └─ chat scripted-1  …  300 → 30 tokens (128 cached)",
    ]


def test_a_thread_is_all_its_turns_and_errors_are_told(told: Told) -> None:
    lines = told.lines(told.turns[0].thread_id)
    heads = [line.split("  ")[0] for line in lines if line.startswith("run ")]
    assert heads == [f"run {turn.run_id}" for turn in told.turns[:2]]
    assert any(line.startswith("run ") and line.endswith("! InternalServerError") for line in lines)
    assert any("chat scripted-1" in line and line.endswith("! Error streaming response") for line in lines)


def test_an_id_that_nothing_is_known_of_is_named(told: Told) -> None:
    assert told.failure("crun_unknown") == "chatdock: there is no trace of 'crun_unknown'\n"
