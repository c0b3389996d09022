"""A page with the component, as a user and as the page's own code see it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, FilePayload, Locator, Page, expect

from tests.harness.server import eventually

Json = dict[str, Any]
File = tuple[str, str, bytes]
"""Name, type, contents."""

RECORDER = """
(() => {
  const names = ["ready", "error", "effect", "deeplink", "response.start", "response.end", "history.open",
    "history.close", "thread.change", "thread.load.start", "thread.load.end", "tool.change", "log"];
  const seen = [], violations = [];
  window.__seen = seen;
  window.__violations = violations;
  for (const name of names) {
    window.addEventListener("chatkit." + name, (event) => {
      const detail = event.detail?.error
        ? { error: { name: event.detail.error.name, message: event.detail.error.message,
                     real: event.detail.error instanceof Error } }
        : event.detail;
      const onElement = event.target instanceof Element && event.target.localName === "openai-chatkit";
      seen.push({ name: event.type, detail: JSON.parse(JSON.stringify(detail ?? null)), time: performance.now(),
                  onElement });
    }, true);
  }
  document.addEventListener("securitypolicyviolation", (event) =>
    violations.push(event.violatedDirective + " " + event.blockedURI + " " + event.sample), true);
})();
"""


class ChatPage:
    """Remembers what the page and the component complained about, and which hosts were asked.

    At the end of a test nothing of it may be left but what `forgive` named.
    """

    def __init__(self, page: Page, *own: str) -> None:
        self.page = page
        self.element = page.locator("openai-chatkit")
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._own = {urlsplit(url).netloc for url in own}
        self._forgiven: list[str] = []
        page.add_init_script(RECORDER)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))

    # --- what is on the screen ---------------------------------------------------------------------------------------

    @property
    def composer(self) -> Locator:
        """The text field."""
        return self.element.locator("[part~='composer-input']")

    @property
    def log(self) -> Locator:
        """The messages."""
        return self.element.get_by_role("log")

    @property
    def questions(self) -> Locator:
        """The user's messages."""
        return self.log.locator("[part~='message-user']")

    @property
    def answers(self) -> Locator:
        """The texts of the assistant's messages."""
        return self.log.locator("[part~='message-text']")

    @property
    def answer(self) -> Locator:
        """The last of them."""
        return self.answers.last

    def placeholder(self) -> str | None:
        """What the empty field says."""
        found: str | None = self.composer.evaluate(
            "field => field.getAttribute('placeholder') ?? field.getAttribute('aria-placeholder')"
        )
        return found

    def from_end(self) -> float:
        """Pixels between what is seen of the messages and their end."""
        distance: float = self.log.evaluate(
            """log => {
              let box = log;
              while (box && box.scrollHeight <= box.clientHeight + 1) box = box.parentElement;
              return box ? box.scrollHeight - box.clientHeight - box.scrollTop : 0;
            }"""
        )
        return distance

    def row(self, title: str) -> Locator:
        """A thread in the history."""
        return self.rows.filter(has=self.page.get_by_text(title, exact=True))

    @property
    def rows(self) -> Locator:
        """The threads in the history."""
        return self.element.get_by_role("dialog", name="History").locator("[part~='history-item']")

    def button(self, name: str | re.Pattern[str]) -> Locator:
        """A button of the component by its accessible name."""
        return self.element.get_by_role("button", name=name, exact=isinstance(name, str))

    # --- what a user does --------------------------------------------------------------------------------------------

    def type(self, text: str) -> None:
        """Key by key, so that menus open."""
        self.composer.press_sequentially(text)

    def send(self, text: str) -> None:
        """Write a message and press Enter."""
        self.composer.fill(text)
        self.composer.press("Enter")

    def ask(self, text: str) -> Locator:
        """Send a message and wait for the end of the response."""
        ended = len(self.events("chatkit.response.end"))
        self.send(text)
        self.until(lambda: len(self.events("chatkit.response.end")) > ended, "the end of the response")
        self.drawn()
        return self.answer

    def attach(self, *files: File) -> None:
        """Choose files in the browser's dialog."""
        with self.page.expect_file_chooser() as chooser:
            self.button("Add files").click()
        chooser.value.set_files([FilePayload(name=name, mimeType=kind, buffer=data) for name, kind, data in files])

    def uploaded(self, count: int) -> None:
        """Wait until so many files of the message are uploaded."""
        self.until(lambda: len(self.call("getComposerValue")["attachments"]) == count, f"{count} uploads")

    def drop(self, *files: File) -> None:
        """Drag files over the composer and let go."""
        self._give("drop", files)

    def paste(self, *files: File, text: str = "") -> None:
        """Paste files or text into the composer."""
        self.composer.focus()
        self._give("paste", files, text)

    def _give(self, how: str, files: tuple[File, ...], text: str = "") -> None:
        given = [[name, kind, list(data)] for name, kind, data in files]
        self.composer.evaluate(
            """(field, [how, files, text]) => {
              const data = new DataTransfer();
              for (const [name, type, bytes] of files) {
                data.items.add(new File([new Uint8Array(bytes)], name, { type }));
              }
              if (text) data.setData("text/plain", text);
              const init = { bubbles: true, composed: true, cancelable: true };
              if (how === "paste") {
                field.dispatchEvent(new ClipboardEvent("paste", { ...init, clipboardData: data }));
                return;
              }
              for (const type of ["dragenter", "dragover", "drop"]) {
                field.dispatchEvent(new DragEvent(type, { ...init, dataTransfer: data }));
              }
            }""",
            [how, given, text],
        )

    # --- what the page's code does and sees --------------------------------------------------------------------------

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the element and wait for its promise; a rejection is `{"rejected": name, "message": …}`."""
        return self.page.evaluate(
            """async ([method, args]) => {
              try {
                return await document.querySelector("openai-chatkit")[method](...args);
              } catch (error) {
                return { rejected: error.name, message: error.message };
              }
            }""",
            [method, list(arguments)],
        )

    def set_options(self, options: str) -> None:
        """`setOptions` with a JavaScript expression; `api` is kept when it names none."""
        self.page.evaluate(f"() => chat.setOptions({{ api: hosted, ...({options}) }})")

    def events(self, name: str | None = None) -> list[Any]:
        """Details of the events of a name, or all events in order as `{name, detail, time, onElement}`."""
        seen: list[Json] = self.page.evaluate("() => window.__seen ?? []")
        return seen if name is None else [event["detail"] for event in seen if event["name"] == name]

    def names(self, *without: str) -> list[str]:
        """The names of all events in order, without `chatkit.` and without `log` and those named."""
        names = [event["name"].removeprefix("chatkit.") for event in self.events()]
        return [name for name in names if name not in {"log", *without}]

    def calls(self, name: str) -> list[list[Any]]:
        """The arguments of every call that the page recorded under a name."""
        seen: list[list[Any]] = self.page.evaluate("() => JSON.parse(JSON.stringify(window.calls ?? []))")
        return [given for called, *given in seen if called == name]

    def thread_id(self) -> str:
        """The thread that is open."""
        return str(
            self.until(lambda: [e["threadId"] for e in self.events("chatkit.thread.change")][-1:], "a thread")[0]
        )

    def active(self) -> str:
        """What has the focus inside the component, as `role: name` of its attributes."""
        return str(
            self.page.evaluate(
                """() => {
                  const active = document.querySelector("openai-chatkit").shadowRoot.activeElement;
                  if (!active) return "nothing";
                  return active.getAttribute("aria-label") ?? active.textContent.trim();
                }"""
            )
        )

    def until(self, check: Callable[[], Any], what: str, seconds: float = 20) -> Any:
        """Wait until the page is in a state."""
        return eventually(check, seconds=seconds, what=what, every=0.04)

    def ready(self) -> ChatPage:
        """Wait for `chatkit.ready`."""
        self.until(lambda: self.events("chatkit.ready"), "chatkit.ready")
        return self

    def idle(self) -> None:
        """Wait until every response that began has ended."""

        def ended() -> bool:
            names = [event["name"] for event in self.events()]
            return names.count("chatkit.response.start") == names.count("chatkit.response.end")

        self.until(ended, "the end of every response")
        self.drawn()

    def drawn(self) -> None:
        """Wait until what is known now is on the screen."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def settled(self) -> None:
        """Wait until it is drawn, and no colour or place is on its way to another."""
        self.drawn()
        self.element.evaluate(
            """element => Promise.allSettled(element.shadowRoot.getAnimations()
              .filter((animation) => animation instanceof CSSTransition).map(({ finished }) => finished))"""
        )
        self.element.evaluate(
            """element => new Promise((done) => {
              const place = () => element.shadowRoot.querySelector("[role=log]")?.scrollTop;
              const look = (before) => place() === before ? done() : wait();
              const wait = (top = place()) => requestAnimationFrame(() => requestAnimationFrame(() => look(top)));
              wait();
            })"""
        )

    # --- the reckoning -----------------------------------------------------------------------------------------------

    def forgive(self, *patterns: str) -> None:
        """Let complaints and errors that match one of these regular expressions be."""
        self._forgiven += patterns

    def reckoning(self) -> list[str]:
        """What went wrong beside what the test expected."""
        found = [f"console: {complaint}" for complaint in self.complaints]
        if not self.page.is_closed():
            found += [f"policy: {violation}" for violation in self.page.evaluate("() => window.__violations ?? []")]
            found += [f"error: {json.dumps(detail)}" for detail in self.events("chatkit.error")]
        found += [f"request: {url}" for url in self.foreign()]
        return [line for line in found if not any(re.search(pattern, line) for pattern in self._forgiven)]

    def foreign(self) -> list[str]:
        """Requests to hosts that are neither the page's nor the server's."""
        return [
            url for url in self.requests if (parts := urlsplit(url)).netloc not in self._own and parts.scheme in WIRE
        ]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


WIRE = {"http", "https", "ws", "wss", "ftp", "file"}


def text_of(locator: Locator) -> str:
    """What is written there, white space as one space."""
    return " ".join(locator.inner_text().split())


def style(locator: Locator, name: str) -> str:
    """A computed style."""
    return str(locator.evaluate("(element, name) => getComputedStyle(element).getPropertyValue(name)", name))


__all__ = ["ChatPage", "File", "Json", "expect", "style", "text_of"]
