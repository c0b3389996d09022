"""What the public description of the API accepts is accepted, and what ours says of null is what happens."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from schemathesis import BaseSchema, GenerationMode

from tests.harness.server import ThreadServer
from tests.rest.public_schema import description

REQUESTS = json.loads((Path(__file__).parent.parent / "data" / "wire" / "requests.json").read_text(encoding="utf-8"))
"""One request of each operation of the chat protocol, as the element sends it."""


@pytest.fixture(scope="module")
def published() -> BaseSchema:
    """The public description, with what it says of sessions in words alone and with our own limits: user, integers."""
    document = copy.deepcopy(description())
    document["paths"]["/chatkit/sessions"]["post"]["requestBody"]["required"] = True
    schemas = document["components"]["schemas"]
    schemas["WorkflowParam"]["properties"]["id"] = {"const": "wf_test"}
    schemas["CreateChatSessionBody"]["properties"]["user"]["maxLength"] = 512
    variables = schemas["WorkflowParam"]["properties"]["state_variables"]
    variables["propertyNames"] = {"maxLength": 64}
    [integer] = [kind for kind in variables["additionalProperties"].pop("oneOf") if kind["type"] == "integer"]
    integer |= {"minimum": -(2**63), "maximum": 2**63 - 1}
    variables["additionalProperties"] = {"anyOf": [{"type": "string"}, integer, {"type": "boolean"}]}
    return schemathesis.openapi.from_dict(document)


@pytest.mark.filterwarnings("ignore:Do not use the .random. module inside strategies")  # schemathesis does
def test_a_session_request_that_fits_the_public_description_makes_a_session(
    server: ThreadServer, published: BaseSchema
) -> None:
    bodies = published["/chatkit/sessions"]["post"].as_strategy(generation_mode=GenerationMode.POSITIVE)

    @given(case=bodies)
    @settings(max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def makes_a_session(case: schemathesis.Case[Any]) -> None:
        made = server.backend.http.post("/v1/chatkit/sessions", json=case.body)
        assert made.status_code == 200, f"{made.text}: {case.body!r}"

    makes_a_session()


@pytest.mark.parametrize("workflow_id", ["", "wf_", "w" * 10_000])
def test_a_workflow_that_is_not_here_is_not_found_whatever_its_id(server: ThreadServer, workflow_id: str) -> None:
    body = {"user": "u", "workflow": {"id": workflow_id}}
    assert server.backend.http.post("/v1/chatkit/sessions", json=body).status_code == 404


def changed(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The body with each of its members null, one at a time."""
    node = body
    for step in path:
        node = node[step]
    for step in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        other = copy.deepcopy(body)
        place = other
        for before in path:
            place = place[before]
        place[step] = None
        yield ".".join(map(str, (*path, step))), other
        yield from changed(body, (*path, step))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request["name"])
def test_null_is_accepted_where_our_description_says_so_and_nowhere_else(
    server: ThreadServer, ours: dict[str, Any], request_: dict[str, Any]
) -> None:
    validator = Draft202012Validator({**ours["components"]["schemas"]["Operation"], "components": ours["components"]})
    chat = server.backend.chat("nulls")
    body = {"metadata": {}, **request_["body"]}
    assert validator.is_valid(body)
    for path, other in changed(body):
        answer = chat.http.post("/v1/chatkit/conversation", json=other)
        refused = answer.status_code == 400 and answer.json()["error"]["code"] in UNFIT
        assert refused != validator.is_valid(other), f"{path}: null: {answer.status_code} {answer.text[:200]}"


UNFIT = {"invalid_value", "missing", "unknown_type"}
"""What a request gets that does not fit; others fit and name what is not there."""


@pytest.fixture(scope="module")
def ours(server: ThreadServer) -> dict[str, Any]:
    """Our description."""
    document: dict[str, Any] = httpx.get(f"{server.url}/openapi.json", verify=False).raise_for_status().json()
    return document


@pytest.mark.parametrize("operation", ["threads.list", "items.list"])
@pytest.mark.parametrize("members", [{"after": "", "order": None}, {"after": None, "limit": 1.0}, {"limit": None}])
def test_a_page_is_asked_for_with_what_clients_write_for_nothing(
    server: ThreadServer, operation: str, members: dict[str, Any]
) -> None:
    chat = server.backend.chat("pages of nothing")
    thread_id = chat.create().thread_id
    params = {"thread_id": thread_id} if operation == "items.list" else {}
    page = chat.call(operation, **params, **members)
    assert page["data"]
    assert page["data"][0] == chat.call(operation, **params)["data"][0]
