"""The published, unmodified React wrapper drives the element as it drives the official one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Route

from tests.harness.chatpage import ChatPage, expect
from tests.harness.node import environment, find_node
from tests.harness.pages import PAGE, strict
from tests.harness.react import REACT, build, install
from tests.ui.conftest import Stage, opening

pytestmark = pytest.mark.slow

Show = Callable[..., ChatPage]
HANDLERS = (
    "onReady", "onError", "onEffect", "onDeeplink", "onResponseStart", "onResponseEnd", "onThreadChange",
    "onThreadLoadStart", "onThreadLoadEnd", "onToolChange", "onHistoryOpen", "onHistoryClose", "onLog",
)  # fmt: skip


@pytest.fixture(scope="module")
def application(stage: Stage) -> None:
    """The built application, served beside the other pages."""
    stage.pages.put("/react/app.js", build().read_bytes(), "text/javascript")


@pytest.fixture
def show(stage: Stage, application: None) -> Iterator[Show]:
    """Opens the application, which renders when `render` says so."""
    with opening(stage) as opener:

        def opened(head: str | None = None, hold: list[Route] | None = None) -> ChatPage:
            script = f'<script src="{stage.pages.script}"></script>' if head is None else head
            html = PAGE.format(head=script, body='<script type="module" src="/react/app.js"></script>')
            path = f"/react/page/{next(stage.users)}"
            policy = {"content-security-policy": strict(stage.origin, stage.server.url)}
            stage.pages.put(path, html, "text/html", policy)
            chat = opener.page(stage.origin, stage.server.url)
            if hold is not None:
                chat.page.route(stage.pages.script, lambda route: hold.append(route))
            chat.page.goto(f"{stage.origin}{path}", wait_until="commit")
            chat.until(lambda: chat.page.evaluate("() => Boolean(window.app)"), "the application")
            return chat

        yield opened


def render(chat: ChatPage, stage: Stage, **settings: Any) -> None:
    """Render the application with these settings; the session is always the page's own."""
    user = chat.page.url.rpartition("/")[2]
    settings.setdefault("secretQuery", f"user={user}&workflow=wf_showcase")
    chat.page.evaluate("settings => window.app.render(settings)", settings)


def spy(chat: ChatPage) -> None:
    """Count the calls of `setOptions`."""
    chat.page.evaluate("""() => {
      const { prototype } = customElements.get("openai-chatkit");
      const original = prototype.setOptions;
      prototype.setOptions = function (options) {
        window.calls.push(["setOptions"]);
        return original.call(this, options);
      };
    }""")


@pytest.mark.row("R1")
@pytest.mark.parametrize("strict_mode", [False, True])
def test_on_ready_is_called_when_the_element_is_defined_early(show: Show, stage: Stage, strict_mode: bool) -> None:
    chat = show()
    render(chat, stage, strict=strict_mode)
    chat.until(lambda: chat.calls("onReady"), "onReady")
    expect(chat.ask("echo from react")).to_have_text("from react")
    assert len(chat.calls("onReady")) == 1


@pytest.mark.row("R1", "R6", "R7")
@pytest.mark.parametrize("strict_mode", [False, True])
def test_on_ready_is_called_when_the_element_is_defined_late(show: Show, stage: Stage, strict_mode: bool) -> None:
    held: list[Route] = []
    chat = show(head=f'<script async src="{stage.pages.script}"></script>', hold=held)
    render(chat, stage, strict=strict_mode, options={"startScreen": {"greeting": "Late"}})
    expect(chat.element).to_have_attribute("data-from", "react")
    assert chat.page.evaluate("() => customElements.get('openai-chatkit') === undefined")
    chat.until(lambda: chat.events() or held, "the request for the script")
    held[0].continue_()
    chat.until(lambda: chat.calls("onReady"), "onReady")
    expect(chat.element.get_by_text("Late")).to_be_visible()
    expect(chat.element).to_have_attribute("class", "chat")
    expect(chat.ask("echo late")).to_have_text("late")


@pytest.mark.row("R2")
def test_a_render_with_new_closures_alone_does_not_touch_the_element(show: Show, stage: Stage) -> None:
    chat = show()
    spy(chat)
    render(chat, stage, generation=1)
    chat.until(lambda: chat.calls("onReady"), "onReady")
    for generation in (2, 3):
        render(chat, stage, generation=generation)
    chat.element.locator("[part~='header']").get_by_role("button", name="Star").click()
    assert chat.calls("header") == [[3]]
    assert len(chat.calls("setOptions")) == 1


@pytest.mark.row("R2", "R3")
def test_new_data_is_one_set_options_and_keeps_thread_draft_and_scroll(show: Show, stage: Stage) -> None:
    chat = show()
    spy(chat)
    render(chat, stage, generation=1)
    chat.ready()
    chat.ask("long 4 0ms")
    chat.composer.fill("half a thought")
    chat.settled()
    chat.log.evaluate("log => log.scrollTo({ top: 300, behavior: 'instant' })")
    scrolled = chat.log.evaluate("log => log.scrollTop")
    thread = chat.thread_id()
    before = len(chat.calls("setOptions"))
    render(chat, stage, generation=2, options={"composer": {"placeholder": "New data"}})
    chat.until(lambda: chat.placeholder() == "New data", "the new option")
    assert len(chat.calls("setOptions")) == before + 1
    assert chat.call("getComposerValue")["text"] == "half a thought"
    assert chat.log.evaluate("log => log.scrollTop") == scrolled
    assert chat.thread_id() == thread
    assert len(chat.calls("onReady")) == 1
    chat.composer.fill("tool lookup")
    chat.composer.press("Enter")
    expect(chat.answer).to_contain_text('The tool lookup returned {"answered":"lookup"}')
    assert chat.calls("onClientTool")[0][:2] == [2, "lookup"]


@pytest.mark.row("R4", "R3")
def test_every_handler_fires(show: Show, stage: Stage) -> None:
    chat = show()
    chat.forgive("404", "error:")
    tools = [{"id": "draw", "label": "Draw", "icon": "star", "pinned": True}]
    render(chat, stage, options={"composer": {"tools": tools}})
    chat.until(lambda: chat.calls("onReady"), "onReady")
    chat.ask('effect light {"on": true}')
    chat.ask("echo [order](chatkit-link://order?id=1)")
    chat.answer.get_by_text("order").click()
    chat.button("Tool: Draw").click()
    chat.button("History").click()
    chat.page.keyboard.press("Escape")
    chat.page.evaluate("() => window.app.chat.setThreadId('cthr_0123456789abcdef0123456789abcdef')")
    for handler in HANDLERS:
        chat.until(partial(chat.calls, handler), handler)
    assert [0, {"name": "light", "data": {"on": True}}] in chat.calls("onEffect")
    assert [0, {"name": "order", "data": {"id": "1"}}] in chat.calls("onDeeplink")
    assert chat.calls("onReady") == [[0, None]]
    assert [0, {"toolId": "draw"}] in chat.calls("onToolChange")


@pytest.mark.row("R4", "O24")
def test_a_widgets_action_may_answer_through_the_hook_at_once(show: Show, stage: Stage) -> None:
    chat = show()
    render(chat, stage)
    chat.ready()
    chat.send("actions")
    chat.button("Client").click()
    expect(chat.answer).to_contain_text('Action showcase.report: {"by":"react"}')
    chat.idle()


@pytest.mark.row("R5")
def test_the_element_goes_and_comes_and_another_key_is_another_element(show: Show, stage: Stage) -> None:
    chat = show()
    render(chat, stage, strict=True)
    chat.ready()
    expect(chat.ask("echo one")).to_have_text("one")
    render(chat, stage, strict=True, shown=False)
    expect(chat.element).to_have_count(0)
    render(chat, stage, strict=True, shown=True)
    chat.until(lambda: len(chat.events("chatkit.ready")) == 2, "ready again")
    expect(chat.answers).to_have_count(0)
    expect(chat.ask("echo two")).to_have_text("two")
    render(chat, stage, strict=True, identity="second")
    chat.until(lambda: len(chat.events("chatkit.ready")) == 3, "ready of another")
    expect(chat.ask("echo three")).to_have_text("three")
    assert chat.element.count() == 1
    chat.page.evaluate("() => window.app.unmount()")
    expect(chat.element).to_have_count(0)


@pytest.mark.row("R5")
def test_unmounting_in_the_middle_of_an_answer_ends_in_silence(show: Show, stage: Stage) -> None:
    chat = show()
    render(chat, stage)
    chat.ready()
    chat.send("count 300 5ms")
    expect(chat.answer).to_contain_text("1 2 3")
    thread = chat.thread_id()
    render(chat, stage, shown=False)
    expect(chat.element).to_have_count(0)
    render(chat, stage, shown=True, options={"initialThread": thread})
    expect(chat.answer).to_contain_text("299 300")


@pytest.mark.row("R6")
def test_an_element_that_is_moved_keeps_its_thread(show: Show, stage: Stage) -> None:
    chat = show()
    render(chat, stage)
    chat.ready()
    chat.ask("echo stays")
    chat.composer.fill("draft")
    chat.page.evaluate("""() => {
      const element = document.querySelector("openai-chatkit");
      const box = document.body.appendChild(document.createElement("section"));
      const home = element.parentElement;
      box.append(element);
      home.append(element);
      box.remove();
    }""")
    expect(chat.answer).to_have_text("stays")
    assert chat.call("getComposerValue")["text"] == "draft"
    assert len(chat.events("chatkit.ready")) == 1


@pytest.mark.row("R6")
def test_created_configured_and_appended_by_hand_in_any_order(show: Show, stage: Stage) -> None:
    chat = show()
    outcome = chat.page.evaluate(
        """async (query) => {
          const api = { getClientSecret: async () =>
            (await (await fetch("/secret?" + query, { method: "POST" })).json()).client_secret };
          const ready = (element) => new Promise((resolve) => element.addEventListener("chatkit.ready", resolve));
          const seen = [];
          for (const order of ["options first", "append first"]) {
            const element = document.createElement("openai-chatkit");
            seen.push(element.attributes.length + element.childNodes.length);
            const isReady = ready(element);
            if (order === "options first") element.setOptions({ api });
            document.getElementById("host").append(element);
            if (order === "append first") element.setOptions({ api });
            await isReady;
            seen.push(order);
            element.remove();
          }
          return seen;
        }""",
        "user=by-hand&workflow=wf_showcase",
    )
    assert outcome == [0, "options first", 0, "append first"]


@pytest.mark.row("R7")
def test_no_property_of_the_element_is_named_like_an_attribute(show: Show, stage: Stage) -> None:
    chat = show()
    own = chat.page.evaluate("() => Object.getOwnPropertyNames(customElements.get('openai-chatkit').prototype)")
    assert not {"title", "style", "className", "id", "lang", "dir", "hidden", "slot", "data"} & set(own)


@pytest.mark.row("R7")
def test_the_official_types_fit_the_element() -> None:
    install()
    done = subprocess.run(
        [find_node(), REACT / "node_modules" / "typescript" / "bin" / "tsc", "--project", REACT / "tsconfig.json"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads((REACT / "package-lock.json").read_text())["packages"]
    assert not [name for name, package in packages.items() if "resolved" in package]
