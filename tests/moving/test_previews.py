"""`chatdock import openai --previews FOLDER`: pictures that users attached, as far as the links to them hold."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from chatdock.moving import hosted as api
from tests.harness.hosted import FakeHosted, Json, hosted, item_of, thread_of
from tests.moving.database import chatdock, imported

pytestmark = pytest.mark.slow  # commands, and hosted ChatKit in a fake that wants patience

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L"
THREAD = thread_of(0)["id"]


def message(app: FakeHosted, number: int, *attachments: tuple[str, str | None]) -> Json:
    host = app.url.removesuffix("/v1")
    files = [
        {
            "type": "image",
            "id": name,
            "name": "photo.png",
            "mime_type": "image/png",
            "preview_url": path and (path if ":" in path else f"{host}/files/{path}"),
        }
        for name, path in attachments
    ]
    return {**item_of(THREAD, number), "attachments": files}


def test_previews_are_kept_as_far_as_their_links_hold(tmp_path: Path) -> None:
    folder = tmp_path / "kept" / "here"
    with hosted(3, 1) as app:
        app.files = {
            "/files/good": (200, PNG),
            "/files/other": (200, WEBP),
            "/files/late": (403, b"<Error>Request has expired</Error>"),
            "/files/lying": (200, b"<script>alert(1)</script>"),
            "/files/large": (200, PNG + bytes(api.MAX_DOWNLOAD)),
        }
        app.items = {thread: [] for thread in app.threads}
        app.items[THREAD] = [
            *(item_of(THREAD, number) for number in range(7, 97)),
            message(app, 0, ("cfile_1", "good"), ("cfile_2", "late"), ("cfile_3", "lying"), ("../cfile_4", "good")),
            message(app, 98, ("cfile_5", "other"), ("cfile_6", "large"), ("cfile_7", None), ("cfile_8", "ftp://x/y")),
        ]
        imported(tmp_path, app)  # without them, at first
        done = chatdock(tmp_path, "import", "openai", "--base-url", app.url, "--previews", str(folder))
        assert done.returncode == 0, done.stderr
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"cfile_1.png": PNG, "cfile_5.webp": WEBP}
        told = done.stdout.decode()
        assert f"Previews: 2 kept in {folder}." in told
        for reason in (
            "HTTP 403",
            "it is no PNG, JPEG, GIF or WebP, whatever it says",
            "the attachment's id is no name of a file",
            "it is larger than 50 MB",
            "there is none",
            "its link is none",
        ):
            assert f"  1 attachments without one: {reason}" in told
        app.fetched.clear()
        app.files |= {"/files/late": (200, PNG), "/files/lying": (503, b"")}
        again = chatdock(tmp_path, "import", "openai", "--base-url", app.url, "--previews", str(folder))
        assert again.returncode == 1
        assert b"Previews: 1 kept" in again.stdout
        assert b"cfile_3 could not be read: HTTP 503" in again.stdout
        assert set(app.fetched) == {"/files/large", "/files/late", "/files/lying"}
        assert app.requests[f"threads/{thread_of(1)['id']}/items"] == 3  # it has no attachments


def test_a_folder_that_takes_no_files_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with hosted(1, 1) as app:
        done = chatdock(tmp_path, "import", "openai", "--base-url", app.url, "--previews", str(tmp_path / "taken"))
    assert done.returncode == 1
    assert b"Stopped: [Errno" in done.stdout
    assert b"Traceback" not in done.stderr
