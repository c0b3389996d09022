"""One step of the Makefile, in one line: `python scripts/step.py "Building the chat element" COMMAND…`.

What the command prints goes into `.cache/make.log`. A terminal shows how long it takes and what was printed last;
elsewhere the step is named once it has taken a second. When the command fails, the end of what it printed is shown as
the cause, with the place of the rest, and its exit code is passed on.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

LOG = Path(__file__).resolve().parents[1] / ".cache" / "make.log"
LARGEST_LOG = 5_000_000
"""Bytes; a larger one is begun anew."""
CAUSE_LINES = 20
NAMED_AFTER = 1.0
"""Seconds."""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class Step:
    """A command under way, and the line that tells of it."""

    def __init__(self, name: str, command: list[str]) -> None:
        self._name = name
        self._began = time.monotonic()
        self._terminal = sys.stderr.isatty() and not os.environ.get("CI")
        self._lines: list[str] = []
        self._told = False
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )

    def run(self) -> int:
        """The exit code of the command."""
        signal.signal(signal.SIGTERM, lambda *_: self._process.terminate())
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        try:
            while reader.is_alive():
                reader.join(0.2)
                self._tell()
            code = self._process.wait()
        except KeyboardInterrupt:
            self._process.terminate()
            code = 130
        if self._told and self._terminal:
            print(f"\r\x1b[K{self._name}: {time.monotonic() - self._began:.0f} s", file=sys.stderr)
        if code != 0:
            self._tell_cause(code)
        return code

    def _read(self) -> None:
        assert self._process.stdout is not None
        LOG.parent.mkdir(exist_ok=True)
        large = LOG.is_file() and LOG.stat().st_size > LARGEST_LOG
        with LOG.open("wb" if large else "ab") as log:
            log.write(f"== {time.strftime('%Y-%m-%d %H:%M:%S')} {self._name}\n".encode())
            for line in self._process.stdout:
                log.write(line)
                log.flush()
                if text := _ESCAPES.sub("", line.decode("utf-8", "replace").rpartition("\r")[2]).strip():
                    self._lines = [*self._lines[-CAUSE_LINES:], text]

    def _tell(self) -> None:
        took = time.monotonic() - self._began
        if took < NAMED_AFTER:
            return
        if self._terminal:
            line = f"{self._name} … {took:.0f} s  {self._lines[-1] if self._lines else ''}"
            print(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}", end="", file=sys.stderr, flush=True)
        elif not self._told:
            print(f"{self._name} …", file=sys.stderr, flush=True)
        self._told = True

    def _tell_cause(self, code: int) -> None:
        print(f"{self._name} failed with exit code {code}:", file=sys.stderr)
        for line in self._lines[-CAUSE_LINES:]:
            print(f"  {line}", file=sys.stderr)
        print(f"All that it printed: {LOG}", file=sys.stderr)


if __name__ == "__main__":
    try:
        sys.exit(Step(sys.argv[1], sys.argv[2:]).run())
    except OSError as error:
        sys.exit(f"{sys.argv[1]} failed: {error}")
