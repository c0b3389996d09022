"""Sessions: what their secrets look like, when they end, and that a repeated request makes one session, not two."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from chatdock import Turn, workflow
from chatdock.chat.keys import create
from tests.harness.client import ApiFailure, Backend, Json, message
from tests.harness.server import API_KEY, ThreadServer, eventually, serving
from tests.rest.envelope import assert_error
from tests.rest.workflows import echo

SESSIONS = "/v1/chatkit/sessions"
BODY: Json = {"user": "ada", "workflow": {"id": "wf_test"}}
SECRET = re.compile(r"ek_[0-9a-f]{48}_00[A-Za-z0-9+/]+={0,2}")
Project = Callable[[str], Backend]
SECOND: Json = {"anchor": "created_at", "seconds": 1}

go_on = threading.Event()


@workflow("wf_patient")
async def patient(turn: Turn) -> AsyncIterator[str]:
    """Begins, and ends when it may."""
    yield "begun, "
    while not go_on.is_set():
        await asyncio.sleep(0.01)
    yield "done"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sessions")


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[ThreadServer]:
    with serving(data, [echo, patient]) as running:
        yield running


def cancel(server: ThreadServer, session: Json) -> Json:
    response = server.backend.http.post(f"{SESSIONS}/{session['id']}/cancel")
    assert response.status_code == 200
    body: Json = response.json()
    return body


def create_again(backend: Backend, key: str, body: Json = BODY) -> httpx.Response:
    return backend.http.post(SESSIONS, json=body, headers={"idempotency-key": key})


@pytest.fixture
def project(server: ThreadServer) -> Iterator[Project]:
    """Makes a back end with a new key of a project."""
    made: list[Backend] = []

    def make(name: str) -> Backend:
        secret = server.call(lambda: create(server.world.database, name, "")).secret
        made.append(Backend(server.url, secret))
        return made[-1]

    yield make
    for backend in made:
        backend.close()


# Secrets


def test_a_client_secret_ends_with_its_expiry_where_clients_look_for_it(server: ThreadServer) -> None:
    session = server.backend.session(expires_after={"anchor": "created_at", "seconds": 60})
    assert SECRET.fullmatch(session["client_secret"])
    tail = session["client_secret"].rpartition("_")[2]
    assert json.loads(base64.b64decode(tail[2:], validate=True)) == {"expires_at": session["expires_at"]}


def test_no_two_secrets_are_alike(server: ThreadServer) -> None:
    secrets = {server.backend.session()["client_secret"] for _ in range(20)}
    assert len({secret[3:51] for secret in secrets}) == 20


def test_secrets_and_keys_are_in_no_file_of_the_database(server: ThreadServer, data: Path, project: Project) -> None:
    backend = project("planted")
    planted = [API_KEY, backend.http.headers["authorization"].removeprefix("Bearer ")]
    planted += [server.backend.session("findable-user")["client_secret"] for _ in range(3)]
    planted += [create_again(backend, "planted-key").json()["client_secret"]]
    backend.chat("findable-user").create("a message")
    stored = b"".join(path.read_bytes() for path in data.iterdir())
    assert b"findable-user" in stored, "what is searched is what is stored"
    assert (data / "chatdock.db-wal").is_file()
    for secret in planted:
        assert secret.encode() not in stored
        assert secret[3:51].encode() not in stored
        if SECRET.fullmatch(secret):
            assert bytes.fromhex(secret[3:51]) not in stored


def test_the_secret_is_shown_at_create_alone(server: ThreadServer) -> None:
    session = server.backend.session()
    assert session["client_secret"] not in json.dumps(cancel(server, session))


# The end of a session


def test_a_session_ends_after_the_seconds_it_was_given(server: ThreadServer) -> None:
    # Times are whole seconds: one that was given two lives for more than one.
    session = server.backend.session(expires_after={"anchor": "created_at", "seconds": 2})
    chat = server.backend.chat_with(session["client_secret"])
    assert chat.post("threads.list").status_code == 200
    eventually(lambda: chat.post("threads.list").status_code != 200, seconds=5, what="the session's end")
    assert_error(chat.post("threads.list"), 401, code="invalid_client_secret")
    shown = cancel(server, session)
    assert shown == {**session, "status": "expired", "client_secret": ""}, (
        "an expired session is not cancelled any more"
    )


def test_cancelling_takes_effect_on_the_next_request_and_twice_is_as_good_as_once(server: ThreadServer) -> None:
    session = server.backend.session()
    chat = server.backend.chat_with(session["client_secret"])
    assert chat.post("threads.list").status_code == 200
    first = cancel(server, session)
    assert_error(chat.post("threads.list"), 401, code="invalid_client_secret")
    assert first == {**session, "status": "cancelled", "client_secret": ""}
    assert cancel(server, session) == first


def test_a_cancelled_session_stays_cancelled_after_its_time(server: ThreadServer) -> None:
    session = server.backend.session(expires_after=SECOND)
    other = server.backend.session(expires_after=SECOND)
    cancel(server, session)
    chat = server.backend.chat_with(other["client_secret"])
    eventually(lambda: chat.post("threads.list").status_code == 401, seconds=5, what="the sessions' end")
    assert cancel(server, session)["status"] == "cancelled"


def test_a_stream_that_is_open_goes_on_to_its_end_after_the_cancel(server: ThreadServer) -> None:
    session = server.backend.session("listener", "wf_patient")
    chat, other = server.backend.chat_with(session["client_secret"]), server.backend.chat("listener", "wf_patient")
    with chat.open("threads.create", {"input": message("hello")}) as frames:
        first = next(frames).event
        assert first is not None
        thread_id = first["thread"]["id"]
        cancel(server, session)
        assert_error(chat.post("threads.get_by_id", {"thread_id": thread_id}), 401)
        go_on.set()
        rest = list(frames)
    assert rest[-1].comment == "completed"
    assert other.items(thread_id)[-1]["content"][0]["text"] == "begun, done"


def test_every_secret_that_opens_nothing_gets_the_same_answer(server: ThreadServer) -> None:
    cancelled, expired = server.backend.session(), server.backend.session(expires_after=SECOND)
    cancel(server, cancelled)
    chat = server.backend.chat_with(expired["client_secret"])
    eventually(lambda: chat.post("threads.list").status_code == 401, seconds=5, what="the session's end")
    unknown = "ek_" + "0" * 48 + cancelled["client_secret"][51:]
    answers = []
    for secret in (cancelled["client_secret"], expired["client_secret"], unknown, "ek_malformed", "x", API_KEY):
        response = server.backend.chat_with(secret).post("threads.list")
        answers.append((response.status_code, response.content, response.headers["www-authenticate"]))
    assert len(set(answers)) == 1
    assert answers[0][0] == 401


def test_sessions_of_another_project_look_like_missing_ones(server: ThreadServer, project: Project) -> None:
    session, elsewhere = server.backend.session(), project("stranger")
    foreign = elsewhere.http.post(f"{SESSIONS}/{session['id']}/cancel")
    missing = elsewhere.http.post(f"{SESSIONS}/cksess_{'0' * 36}/cancel")
    assert_error(foreign, 404, param="session_id")
    assert foreign.text.replace(session["id"], "x") == missing.text.replace(f"cksess_{'0' * 36}", "x")
    assert server.backend.chat_with(session["client_secret"]).post("threads.list").status_code == 200


# Idempotency


def test_the_same_idempotency_key_means_the_same_session_and_secret(server: ThreadServer) -> None:
    first, again = create_again(server.backend, "once"), create_again(server.backend, "once")
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert SECRET.fullmatch(first.json()["client_secret"])
    assert server.backend.chat_with(first.json()["client_secret"]).post("threads.list").status_code == 200
    assert create_again(server.backend, "other").json()["id"] != first.json()["id"]


def test_an_idempotency_key_with_another_body_is_refused(server: ThreadServer) -> None:
    create_again(server.backend, "changed")
    response = create_again(server.backend, "changed", {**BODY, "user": "ben"})
    assert_error(response, 422, param="Idempotency-Key", code="idempotency_mismatch")


def test_an_idempotency_key_belongs_to_its_project(server: ThreadServer, project: Project) -> None:
    elsewhere = project("idempotent")
    assert create_again(server.backend, "shared").json()["id"] != create_again(elsewhere, "shared").json()["id"]
    assert create_again(elsewhere, "shared", {**BODY, "user": "ben"}).status_code == 422


def test_a_secret_works_whichever_key_of_the_project_repeats_the_request(project: Project) -> None:
    one, other = project("two-keys"), project("two-keys")
    for backend in (one, other):
        secret = create_again(backend, "rotated").json()["client_secret"]
        assert backend.chat_with(secret).post("threads.list").status_code == 200


def test_repeating_the_request_after_the_end_shows_the_session_without_a_secret(server: ThreadServer) -> None:
    session = create_again(server.backend, "ended").json()
    cancel(server, session)
    again = create_again(server.backend, "ended").json()
    assert again == {**session, "status": "cancelled", "client_secret": ""}


def test_a_version_that_does_not_exist_fails_the_first_message_not_the_session(server: ThreadServer) -> None:
    chat = server.backend.chat(workflow_members={"version": "none"})
    try:
        turn = chat.create()
    except ApiFailure as failure:
        pytest.fail(f"refused: {failure}")
    assert turn.events[-1]["type"] == "error"
    assert turn.outcome == "failed"
