"""A model that fails: the user reads what to do, the operator why, and what was said is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from agents import Agent, Model, ModelRetrySettings, ModelSettings, function_tool, retry_policies
from chatkit.errors import CustomStreamError

from chatdock.workflows.agents_sdk import failures
from tests.harness.client import Turn
from tests.harness.model_endpoint import Cut, Say, Status, Step, Use, Wait
from tests.harness.server import free_port
from tests.workflows.agents import KEY, Api, agent_server, scripted

PROMPT = "my secret plan"


@function_tool
def get_weather(city: str) -> str:
    """The weather."""
    return "sunny"


@function_tool(failure_error_function=None)
def sink(ship: str) -> str:
    """Tells the user itself what went wrong."""
    raise CustomStreamError(f"{ship} cannot be sunk.", allow_retry=False)


def guide(model: Model) -> Agent[Any]:
    return Agent(name="Guide", model=model, tools=[get_weather, sink])


def failed(tmp_path: Path, *steps: Step, make: Any = guide, **options: Any) -> tuple[Turn, list[Any]]:
    """The failed turn, and what was logged of it."""
    with structlog.testing.capture_logs() as logs, scripted(tmp_path, make, *steps, **options) as (chat, _):
        turn = chat.create(PROMPT)
    assert turn.outcome == "failed"
    assert turn.events[-1]["type"] == "error"
    told = [entry for entry in logs if entry["event"] == "model_failed"]
    assert KEY not in str(logs)
    assert PROMPT not in str(logs)
    return turn, told


def error(code: str | None = None, message: str = f"{KEY} {PROMPT}") -> dict[str, Any]:
    return {"message": message, "type": "error", "code": code}


LONG = "This model's maximum context length is 8192 tokens"


@pytest.mark.parametrize(
    ("status", "message", "allow_retry"),
    [
        (Status(400, error()), failures.FAILED, True),
        (Status(400, error("context_length_exceeded")), failures.TOO_LONG, False),
        (Status(400, error(message=LONG)), failures.TOO_LONG, False),
        (Status(401, error("invalid_api_key")), failures.UNAVAILABLE, True),
        (Status(403, error()), failures.UNAVAILABLE, True),
        (Status(404, error("model_not_found")), failures.UNAVAILABLE, True),
        (Status(429, error(), {"retry-after": "7"}), failures.BUSY, True),
        (Status(429, error("insufficient_quota")), failures.UNAVAILABLE, True),
        (Status(500, error()), failures.FAILED, True),
        (Status(503, error()), failures.BUSY, True),
    ],
    ids=lambda value: f"{value.code} {value.error['code']}" if isinstance(value, Status) else None,
)
@pytest.mark.parametrize("api", ["responses", "chat"])
def test_a_status_becomes_a_sentence_and_a_line_in_the_log(
    tmp_path: Path, api: Api, status: Status, message: str, allow_retry: bool
) -> None:
    turn, [entry] = failed(tmp_path, status, api=api)
    assert turn.events[-1] == {"type": "error", "code": "custom", "message": message, "allow_retry": allow_retry}
    assert (entry["status"], entry["request_id"]) == (status.code, "req_scripted")
    assert entry.get("code") == status.error["code"]
    assert entry.get("retry_after") == status.headers.get("retry-after")


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_a_stream_that_is_cut_keeps_what_came(tmp_path: Path, api: Api) -> None:
    turn, [entry] = failed(tmp_path, [Say("Half of it", whole=False), Cut()], api=api)
    assert turn.events[-1]["message"] == failures.BROKE_OFF
    assert turn.done("assistant_message")[0]["content"][0]["text"] == "Half of it"
    assert entry["cause"] == "RemoteProtocolError"


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_what_tools_did_before_the_model_failed_is_kept(tmp_path: Path, api: Api) -> None:
    turn, _ = failed(tmp_path, [Use("get_weather", {"city": "Rome"})], Status(500), api=api)
    [workflow] = turn.done("workflow")
    assert [task["title"] for task in workflow["workflow"]["tasks"]] == ["Get weather"]


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_a_model_that_is_silent_for_too_long(tmp_path: Path, api: Api) -> None:
    turn, _ = failed(tmp_path, [Say("Half of it", whole=False), Wait()], api=api, client={"timeout": 0.5})
    assert turn.events[-1]["message"] == failures.SLOW
    assert turn.done("assistant_message")[0]["content"][0]["text"] == "Half of it"


def test_a_model_that_nobody_serves(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    with structlog.testing.capture_logs() as logs, agent_server(tmp_path, url, guide) as server:
        turn = server.backend.chat().create()
    assert turn.events[-1]["message"] == failures.UNREACHABLE
    [entry] = [entry for entry in logs if entry["event"] == "model_failed"]
    assert (entry["cause"], entry["host"]) == ("ConnectError", "127.0.0.1")


def test_an_agent_that_calls_its_model_too_often(tmp_path: Path) -> None:
    calls: list[Step] = [[Use("get_weather", {"city": "Rome"}, f"call_{n}")] for n in range(3)]
    turn, _ = failed(tmp_path, *calls, max_turns=3)
    assert turn.events[-1]["message"] == failures.TOO_MANY_STEPS


def test_a_model_that_calls_what_does_not_exist(tmp_path: Path) -> None:
    turn, [entry] = failed(tmp_path, [Use("get_wether", {})])
    assert turn.events[-1]["message"] == failures.FAILED
    assert entry["error"] == "ModelBehaviorError"


def test_a_retry_of_the_client_does_not_double_what_was_said(tmp_path: Path) -> None:
    steps: list[Step] = [Status(500), [Say("Once.")]]
    with scripted(tmp_path, guide, *steps, client={"max_retries": 1}) as (chat, _):
        turn = chat.create()
    assert (turn.outcome, turn.text) == ("completed", "Once.")


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_a_retry_of_the_sdk_does_not_double_what_was_said(tmp_path: Path, api: Api) -> None:
    def patient(model: Model) -> Agent[Any]:
        retry = ModelRetrySettings(max_retries=2, policy=retry_policies.network_error())
        return Agent(name="Guide", model=model, model_settings=ModelSettings(retry=retry))

    with scripted(tmp_path, patient, [Say("Half of it", whole=False), Cut()], api=api) as (chat, endpoint):
        turn = chat.create()
        assert len(endpoint.requests) == 1
    assert turn.outcome == "failed"
    assert [item["content"][0]["text"] for item in turn.done("assistant_message")] == ["Half of it"]


def test_a_tool_says_itself_what_the_user_reads(tmp_path: Path) -> None:
    turn, told = failed(tmp_path, [Use("sink", {"ship": "Erna"})])
    assert turn.events[-1]["message"] == "Erna cannot be sunk."
    assert turn.events[-1]["allow_retry"] is False
    assert told == []


def test_a_failed_turn_can_be_tried_again(tmp_path: Path) -> None:
    with scripted(tmp_path, guide, Status(503), [Say("Now.")]) as (chat, endpoint):
        turn = chat.create()
        [question] = turn.done("user_message")
        again = Turn(chat.stream("threads.retry_after_item", thread_id=turn.thread_id, item_id=question["id"]))
        assert (again.outcome, again.text) == ("completed", "Now.")
        assert json.dumps(endpoint.requests[0]["input"]) == json.dumps(endpoint.requests[1]["input"])
