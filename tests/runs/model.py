"""What a server must be like, in a dict: threads, what stands in them, their live run, what keys stand for."""

from __future__ import annotations

from dataclasses import dataclass, field

PARTIAL = "partial "


@dataclass
class Run:
    """A turn: what it answers, what it said so far, how it ended."""

    number: int
    question: str
    said: str = ""
    outcome: str | None = None
    error: bool = False

    @property
    def live(self) -> bool:
        """Whether it streams."""
        return self.outcome is None


@dataclass
class Thread:
    """A thread of one user: its messages as (kind, text), and its runs."""

    items: list[tuple[str, str]] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    @property
    def live(self) -> Run | None:
        """The run that streams."""
        return self.runs[-1] if self.runs and self.runs[-1].live else None


@dataclass
class Model:
    """Everything that one user should see. Operations return what the answer must be: a status, or a run."""

    threads: dict[int, Thread] = field(default_factory=dict)
    keys: dict[str, tuple[tuple[str, object], Run]] = field(default_factory=dict)
    texts: int = 0
    numbers: int = 0
    born: int = 0
    """How many threads there ever were."""

    def new_text(self) -> str:
        """A message that was never sent before."""
        self.texts += 1
        return f"message {self.texts}"

    def create(self, text: str, key: str | None) -> Run | int:
        """A new thread with a message."""
        if (known := self._known(key, ("create", text))) is not None:
            return known
        thread = Thread([("user", text)])
        self.threads[self.born] = thread
        self.born += 1
        return self._begin(thread, text, key, ("create", text))

    def send(self, index: int, text: str, key: str | None) -> Run | int:
        """A message into a thread; 409 while it has a live run."""
        request = (f"send {index}", text)
        if (known := self._known(key, request)) is not None:
            return known
        thread = self.threads.get(index)
        if thread is None:
            return 404
        if thread.live:
            return 409
        thread.items.append(("user", text))
        return self._begin(thread, text, key, request)

    def retry(self, index: int, position: int) -> Run | int:
        """Answer a user's message again, without what came after it."""
        thread = self.threads.get(index)
        if thread is None:
            return 404
        if thread.live:
            return 409
        del thread.items[position + 1 :]
        return self._begin(thread, thread.items[position][1], None, ("", None))

    def say(self, run: Run, words: str) -> None:
        """The workflow goes on."""
        run.said += words

    def end(self, index: int, outcome: str, *, error: bool = False) -> Run | None:
        """The live run, if any, ends; what it said stands in the thread."""
        thread = self.threads[index]
        run = thread.live
        if run is not None:
            run.outcome, run.error = outcome, error
            if run.said.strip():
                thread.items.append(("assistant", run.said))
        return run

    def delete(self, index: int) -> int:
        """A thread, its items and its runs; keys that stood for them stand for nothing that is there."""
        return 200 if self.threads.pop(index, None) else 404

    def restart(self) -> None:
        """What was live ended, and says so."""
        for index in self.threads:
            self.end(index, "failed", error=True)

    def _begin(self, thread: Thread, question: str, key: str | None, request: tuple[str, object]) -> Run:
        self.numbers += 1
        run = Run(self.numbers, question)
        thread.runs.append(run)
        if key is not None:
            self.keys[key] = request, run
        return run

    def _known(self, key: str | None, request: tuple[str, object]) -> Run | int | None:
        if key is None or key not in self.keys:
            return None
        known, run = self.keys[key]
        if known != request:
            return 422
        return run if any(run in thread.runs for thread in self.threads.values()) else 404
