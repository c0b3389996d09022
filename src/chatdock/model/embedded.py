"""The embedded model: a GGUF file served by llama.cpp in a process of its own.

A crash of the native code or its hold on the interpreter cannot touch the web server, and the model speaks to the
Agents SDK like any other endpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Self

import structlog

from chatdock.model import serve_gguf
from chatdock.model.errors import ModelError
from chatdock.redaction import Content

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger(__name__)

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
"""Seconds before a model that died is started again; doubled while that fails."""

TAIL = 4000
"""Characters of the process's stderr that are kept for error messages."""


class EmbeddedModel:
    """A running model. `base_url` stays the same for its life, also when its process dies and is started again.

    Use Chat Completions with it. Its Responses API streams too, but leaves out fields (`content_index`,
    `annotations`) that the ChatKit conversion of agent streams needs. Any API key and model name are accepted. A
    request longer than the context is refused with 400; a client that closes its stream stops the generation.
    """

    def __init__(self, process: _Process, command: list[str]) -> None:
        """Use `start`."""
        self._process = process
        self._command = [*command, "--port", str(process.port)]
        self._keeper = asyncio.create_task(self._keep())
        self.base_url = f"http://127.0.0.1:{process.port}/v1"

    @classmethod
    async def start(cls, path: Path, *, slots: int = 2, context: int = 4096, timeout: float = 30) -> Self:
        """Starts the model and returns when it answers.

        `slots` requests are answered at once, others wait; `context` is in tokens, for each slot. Raises `ModelError`
        with the last lines of the process when it ends or is not ready after `timeout` seconds.
        """
        command = [str(path), "--slots", str(slots), "--context", str(context)]
        process = await _Process.start(command, timeout)
        log.info("embedded_model.started", model=path.name, pid=process.pid, port=process.port)
        return cls(process, command)

    @property
    def pid(self) -> int:
        """The process that runs the model now."""
        return self._process.pid

    async def stop(self) -> None:
        """Ends the process and waits for its end. May be called again."""
        self._keeper.cancel()
        await asyncio.wait([self._keeper])
        await self._process.end()

    async def _keep(self) -> None:
        """Starts the process again, on the same port, whenever it ends on its own."""
        while True:
            code = await self._process.ended()
            log.error("embedded_model.died", exit_code=code, stderr=Content(self._process.tail))
            delay = FIRST_DELAY
            while True:
                await asyncio.sleep(delay)
                try:
                    self._process = await _Process.start(self._command, timeout=30)
                except (ModelError, OSError) as error:
                    delay = min(2 * delay, LONGEST_DELAY)
                    log.error("embedded_model.restart_failed", error=error, next_try_seconds=delay)
                else:
                    log.info("embedded_model.restarted", pid=self._process.pid)
                    break


class _Process:
    """One run of `serve_gguf`: its port, what it said last, its end."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self._listener = asyncio.create_task(self._listen())
        self.pid = child.pid
        self.port = 0
        self.tail = ""

    @classmethod
    async def start(cls, arguments: list[str], timeout: float) -> Self:
        """Returns when the server listens. Raises `ModelError`; then no process is left."""
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing in our own folder may pass for a library
            serve_gguf.__file__,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the web server, which first lets its runs end
        )
        assert child.stdout
        process = cls(child)
        try:
            async with asyncio.timeout(timeout):
                line = await child.stdout.readline()
            if not line:
                code = await process.ended()
                raise ModelError(f"The embedded model {arguments[0]} did not start (exit code {code}):\n{process.tail}")
            process.port = int(line)
        except TimeoutError:
            await process.end()
            raise ModelError(
                f"The embedded model {arguments[0]} was not ready after {timeout:g} seconds:\n{process.tail}"
            ) from None
        except BaseException:
            await process.end()
            raise
        return process

    async def ended(self) -> int:
        """Waits for the end and the last words; the exit code, negative for a signal."""
        code = await self._child.wait()
        await asyncio.shield(self._listener)
        return code

    async def end(self) -> None:
        """Kills it: it holds nothing that would have to be saved."""
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()
        await self.ended()

    async def _listen(self) -> None:
        assert self._child.stderr
        while chunk := await self._child.stderr.read(TAIL):
            self.tail = (self.tail + chunk.decode("utf-8", "replace"))[-TAIL:]
