"""`FileStore` over a real socket: what its links allow, and that nothing else comes in or out."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from chatkit.store import NotFoundError
from chatkit.types import Attachment, AttachmentCreateParams, FileAttachment, ImageAttachment
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount

from chatdock import FileStore, SQLStore
from chatdock.files.links import Grant, Links
from chatdock.stores import door
from tests.harness.prompt import PromptServer
from tests.harness.server import eventually
from tests.stores.memory import MemoryStore
from tests.stores.test_conformance import user_of

Context = dict[str, str]
ADA: Context = {"user_id": "ada"}
BOB: Context = {"user_id": "bob"}
SECRET = "0123456789abcdef0123456789abcdef"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
HTML = b"<!doctype html><script>alert(1)</script>"

pytestmark = pytest.mark.anyio


class Desk:
    """A `FileStore` and what serves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = SQLStore[Context](f"sqlite:///{folder}/chatdock.db", user=user_of)
        self.app = Starlette()
        self.url = ""

    def files(self, **options: Any) -> FileStore[Context]:
        """A store whose links lead to the running server."""
        options = {"url": f"{self.url}/files", "secret": SECRET, "store": self.store, "user": user_of, **options}
        files = FileStore[Context](self.folder / "files", **options)
        self.app.router.routes[:] = [Mount("/files", files.app)]
        return files

    async def create(
        self, files: FileStore[Context], size: int, *, name: str = "a.txt", mime_type: str = "text/plain"
    ) -> Attachment:
        """As a `ChatKitServer` does it."""
        wanted = AttachmentCreateParams(name=name, size=size, mime_type=mime_type)
        attachment = await files.create_attachment(wanted, ADA)
        await self.store.save_attachment(attachment, ADA)
        return attachment

    async def upload(self, files: FileStore[Context], data: bytes, **what: str) -> Attachment:
        """Create and send."""
        attachment = await self.create(files, len(data), **what)
        response = await put(attachment, data)
        assert response.status_code == 204, response.text
        return attachment

    def stored(self) -> list[str]:
        """Whatever lies in the folder, half-written files included."""
        return [path.name for path in (self.folder / "files").rglob("*") if path.is_file()]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    listener = socket.create_server(("127.0.0.1", 0))
    made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    # On the test's own loop, as a store belongs to one.
    server = PromptServer(uvicorn.Config(made.app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server._serve([listener]))
    yield made
    server.should_exit = True
    await serving
    listener.close()
    await made.store.close()


async def send(method: str, url: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(timeout=20, verify=False) as client:
        return await client.request(method, url, **options)


async def put(attachment: Attachment, data: bytes) -> httpx.Response:
    """What a browser does with an upload descriptor."""
    descriptor = attachment.upload_descriptor
    assert descriptor is not None
    return await send(descriptor.method, str(descriptor.url), content=data, headers=descriptor.headers)


async def begun(attachment: Attachment, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """An upload of which the beginning was sent."""
    descriptor = attachment.upload_descriptor
    assert descriptor is not None
    target = urlsplit(str(descriptor.url))
    announced = Links("http://x", SECRET).verify(target.path.rpartition("/")[2], "PUT").size
    reader, writer = await asyncio.open_connection(target.hostname, target.port)
    head = f"PUT {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\nContent-Length: {announced}\r\n\r\n"
    writer.write(head.encode() + data)
    return reader, writer


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def test_a_file_is_sent_by_its_link_read_by_the_server_and_saved_by_another_link(desk: Desk) -> None:
    files = desk.files()
    data = b"hello " * 100_000
    attachment = await desk.upload(files, data, name="Grüße 👋.txt")
    assert isinstance(attachment, FileAttachment)
    assert attachment.id.startswith("cfile_")
    assert await files.read(attachment.id, ADA) == data
    response = await send("GET", await files.download_url(attachment.id, ADA))
    assert response.content == data
    assert response.headers["content-disposition"] == (
        "attachment; filename=\"Gr__e _.txt\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%F0%9F%91%8B.txt"
    )


async def test_the_record_says_that_the_upload_is_done(desk: Desk) -> None:
    files = desk.files()
    attachment = await desk.create(files, 5)
    assert (await desk.store.load_attachment(attachment.id, ADA)).upload_descriptor == attachment.upload_descriptor
    assert (await put(attachment, b"12345")).status_code == 204
    assert (await desk.store.load_attachment(attachment.id, ADA)).upload_descriptor is None
    assert code_of(await put(attachment, b"54321")) == (409, "already_uploaded")
    assert await files.read(attachment.id, ADA) == b"12345"


async def test_an_empty_file_is_a_file(desk: Desk) -> None:
    files = desk.files()
    attachment = await desk.upload(files, b"")
    assert await files.read(attachment.id, ADA) == b""


async def test_a_picture_is_shown_inline_and_everything_else_is_saved(desk: Desk) -> None:
    files = desk.files()
    picture = await desk.upload(files, PNG, name="a.png", mime_type="image/png")
    assert isinstance(picture, ImageAttachment)
    shown = await send("GET", str(picture.preview_url))
    assert (shown.content, shown.headers["content-type"]) == (PNG, "image/png")
    assert shown.headers["content-disposition"].startswith("inline;")
    for mime_type in ("image/svg+xml", "text/html", "application/pdf", "application/xhtml+xml"):
        page = await desk.upload(files, HTML, name="a.html", mime_type=mime_type)
        assert isinstance(page, FileAttachment), mime_type
        response = await send("GET", await files.download_url(page.id, ADA))
        assert response.headers["content-disposition"].startswith("attachment;"), mime_type
        for answer in (shown, response):
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"


@pytest.mark.parametrize("data", [HTML, b"GIF89a" + bytes(20), b"\x89PNG", b"", b"RIFF1234WAVE" + bytes(20)])
async def test_what_calls_itself_a_picture_and_is_none_is_refused(desk: Desk, data: bytes) -> None:
    attachment = await desk.create(desk.files(), len(data), name="a.png", mime_type="image/png")
    assert code_of(await put(attachment, data)) == (400, "wrong_type")
    assert desk.stored() == []


@pytest.mark.parametrize(
    ("mime_type", "head"),
    [
        ("image/png", b"\x89PNG\r\n\x1a\n"),
        ("image/jpeg", b"\xff\xd8\xff\xe0"),
        ("image/gif", b"GIF89a"),
        ("image/webp", b"RIFF\x00\x00\x00\x00WEBP"),
    ],
)
async def test_raster_images_are_pictures(desk: Desk, mime_type: str, head: bytes) -> None:
    attachment = await desk.upload(desk.files(), head + bytes(20), mime_type=mime_type)
    assert isinstance(attachment, ImageAttachment)


async def test_a_file_over_the_limit_is_refused_before_a_link_is_made(desk: Desk) -> None:
    files = desk.files(max_bytes=1000)
    await desk.create(files, 1000)
    for size in (1001, -1):
        with pytest.raises(HTTPException) as refused:
            await desk.create(files, size)
        assert refused.value.status_code == 413


async def test_more_than_announced_is_refused_while_it_comes(desk: Desk) -> None:
    attachment = await desk.create(desk.files(), 1000)
    assert code_of(await put(attachment, bytes(1001))) == (413, "file_too_large")
    assert code_of(await put(attachment, bytes(999))) == (400, "upload_incomplete")

    async def endless() -> Any:
        while True:
            yield bytes(100_000)

    descriptor = attachment.upload_descriptor
    assert descriptor is not None
    with contextlib.suppress(httpx.TransportError):  # the server hangs up on it, before or after its answer is read
        response = await send("PUT", str(descriptor.url), content=endless())
        assert code_of(response) == (413, "file_too_large")
    assert desk.stored() == []
    assert (await put(attachment, bytes(1000))).status_code == 204


async def test_an_upload_that_breaks_off_leaves_nothing(desk: Desk) -> None:
    files = desk.files()
    attachment = await desk.create(files, 20_000_000)
    _, writer = await begun(attachment, bytes(12_000_000))
    await asyncio.to_thread(eventually, desk.stored, what="a part on the disk")
    writer.transport.abort()
    await asyncio.to_thread(eventually, lambda: not desk.stored(), what="its removal")
    with pytest.raises(NotFoundError, match="not uploaded"):
        await files.read(attachment.id, ADA)


async def test_a_silent_upload_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "STALL_SECONDS", 0.2)
    attachment = await desk.create(desk.files(), 10)
    reader, writer = await begun(attachment, b"12345")
    answer = await reader.readuntil(b"}}")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"upload_incomplete" in answer
    writer.close()
    assert desk.stored() == []


async def test_links_that_are_late_tampered_with_foreign_or_of_another_kind_open_nothing(desk: Desk) -> None:
    files = desk.files()
    attachment = await desk.upload(files, b"12345")
    good = await files.download_url(attachment.id, ADA)
    assert (await send("GET", good)).status_code == 200
    base, _, token = good.rpartition("/")
    body, _, signature = token.partition(".")
    grant = json.loads(base64.urlsafe_b64decode(body + "=="))

    def encoded(changes: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps({**grant, **changes}).encode()).rstrip(b"=").decode()

    def signed(**changes: Any) -> str:
        return Links(base, SECRET).sign(Grant(**{**grant, **changes}))

    foreign = Links(base, "another secret of enough length").sign(Grant(**grant))
    other_user = await files.create_attachment(AttachmentCreateParams(name="a", size=5, mime_type="a/b"), BOB)
    assert other_user.upload_descriptor is not None
    attempts = {
        "tampered key": f"{base}/{encoded({'key': 'x/y'})}.{signature}",
        "tampered expiry": f"{base}/{encoded({'expires': None})}.{signature}",
        "tampered type": f"{base}/{encoded({'type': 'text/html', 'inline': True})}.{signature}",
        "cut signature": good[:-1],
        "no signature": f"{base}/{body}.",
        "only a name": f"{base}/{attachment.id}",
        "not base64": f"{base}/ä.ö",
        "foreign": foreign,
        "late": signed(expires=1),
        "upload link": str(other_user.upload_descriptor.url),
    }
    for what, attempt in attempts.items():
        assert (await send("GET", attempt)).status_code == 403, what
    assert code_of(await send("PUT", good, content=b"12345")) == (403, "invalid_link")
    assert code_of(await send("GET", signed(expires=1))) == (403, "expired_link")
    assert (await send("GET", f"{base}/")).status_code == 404
    assert (await send("POST", good)).status_code == 405


async def test_a_secret_is_replaced_without_a_break(desk: Desk) -> None:
    attachment = await desk.upload(desk.files(), b"12345")
    old = await desk.files().download_url(attachment.id, ADA)
    renewed = desk.files(secret=["a new secret of enough length", SECRET])
    new = await renewed.download_url(attachment.id, ADA)
    assert [(await send("GET", link)).status_code for link in (old, new)] == [200, 200]
    desk.files(secret="a new secret of enough length")
    assert [(await send("GET", link)).status_code for link in (old, new)] == [403, 200]


async def test_another_user_neither_reads_links_nor_deletes_a_file(desk: Desk) -> None:
    files = desk.files()
    attachment = await desk.upload(files, b"12345")
    for call in (files.read, files.download_url, files.delete_attachment):
        with pytest.raises(NotFoundError):
            await call(attachment.id, BOB)
    assert await files.read(attachment.id, ADA) == b"12345"


async def test_a_users_files_are_safe_behind_a_store_that_forgets_whose_they_are(desk: Desk) -> None:
    class Forgetful(MemoryStore):
        async def load_attachment(self, attachment_id: str, context: Context) -> Attachment:
            return self.attachments[attachment_id][1]

    store = Forgetful()
    files = desk.files(store=store)
    attachment = await files.create_attachment(AttachmentCreateParams(name="a", size=5, mime_type="a/b"), ADA)
    await store.save_attachment(attachment, ADA)
    assert (await put(attachment, b"12345")).status_code == 204
    assert await files.read(attachment.id, ADA) == b"12345"
    with pytest.raises(NotFoundError):
        await files.read(attachment.id, BOB)
    await files.delete_attachment(attachment.id, BOB)
    assert await files.read(attachment.id, ADA) == b"12345"
    with pytest.raises(TypeError, match="SQLStore"):
        await files.sweep()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\a.exe", "a.exe"),
        ("a\x00b\r\nX-Evil: 1.txt", "abX-Evil: 1.txt"),
        ("exe\u202etxt.doc", "exetxt.doc"),
        ("%2e%2e%2fa", "%2e%2e%2fa"),
        ("..", "file"),
        ("", "file"),
        ("ä" * 300, "ä" * 127),
        ('a"b.txt', 'a"b.txt'),
    ],
)
async def test_a_name_is_never_a_path(desk: Desk, given: str, kept: str) -> None:
    files = desk.files()
    attachment = await desk.upload(files, b"12345", name=given)
    assert attachment.name == kept
    assert desk.stored() == [attachment.id]
    response = await send("GET", await files.download_url(attachment.id, ADA))
    assert response.status_code == 200
    assert "x-evil" not in response.headers
    assert response.headers["content-disposition"].count('"') == 2


async def test_a_wrong_media_type_is_refused_and_its_parameters_are_dropped(desk: Desk) -> None:
    files = desk.files()
    for wrong in ("text", "text/html\r\nX: 1", "a/b/c"):
        with pytest.raises(HTTPException, match="media type"):
            await desk.create(files, 1, mime_type=wrong)
    assert (await desk.create(files, 1, mime_type="Text/Plain; charset=utf-8")).mime_type == "text/plain"
    assert (await desk.create(files, 1, mime_type="")).mime_type == "application/octet-stream"


async def test_a_deleted_file_is_gone_whether_or_not_it_ever_came(desk: Desk) -> None:
    files = desk.files()
    uploaded, announced = await desk.upload(files, b"12345"), await desk.create(files, 5)
    link = await files.download_url(uploaded.id, ADA)
    for attachment in (uploaded, announced):
        await files.delete_attachment(attachment.id, ADA)
        await desk.store.delete_attachment(attachment.id, ADA)
    assert desk.stored() == []
    assert (await send("GET", link)).status_code == 404
    assert code_of(await put(announced, b"12345")) == (404, "not_found")
    assert desk.stored() == []


async def test_the_sweep_takes_what_no_message_has_and_leaves_the_rest(desk: Desk) -> None:
    files = desk.files()
    sent, unsent, deleted = [await desk.upload(files, b"12345") for _ in range(3)]
    await desk.store.save_attachment(sent.model_copy(update={"thread_id": "cthr_1"}), ADA)
    await desk.store.delete_attachment(deleted.id, ADA)
    (desk.folder / "files" / "README").write_text("not a file of ours")
    assert await files.sweep() == 1
    assert sorted(desk.stored()) == sorted(["README", sent.id, unsent.id])
    assert await files.sweep(timedelta(0)) == 1
    assert sorted(desk.stored()) == sorted(["README", sent.id])
    assert await files.read(sent.id, ADA) == b"12345"


async def test_a_preview_lasts_as_long_as_it_is_told(desk: Desk) -> None:
    picture = await desk.upload(desk.files(preview_seconds=-1), PNG, mime_type="image/png")
    assert isinstance(picture, ImageAttachment)
    assert code_of(await send("GET", str(picture.preview_url))) == (403, "expired_link")


@pytest.mark.parametrize("scheme", ["memory:///", "file"])
async def test_a_location_may_be_a_url(desk: Desk, scheme: str) -> None:
    location = f"file://{desk.folder}/bucket" if scheme == "file" else scheme
    files = FileStore[Context](location, url=f"{desk.url}/files", secret=SECRET, store=desk.store, user=user_of)
    desk.app.router.routes[:] = [Mount("/files", files.app)]
    attachment = await desk.upload(files, b"12345")
    assert await files.read(attachment.id, ADA) == b"12345"
    await files.delete_attachment(attachment.id, ADA)
    with pytest.raises(NotFoundError):
        await files.read(attachment.id, ADA)


def test_a_short_secret_or_a_relative_url_is_refused(tmp_path: Path) -> None:
    for wrong, message in (({"secret": "short"}, "16 characters"), ({"secret": []}, "16"), ({"url": "/files"}, "url")):
        options: dict[str, Any] = {"url": "http://x/files", "secret": SECRET, **wrong}
        with pytest.raises(ValueError, match=message):
            FileStore(tmp_path, store=MemoryStore(), user=user_of, **options)
