"""docs/stores.md shows the files in docs/examples/stores, and they work: the app as a process, the suite as tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.client import Json
from tests.harness.server import DEADLINE, eventually, free_port

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = DOCS / "examples" / "stores"
PAGE = DOCS / "stores.md"


class App:
    """The example's app, in a process."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder

    @contextmanager
    def running(self) -> Iterator[None]:
        """Started, and ended as SIGTERM ends it."""
        environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{self._folder}/chatdock.db",
            "FILES": str(self._folder / "files"),
            "FILES_URL": f"{self.url}/files",
            "FILES_SECRET": "a secret for a test, long enough",
        }
        command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(self.port), "--log-level", "warning"]
        with (self._folder / "app.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=EXAMPLES, env=environment, stdout=log, stderr=log)
        try:
            eventually(lambda: self._answers(process), seconds=60, what="the app's start")
            yield
        finally:
            process.terminate()
            process.wait(DEADLINE)

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, (self._folder / "app.log").read_text()
        try:
            return httpx.post(f"{self.url}/chatkit", verify=False).status_code == 401
        except httpx.TransportError:
            return False

    def post(self, user: str, operation: str, **params: Any) -> httpx.Response:
        """A request of the chat protocol."""
        headers = {"authorization": f"Bearer {user}'s token"}
        body = {"type": operation, "params": params}
        return httpx.post(f"{self.url}/chatkit", json=body, headers=headers, timeout=DEADLINE, verify=False)

    def call(self, user: str, operation: str, **params: Any) -> Json:
        """Its JSON answer."""
        response = self.post(user, operation, **params)
        assert response.status_code == 200, response.text
        answer: Json = response.json()
        return answer

    def stream(self, user: str, operation: str, **params: Any) -> list[Json]:
        """Its events."""
        response = self.post(user, operation, **params)
        assert response.status_code == 200, response.text
        return [json.loads(line[6:]) for line in response.text.split("\n") if line.startswith("data: ")]

    def download(self, user: str, attachment_id: str) -> httpx.Response:
        """What the page's link to a file leads to."""
        headers = {"authorization": f"Bearer {user}'s token"}
        return httpx.get(
            f"{self.url}/attachments/{attachment_id}", headers=headers, follow_redirects=True, verify=False
        )


def said(text: str, *attachments: str) -> Json:
    content = [{"type": "input_text", "text": text}]
    return {"content": content, "attachments": list(attachments), "inference_options": {}}


def texts(items: list[Json]) -> list[str]:
    return [part["text"] for item in items for part in item["content"]]


def test_the_code_in_the_page_is_the_code_in_the_files() -> None:
    shown = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert sorted(shown) == sorted(path.read_text("utf-8") for path in EXAMPLES.glob("*.py"))


@pytest.mark.slow
def test_the_app_keeps_threads_and_files_over_a_restart_each_users_on_their_own(tmp_path: Path) -> None:
    app = App(tmp_path)
    content = b"the quarterly report" * 1000
    with app.running():
        created = app.stream("ada", "threads.create", input=said("hello"))
        thread_id = created[0]["thread"]["id"]
        file = app.call("ada", "attachments.create", name="report.txt", size=len(content), mime_type="text/plain")
        upload = file["upload_descriptor"]
        sent = httpx.request(upload["method"], upload["url"], content=content, headers=upload["headers"], verify=False)
        assert sent.status_code == 204
        events = app.stream("ada", "threads.add_user_message", thread_id=thread_id, input=said("read", file["id"]))
        assert texts([events[-1]["item"]]) == ["report.txt has 20000 bytes."]
        assert "upload_descriptor" not in events[0]["item"]["attachments"][0]

    with app.running():
        expected = ["hello", "What can I do for you?", "read", "report.txt has 20000 bytes."]
        thread = app.call("ada", "threads.get_by_id", thread_id=thread_id)
        assert texts(thread["items"]["data"]) == expected
        assert [one["id"] for one in app.call("ada", "threads.list")["data"]] == [thread_id]
        assert app.download("ada", file["id"]).content == content

        assert app.call("bob", "threads.list")["data"] == []
        for operation, params in (
            ("threads.get_by_id", {}),
            ("items.list", {}),
            ("threads.update", {"title": "Bob's"}),
            ("threads.delete", {}),
        ):
            assert app.post("bob", operation, thread_id=thread_id, **params).status_code == 404, operation
        assert app.post("bob", "attachments.delete", attachment_id=file["id"]).status_code == 404
        assert app.download("bob", file["id"]).status_code == 404
        with pytest.raises(httpx.RemoteProtocolError):  # chatkit has sent the headers when it looks for the thread
            app.stream("bob", "threads.add_user_message", thread_id=thread_id, input=said("let me in"))
        assert texts(app.call("ada", "items.list", thread_id=thread_id, order="asc")["data"]) == expected

        app.call("ada", "attachments.delete", attachment_id=file["id"])
        assert app.download("ada", file["id"]).status_code == 404
        app.call("ada", "threads.delete", thread_id=thread_id)
        assert app.post("ada", "threads.get_by_id", thread_id=thread_id).status_code == 404


@pytest.mark.slow
def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    app = App(tmp_path)
    with app.running():
        refused = app.post("ada", "attachments.create", name="a", size=10**9, mime_type="text/plain")
        assert refused.status_code == 413
        assert "at most 20971520" in refused.text


@pytest.mark.slow
def test_the_suite_of_the_page_passes(tmp_path: Path) -> None:
    bare = ["-c", os.devnull, f"--rootdir={tmp_path}", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *bare, str(EXAMPLES / "test_my_store.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) >= 30
