"""The element's files as browsers and proxies fetch them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from chatdock import cli
from chatdock.api import component
from chatdock.web import COMPONENT
from chatdock.web.manifest import read_manifest
from chatdock.workflows.showcase import showcase
from tests.harness.server import serving
from tests.rest.envelope import assert_error

ROOT = Path(__file__).parents[2]
FOLDER = "/deployments/chatkit/"
GZIP = {"accept-encoding": "gzip"}
PLAIN = {"accept-encoding": "identity"}


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        serving(tmp_path_factory.mktemp("files"), [showcase]) as server,
        httpx.Client(base_url=server.url, headers=PLAIN, verify=False) as client,
    ):
        yield client


def every_file() -> list[str]:
    return list(read_manifest().etags)


def test_the_build_was_made_of_the_present_sources() -> None:
    digest = runpy.run_path(str(ROOT / "ui" / "scripts" / "build.py"))["digest_of_sources"]
    assert json.loads((COMPONENT / "manifest.json").read_text())["sources"] == digest(), "run: make ui"


@pytest.mark.parametrize("path", ["/chatkit.js", f"{FOLDER}chatkit.js"])
def test_the_script_is_served_to_pages_of_any_origin(http: httpx.Client, path: str) -> None:
    answer = http.get(path, headers={"origin": "https://elsewhere.example"})
    assert answer.status_code == 200
    assert answer.content == (COMPONENT / "chatkit.js").read_bytes()
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"


def test_every_file_of_the_build_comes_plain_and_gzipped_with_tags_of_their_own(http: httpx.Client) -> None:
    for name in every_file():
        plain = http.get(FOLDER + name)
        zipped = http.get(FOLDER + name, headers=GZIP)
        assert plain.status_code == zipped.status_code == 200, name
        assert plain.content == zipped.content == (COMPONENT / name).read_bytes()
        assert "content-encoding" not in plain.headers
        assert zipped.headers["content-encoding"] == "gzip"
        assert int(zipped.headers["content-length"]) < len(plain.content) or len(plain.content) < 100
        assert plain.headers["vary"] == zipped.headers["vary"] == "accept-encoding"
        assert plain.headers["etag"] != zipped.headers["etag"]
        assert not plain.headers["etag"].startswith("W/")


@pytest.mark.parametrize(
    ("accepted", "zipped"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("*, gzip; q=0.0", False),
        ("", False),
    ],
)
def test_gzip_is_sent_to_those_who_take_it(http: httpx.Client, accepted: str, zipped: bool) -> None:
    answer = http.get("/chatkit.js", headers={"accept-encoding": accepted})
    assert ("content-encoding" in answer.headers) is zipped


def test_what_has_a_hash_in_its_name_is_kept_for_a_year(http: httpx.Client) -> None:
    manifest = read_manifest()
    for name in every_file():
        cached = http.get(FOLDER + name).headers["cache-control"]
        named_by_hash = name == manifest.script or name.startswith(manifest.chunks)
        assert cached == ("public, max-age=31536000, immutable" if named_by_hash else "no-cache"), name


def test_the_hash_in_the_scripts_name_is_that_of_its_content() -> None:
    manifest = read_manifest()
    found = re.fullmatch(r"chatkit-([0-9a-f]{12})\.js", manifest.script)
    assert found is not None
    assert hashlib.sha256((COMPONENT / manifest.script).read_bytes()).hexdigest().startswith(found[1])
    assert (COMPONENT / manifest.script).read_bytes() == (COMPONENT / "chatkit.js").read_bytes()


@pytest.mark.parametrize("headers", [PLAIN, GZIP])
def test_what_the_browser_has_is_not_sent_again(http: httpx.Client, headers: dict[str, str]) -> None:
    etag = http.get("/chatkit.js", headers=headers).headers["etag"]
    again = http.get("/chatkit.js", headers={**headers, "if-none-match": f'"other", W/{etag}'})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == etag
    assert http.get("/chatkit.js", headers={**headers, "if-none-match": '"other"'}).status_code == 200


def test_head_says_what_get_would_send(http: httpx.Client) -> None:
    for path in ["/chatkit.js", f"{FOLDER}{read_manifest().script}"]:
        got, head = http.get(path), http.head(path)
        assert head.status_code == 200
        assert head.content == b""
        for name in ["content-length", "content-type", "etag", "cache-control"]:
            assert head.headers[name] == got.headers[name]


def test_the_chunks_lie_beside_the_script_at_both_addresses(http: httpx.Client) -> None:
    chunks = [name for name in every_file() if name.startswith(read_manifest().chunks)]
    assert len(chunks) > 16
    script = (COMPONENT / "chatkit.js").read_text("utf-8")
    assert read_manifest().chunks in script
    for name in chunks:
        assert http.get(f"/{name}").content == http.get(FOLDER + name).content == (COMPONENT / name).read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        f"{FOLDER}chatkit-0123456789ab.js",
        f"{FOLDER}chunks-0123456789ab/code.js",
        "/chunks-0123456789ab/code.js",
        f"{FOLDER}manifest.json",
        f"{FOLDER}chatkit.js.gz",
        f"{FOLDER}..%2f__init__.py",
        f"{FOLDER}%2e%2e/__init__.py",
        FOLDER,
    ],
)
def test_what_is_not_of_this_build_is_not_there(http: httpx.Client, path: str) -> None:
    assert_error(http.get(path), 404, code="unknown_url")


def test_other_methods_are_refused(http: httpx.Client) -> None:
    answer = http.post("/chatkit.js")
    assert_error(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD"


def test_a_missing_build_says_how_to_make_it(
    http: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(component, "read_manifest", lambda: read_manifest(tmp_path))
    assert_error(http.get("/chatkit.js"), 503, code="component_not_built", says="make ui", kind="server_error")


def test_the_notices_of_all_bundled_libraries_come_along(http: httpx.Client) -> None:
    notices = http.get(f"{FOLDER}THIRD_PARTY_NOTICES.txt").text
    for library in ["lit-html", "lit-element", "lucide-static", "marked", "highlight.js", "katex"]:
        assert re.search(rf"^{re.escape(library)} \d", notices, re.MULTILINE), library
    assert "THIRD_PARTY_NOTICES.txt" in (COMPONENT / "chatkit.js").read_text("utf-8")[:200]


def test_the_command_prints_a_tag_whose_hash_is_the_scripts(http: httpx.Client) -> None:
    done = CliRunner().invoke(cli.app, ["script", "--url", "https://chat.example.com/"])
    tag = re.search(r'src="https://chat\.example\.com(/[^"]+)" integrity="sha384-([^"]+)" crossorigin', done.output)
    assert tag is not None, done.output
    content = http.get(tag[1]).content
    assert base64.b64decode(tag[2]) == hashlib.sha384(content).digest()


def test_the_gzipped_files_are_the_plain_ones() -> None:
    for name in every_file():
        assert gzip.decompress((COMPONENT / f"{name}.gz").read_bytes()) == (COMPONENT / name).read_bytes()
