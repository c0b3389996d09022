"""The limits of requests: what is at a limit is taken, what is one over it is refused, and the message names both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from chatdock.chat.keys import create
from tests.harness.client import Backend
from tests.harness.server import ThreadServer, serving
from tests.rest.envelope import assert_error
from tests.rest.workflows import echo

SESSIONS, THREADS = "/v1/chatkit/sessions", "/v1/chatkit/threads"


def ask(server: ThreadServer, path: str = "", value: Any = None) -> httpx.Response:
    """Create a session, with one member, given as a dotted path, set to `value`."""
    body: dict[str, Any] = {"user": "u", "workflow": {"id": "wf_test"}}
    *parents, last = path.split(".")
    place = body
    for name in parents:
        place = place.setdefault(name, {"anchor": "created_at"} if name == "expires_after" else {})
    if last:
        place[last] = value
    return server.backend.http.post(SESSIONS, json=body)


def keys(count: int, length: int = 1) -> dict[str, int]:
    return {f"{n:0{length}d}": n for n in range(count)}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("user", "x"),
        ("user", "x" * 512),
        ("expires_after.seconds", 1),
        ("expires_after.seconds", 600),
        ("rate_limits.max_requests_per_1_minute", 1),
        ("workflow.state_variables", keys(64)),
        ("workflow.state_variables", {"k" * 64: 1}),
        ("workflow.state_variables", {"k": "x" * 1_000_000}),
        ("chatkit_configuration.history.recent_threads", 1),
        ("chatkit_configuration.file_upload.max_file_size", 512),
        ("chatkit_configuration.file_upload.max_files", 1),
        ("chatkit_configuration.file_upload.enabled", False),
        ("chatkit_configuration.file_upload.enabled", True),
        ("workflow.version", "never-seen"),
        ("workflow.version", ""),
        ("workflow.version", "v" * 10_000),
        ("workflow.state_variables", {"": 1}),
        ("expires_after.seconds", 600.0),
        ("rate_limits.max_requests_per_1_minute", 3.0),
        ("chatkit_configuration.file_upload.max_file_size", 5e1),
        ("expires_after", None),
        ("expires_after", {}),
        ("rate_limits", None),
        ("chatkit_configuration", None),
    ],
)
def test_what_is_at_a_limit_is_taken(server: ThreadServer, path: str, value: Any) -> None:
    assert ask(server, path, value).status_code == 200


@pytest.mark.parametrize(
    ("path", "value", "limit"),
    [
        ("user", "", "1"),
        ("user", "x" * 513, "512"),
        ("expires_after.seconds", 0, "1"),
        ("expires_after.seconds", 601, "600"),
        ("expires_after.anchor", "now", "created_at"),
        ("rate_limits.max_requests_per_1_minute", 0, "1"),
        ("workflow.state_variables", keys(65), "64"),
        ("chatkit_configuration.history.recent_threads", 0, "1"),
        ("chatkit_configuration.file_upload.max_file_size", 0, "1"),
        ("chatkit_configuration.file_upload.max_file_size", 513, "512"),
        ("chatkit_configuration.file_upload.max_files", 0, "1"),
    ],
)
def test_what_is_over_a_limit_is_refused_with_the_path_and_the_limit(
    server: ThreadServer, path: str, value: Any, limit: str
) -> None:
    assert_error(ask(server, path, value), 400, param=path, says=limit)


@pytest.mark.parametrize("key", ["k" * 65, "my-" + "k" * 62, "list[" + "k" * 60])
def test_a_key_of_a_state_variable_has_at_most_64_characters(server: ThreadServer, key: str) -> None:
    assert_error(ask(server, "workflow.state_variables", {key: 1}), 400, param=f"workflow.state_variables.{key}")


@pytest.mark.parametrize("key", ["plain", "with-dash", "list[0]", "str", "int"])
def test_a_state_variable_that_is_no_scalar_is_named(server: ThreadServer, key: str) -> None:
    values: tuple[Any, ...] = (None, [], {})
    for value in values:
        response = ask(server, "workflow.state_variables", {key: value})
        assert_error(response, 400, param=f"workflow.state_variables.{key}")


def test_the_limit_of_the_body_comes_before_that_of_a_state_variable(server: ThreadServer) -> None:
    """A value may have 10,485,760 characters; a body has 1 MB at most, unless the operator allows more."""
    assert_error(ask(server, "workflow.state_variables", {"k": "x" * 10_485_760}), 413, code="request_too_large")


def test_where_bodies_may_be_larger_a_state_variable_has_its_own_limit(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with serving(tmp_path_factory.mktemp("large"), [echo], max_body_bytes=11_000_000) as server:
        whole = ask(server, "workflow.state_variables", {"k": "x" * 10_485_760})
        assert len(whole.json()["workflow"]["state_variables"]["k"]) == 10_485_760
        over = ask(server, "workflow.state_variables", {"k": "x" * 10_485_761})
        assert_error(over, 400, param="workflow.state_variables.k", says="10485760")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("user", 1),
        ("user", None),
        ("workflow", "wf_test"),
        ("workflow.id", 1),
        ("workflow.version", 2),
        ("workflow.state_variables", [1]),
        ("workflow.tracing", True),
        ("workflow.tracing.enabled", "yes"),
        ("expires_after", 60),
        ("expires_after.seconds", "60"),
        ("expires_after.seconds", 1.5),
        ("expires_after.seconds", True),
        ("rate_limits.max_requests_per_1_minute", "3"),
        ("rate_limits.max_requests_per_1_minute", True),
        ("chatkit_configuration.history.enabled", 1),
        ("chatkit_configuration.automatic_thread_titling.enabled", "true"),
    ],
)
def test_a_wrong_type_is_refused_with_its_path(server: ThreadServer, path: str, value: Any) -> None:
    assert_error(ask(server, path, value), 400, param=path, code="invalid_value")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"workflow": {"id": "wf_test"}}, "user"),
        ({"user": "u"}, "workflow"),
        ({"user": "u", "workflow": {}}, "workflow.id"),
    ],
)
def test_a_missing_member_is_named(server: ThreadServer, body: dict[str, Any], param: str) -> None:
    response = server.backend.http.post(SESSIONS, json=body)
    assert_error(response, 400, param=param, code="missing", says=f"'{param}'")


def test_whole_numbers_are_shown_as_such_however_they_were_written(server: ThreadServer) -> None:
    made = ask(server, "chatkit_configuration.history.recent_threads", 2.0)
    assert '"recent_threads":2}' in made.text


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("rate_limits.max_requests_per_1_minute", "rate_limits.max_requests_per_1_minute"),
        ("chatkit_configuration.history.recent_threads", "chatkit_configuration.history.recent_threads"),
        ("chatkit_configuration.file_upload.max_files", "chatkit_configuration.file_upload.max_files"),
    ],
)
def test_a_number_without_a_limit_is_taken_and_the_answer_says_what_it_came_to(
    server: ThreadServer, path: str, shown: str
) -> None:
    made = ask(server, path, 10**30).raise_for_status().json()
    for name in shown.split("."):
        made = made[name]
    assert made == 1_000_000_000


def test_a_session_that_asks_for_uploads_is_told_that_there_are_none(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wanted = {"enabled": True, "max_file_size": 16, "max_files": 2}
    with serving(tmp_path, [echo]) as server:
        made = [ask(server, "chatkit_configuration.file_upload", wanted).json() for _ in range(2)]
        assert made[0]["chatkit_configuration"]["file_upload"] == {**wanted, "enabled": False}
        told = [line for line in capfd.readouterr().err.splitlines() if "file_upload_off" in line]
        assert len(told) == 1, "the operator is told once"
        chat = server.backend.chat_with(made[1]["client_secret"])
        assert chat.create("hello").outcome == "completed"
        for refused in (
            chat.http.post("/v1/chatkit/files", files={"file": ("a.txt", b"a", "text/plain")}),
            chat.post("attachments.create", {"name": "a.txt", "size": 1, "mime_type": "text/plain"}),
        ):
            assert_error(refused, 400, code="file_upload_disabled")
        message = chat.post("threads.create", {"input": {"content": [], "attachments": ["cfile_1"]}})
        assert_error(message, 400, param="params.input.attachments", code="file_upload_disabled")


def test_a_lifetime_that_the_operator_does_not_allow_is_shortened(tmp_path: Path) -> None:
    with serving(tmp_path, [echo], session_max_seconds=60, session_seconds=60) as server:
        made = ask(server, "expires_after.seconds", 600).raise_for_status().json()
        assert made["expires_at"] - server.world.clock.micros() // 1_000_000 <= 60
        assert_error(ask(server, "expires_after.seconds", 601), 400, param="expires_after.seconds", says="600")


def test_an_idempotency_key_has_up_to_255_characters(server: ThreadServer) -> None:
    def create_with(key: str) -> httpx.Response:
        body = {"user": "u", "workflow": {"id": "wf_test"}}
        return server.backend.http.post(SESSIONS, json=body, headers={"idempotency-key": key})

    assert create_with("k").status_code == create_with("k" * 255).status_code == 200
    assert_error(create_with("k" * 256), 400, param="Idempotency-Key", says="255")


# Lists


@pytest.fixture(scope="module")
def thread(server: ThreadServer) -> str:
    return server.backend.chat("lists").create().thread_id


@pytest.fixture(params=["threads", "items"])
def listing(request: pytest.FixtureRequest, thread: str) -> str:
    return THREADS if request.param == "threads" else f"{THREADS}/{thread}/items"


@pytest.mark.parametrize("limit", [0, 1, 100])
def test_a_page_may_hold_0_to_100(server: ThreadServer, listing: str, limit: int) -> None:
    response = server.backend.http.get(listing, params={"limit": limit})
    assert response.status_code == 200
    assert len(response.json()["data"]) <= limit


@pytest.mark.parametrize(("limit", "bound"), [("101", "100"), ("-1", "0"), ("abc", "integer"), ("1.5", "integer")])
def test_a_page_that_is_too_large_is_refused(server: ThreadServer, listing: str, limit: str, bound: str) -> None:
    assert_error(server.backend.http.get(listing, params={"limit": limit}), 400, param="limit", says=bound)


@pytest.mark.parametrize("order", ["up", "ASC"])
def test_an_order_is_asc_or_desc(server: ThreadServer, listing: str, order: str) -> None:
    response = server.backend.http.get(listing, params={"order": order})
    assert_error(response, 400, param="order", says="'asc' or 'desc'")


def test_the_user_filter_has_at_most_512_characters(server: ThreadServer) -> None:
    assert server.backend.http.get(THREADS, params={"user": "x" * 512}).status_code == 200
    assert_error(server.backend.http.get(THREADS, params={"user": "x" * 513}), 400, param="user", says="512")


def test_a_parameter_without_a_value_is_as_if_it_were_left_out(server: ThreadServer, thread: str) -> None:
    for path in (THREADS, f"{THREADS}/{thread}/items"):
        plain = server.backend.http.get(path).json()
        assert plain["data"]
        for written in ("after=", "before=", "after=&before=", "user=", "limit=", "order=", "limit=20.0"):
            assert server.backend.http.get(f"{path}?{written}").json() == plain


@pytest.mark.parametrize("name", ["after", "before"])
def test_a_cursor_is_an_element_of_the_list(server: ThreadServer, thread: str, name: str) -> None:
    chat = server.backend.chat("lists")
    other = chat.create().thread_id
    item, foreign_item = chat.items(thread)[0]["id"], chat.items(other)[0]["id"]
    secret = server.call(lambda: create(server.world.database, "elsewhere", "")).secret
    elsewhere = Backend(server.url, secret)
    stranger = elsewhere.chat().create().thread_id
    elsewhere.close()
    for cursor, parameters in (
        ("cthr_none", {}),
        ("x" * 10_000, {}),
        (item, {}),
        (stranger, {}),
        (thread, {"user": "another"}),
    ):
        response = server.backend.http.get(THREADS, params={name: cursor, **parameters})
        assert_error(response, 400, param=name, code="invalid_cursor")
    for cursor in ("cti_none", thread, foreign_item):
        response = server.backend.http.get(f"{THREADS}/{thread}/items", params={name: cursor})
        assert_error(response, 400, param=name, code="invalid_cursor")


def test_a_hidden_item_is_no_cursor(server: ThreadServer) -> None:
    thread_id = server.backend.chat("lists", "wf_items").create("hidden").thread_id
    hidden = server.call(lambda: server.world.database.read(lambda tx: _hidden(tx, thread_id)))
    response = server.backend.http.get(f"{THREADS}/{thread_id}/items", params={"after": hidden})
    assert_error(response, 400, param="after", code="invalid_cursor")


async def _hidden(tx: Any, thread_id: str) -> str:
    from chatdock.storage import items

    rows = await items.page(tx, thread_id, order="asc", count=10)
    return next(str(row["id"]) for row in rows if row["type"] == "hidden_context_item")
