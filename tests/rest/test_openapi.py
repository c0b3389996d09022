"""Our own description of the API: shown without a foreign host, in step with the public one, and true."""

from __future__ import annotations

import copy
import re
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies
from schemathesis import BaseSchema, CheckFunction, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.harness.server import API_KEY, ThreadServer
from tests.rest.public_schema import description

CONVERSATION = "/v1/chatkit/conversation"
OPERATIONS = [
    *((method, f"/v1{path}") for path, methods in description()["paths"].items() for method in methods),
    ("post", CONVERSATION),
]
BREAKABLE = [("post", "/v1/chatkit/sessions"), ("get", "/v1/chatkit/threads"), ("post", CONVERSATION)]
BREAKABLE += [("get", "/v1/chatkit/threads/{thread_id}/items")]
"""Those that take more than an id: there is no such thing as an id that breaks the description."""

EXCLUDED: list[CheckFunction] = [
    # What fits the description may still be refused: a cursor has to be the id of an element, a number must not be
    # written as 60.0, and a message needs content.
    positive_data_acceptance,
]


@pytest.fixture(scope="module")
def ours(server: ThreadServer) -> dict[str, Any]:
    document: dict[str, Any] = server.backend.http.get("/openapi.json").raise_for_status().json()
    return document


def test_the_docs_come_from_this_server_alone(server: ThreadServer) -> None:
    page = server.backend.http.get("/docs").raise_for_status()
    assert b"//" not in page.content.replace(b"<!DOCTYPE html>", b"").replace(b"/* ", b""), "no address with a host"
    linked = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)["']""", page.text)
    assert "/openapi.json" in linked
    assert len(linked) >= 4
    for path in linked:
        assert path.startswith("/")
        assert server.backend.http.get(path).status_code == 200, path


def test_every_public_operation_is_described_and_no_other(ours: dict[str, Any]) -> None:
    described = {(method, path) for path, methods in ours["paths"].items() for method in methods}
    assert described == set(OPERATIONS)


def test_parameters_have_the_limits_of_the_public_description(ours: dict[str, Any]) -> None:
    for path, methods in description()["paths"].items():
        for method, operation in methods.items():
            mine = (
                {p["name"]: p for p in ours["paths"][f"/v1{path}"][method]["parameters"] if p["in"] != "header"}
                if (operation["parameters"])
                else {}
            )
            assert set(mine) == {parameter["name"] for parameter in operation["parameters"]}
            for parameter in operation["parameters"]:
                assert mine[parameter["name"]]["required"] == parameter["required"]
                limits = _limits(parameter["schema"])
                assert limits.items() <= _limits(mine[parameter["name"]]["schema"]).items()


def _limits(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: schema[name] for name in ("minimum", "maximum", "minLength", "maxLength") if name in schema
    }
    for branch in schema.get("anyOf", ()):
        found |= _limits(branch)
    return found


def test_each_operation_names_the_credential_that_it_takes(ours: dict[str, Any]) -> None:
    schemes = ours["components"]["securitySchemes"]
    for path, methods in ours["paths"].items():
        for operation in methods.values():
            [[scheme]] = operation["security"]
            assert scheme in schemes
            assert scheme == ("clientSecret" if path == CONVERSATION else "apiKey")
            assert "401" in operation["responses"]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer wrong"}])
def test_no_operation_answers_without_its_credential(
    anonymous: httpx.Client, method: str, path: str, header: dict[str, str]
) -> None:
    url = re.sub(r"{\w+}", "x", path)
    assert anonymous.request(method, url, headers=header).status_code == 401


# What is described is what happens: for requests that fit the description, and for those that do not.


@pytest.fixture(scope="module")
def described(ours: dict[str, Any]) -> BaseSchema:
    """The description without its credentials: every request that is made up has the right one."""
    document = copy.deepcopy(ours)
    for methods in document["paths"].values():
        for operation in methods.values():
            del operation["security"]
    return schemathesis.openapi.from_dict(document)


@pytest.fixture(scope="module")
def credentials(server: ThreadServer) -> dict[str, str]:
    secret = server.backend.session()["client_secret"]
    return {path: f"Bearer {secret if path == CONVERSATION else API_KEY}" for _, path in OPERATIONS}


@pytest.mark.filterwarnings("ignore:Do not use the .random. module inside strategies")  # schemathesis does
@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        *((*operation, GenerationMode.POSITIVE) for operation in OPERATIONS),
        *((*operation, GenerationMode.NEGATIVE) for operation in BREAKABLE),
    ],
)
def test_the_description_holds_for_requests_that_nobody_thought_of(
    server: ThreadServer,
    described: BaseSchema,
    credentials: dict[str, str],
    method: str,
    path: str,
    mode: GenerationMode,
) -> None:
    thread_id = server.backend.chat("fuzzed").create().thread_id

    @given(case=described[path][method].as_strategy(generation_mode=mode), known=strategies.booleans())
    @settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def holds(case: schemathesis.Case[Any], known: bool) -> None:
        if known and mode is GenerationMode.POSITIVE and "thread_id" in case.path_parameters:
            case.path_parameters["thread_id"] = thread_id
        headers = {"authorization": credentials[path]}
        case.call_and_validate(base_url=server.url, headers=headers, timeout=10, excluded_checks=EXCLUDED)

    holds()
