"""Everybody sees their own: a matrix of every door and every caller, and the ways round it that others fell for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import httpx
import pytest

from chatdock import Turn
from chatdock.chat import keys
from chatdock.protocol import operations
from tests.chat.conftest import Stage
from tests.chat.matrix import CALLERS, OPERATIONS, ROUTES, Targets
from tests.chat.shapes import Script, call, done, form, widget
from tests.harness.client import Backend, Chat
from tests.harness.server import API_KEY, eventually

MISSING = "0" * 36
DOORS = {("post", "/v1/chatkit/conversation")}
"""Not in `ROUTES`: its operations have a table of their own."""


async def furnishes(turn: Turn) -> Script:
    if turn.message is not None and turn.text == "furnish":
        yield done(widget(turn))
        yield done(form(turn))
        yield done(call(turn))
    else:
        yield "ok"


class Street:
    """The owner, their belongings, and all the callers at their doors."""

    def __init__(self, stage: Stage, other: Backend) -> None:
        self.stage = stage
        backend = stage.backend
        self.user = stage.user(furnishes)
        self.chat = backend.chat(self.user)
        expired = backend.session(self.user, expires_after={"anchor": "created_at", "seconds": 1})
        cancelled = backend.session(self.user)
        backend.http.post(f"/v1/chatkit/sessions/{cancelled['id']}/cancel")
        foreign = stage.user(furnishes)
        other_secret = other.session(self.user)["client_secret"]
        self.secrets = {
            "owner": self.chat.secret,
            "other_user": backend.session(foreign)["client_secret"],
            "other_project": other_secret,
            "expired": expired["client_secret"],
            "cancelled": cancelled["client_secret"],
            "none": "",
            "wrong_kind": API_KEY,
        }
        self.keys = {
            "owner": API_KEY,
            "other_user": API_KEY,
            "other_project": other.http.headers["authorization"].removeprefix("Bearer "),
            "expired": expired["client_secret"],
            "cancelled": cancelled["client_secret"],
            "none": "",
            "wrong_kind": self.chat.secret,
        }
        gone = backend.chat_with(expired["client_secret"])
        eventually(lambda: gone.post("threads.list").status_code == 401)

    def furnish(self) -> Targets:
        """A thread of the owner's with one of everything."""
        turn = self.chat.create("furnish")
        session = self.stage.backend.session(self.user)["id"]
        ids = {item["type"]: item["id"] for item in self.chat.items(turn.thread_id)}
        return Targets(session, turn.thread_id, ids["user_message"], ids["widget"], ids["structured_input"])

    def operate(self, caller: str, operation: str, params: dict[str, Any]) -> httpx.Response:
        """Send an operation as the caller."""
        chat = self.stage.backend.chat_with(self.secrets[caller])
        if caller == "none":
            del chat.http.headers["authorization"]
        return chat.post(operation, params)

    def request(self, caller: str, method: str, path: str, params: dict[str, Any]) -> httpx.Response:
        """Call a route as the caller."""
        headers = {"authorization": f"Bearer {self.keys[caller]}"} if self.keys[caller] else {}
        body = params.get("json")
        url = self.stage.server.url + path.format(**{name: value for name, value in params.items() if name != "json"})
        return httpx.request(method, url, headers=headers, json=body, verify=False)


@pytest.fixture(scope="module")
def other_project(stage: Stage) -> Iterator[Backend]:
    """The back end of another project."""
    made = stage.server.call(lambda: keys.create(stage.server.world.database, "elsewhere", "test"))
    backend = Backend(stage.server.url, made.secret)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def street(stage: Stage, other_project: Backend) -> Street:
    """One for the module."""
    return Street(stage, other_project)


def operation_names() -> set[str]:
    """The types of all operations that the conversation endpoint knows."""
    union = get_args(get_args(operations.AnyOperation)[0])
    return {get_args(model.model_fields["type"].annotation)[0] for model in union}


def test_every_operation_and_every_route_has_a_row(stage: Stage) -> None:
    assert set(OPERATIONS) == operation_names()
    described = stage.backend.http.get("/openapi.json").json()["paths"]
    routes = {(method, path) for path, methods in described.items() for method in methods}
    assert set(ROUTES) == routes - DOORS


def renamed(text: str, targets: Targets) -> str:
    """A body with the targets' ids replaced."""
    for value in vars(targets).values():
        text = text.replace(value, value.partition("_")[0] + "_" + MISSING)
    return text


MISSING_TARGETS = Targets(*(f"{kind}_{MISSING}" for kind in ("cksess", "cthr", "cti", "cti", "cti")))


STRANGERS = [caller for caller in CALLERS if caller != "owner"]


@pytest.mark.parametrize("operation", list(OPERATIONS))
def test_an_operation_answers_each_caller_as_the_table_says(street: Street, operation: str) -> None:
    row, targets = OPERATIONS[operation], street.furnish()
    before = street.chat.items(targets.thread)
    for caller in STRANGERS:
        response = street.operate(caller, operation, row.params(targets))
        assert response.status_code == row.expected(caller), (caller, response.text)
        assert targets.thread not in response.text.replace(f"'{targets.thread}' not found", ""), caller
        if row.expected(caller) == 404:
            missing = street.operate(caller, operation, row.params(MISSING_TARGETS))
            assert (missing.status_code, missing.text) == (404, renamed(response.text, targets)), caller
    assert street.chat.items(targets.thread) == before
    response = street.operate("owner", operation, row.params(targets))
    assert response.status_code == row.owner, response.text


@pytest.mark.parametrize("route", list(ROUTES), ids=" ".join)
def test_a_route_answers_each_caller_as_the_table_says(street: Street, route: tuple[str, str]) -> None:
    (method, path), row = route, ROUTES[route]
    targets = street.furnish()
    for caller in [*STRANGERS[1:], "owner"]:
        response = street.request(caller, method, path, row.params(targets))
        assert response.status_code == row.expected(caller, rest=True), (caller, response.text)
        if caller == "owner":
            continue
        assert targets.thread not in response.text.replace(f"'{targets.thread}' not found", ""), caller
        assert len(street.chat.items(targets.thread)) == 4, caller
        if row.expected(caller, rest=True) == 404:
            missing = street.request(caller, method, path, row.params(MISSING_TARGETS))
            assert (missing.status_code, missing.text) == (404, renamed(response.text, targets)), caller
    again = street.furnish()
    assert street.request("other_user", method, path, row.params(again)).status_code == row.owner


def test_every_secret_that_opens_nothing_gets_the_same_answer(street: Street) -> None:
    broken = [street.chat.secret[:-1], street.chat.secret[::-1], "ek_", "x" * 5000, "ek_é".encode().decode("latin-1")]
    bodies = {street.operate(caller, "threads.list", {}).text for caller in ("expired", "cancelled", "wrong_kind")}
    for secret in broken:
        headers = [(b"authorization", b"Bearer " + secret.encode("latin-1"))]
        response = street.stage.backend.chat_with("x").http.post(
            "/v1/chatkit/conversation", json={"type": "threads.list"}, headers=headers
        )
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer realm=")
        bodies.add(response.text)
    assert len(bodies) == 1


def both(chat: Chat, operation: str, params: dict[str, Any], name: str) -> tuple[httpx.Response, str]:
    """The answer about something foreign, after it was compared with the answer about something missing."""
    foreign = chat.post(operation, params)
    blank = "x" * len(name)
    swapped = {key: [blank] if value == [name] else blank if value == name else value for key, value in params.items()}
    missing = chat.post(operation, swapped)
    assert (foreign.status_code, foreign.text.replace(name, blank)) == (missing.status_code, missing.text)
    return foreign, blank


def test_neither_cursors_nor_items_reach_into_another_thread(street: Street) -> None:
    chat = street.stage.backend.chat_with(street.secrets["other_user"])
    mine, theirs = chat.create().thread_id, street.furnish()
    action = {"type": "go"}
    attempts: list[tuple[str, dict[str, Any], str, int]] = [
        ("threads.list", {"after": theirs.thread}, theirs.thread, 400),
        ("items.list", {"thread_id": mine, "after": theirs.message}, theirs.message, 400),
        ("threads.retry_after_item", {"thread_id": mine, "item_id": theirs.message}, theirs.message, 404),
        ("threads.custom_action", {"thread_id": mine, "item_id": theirs.widget, "action": action}, theirs.widget, 404),
        (
            "threads.sync_custom_action",
            {"thread_id": mine, "item_id": theirs.widget, "action": action},
            theirs.widget,
            404,
        ),
        ("threads.add_structured_input", {"thread_id": mine, "item_id": theirs.form, "input": {}}, theirs.form, 404),
        ("items.feedback", {"thread_id": mine, "item_ids": [theirs.form], "kind": "positive"}, theirs.form, 404),
    ]
    for operation, params, name, status in attempts:
        foreign, _ = both(chat, operation, params, name)
        assert foreign.status_code == status, operation


def test_a_run_of_another_users_thread_cannot_be_followed(street: Street) -> None:
    theirs = street.chat.create()
    chat = street.stage.backend.chat_with(street.secrets["other_user"])
    mine = chat.create().thread_id
    foreign = f"{theirs.run_id}:1"
    missing = f"crun_{MISSING}:1"
    for thread_id in (mine, theirs.thread_id):
        answers = [
            chat.post("threads.resume", {"thread_id": thread_id, "starting_after": start})
            for start in (foreign, missing)
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text.replace(theirs.run_id, f"crun_{MISSING}") == answers[1].text
        by_header = chat.post("threads.resume", {"thread_id": thread_id}, headers={"last-event-id": foreign})
        assert (by_header.status_code, by_header.text) == (404, answers[0].text)
