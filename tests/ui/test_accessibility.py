"""Anybody can use it: axe over every state, the keyboard alone, a screen reader's view of an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.harness.chatpage import ChatPage, expect, style, text_of
from tests.harness.react import axe
from tests.ui.conftest import Opener

pytestmark = pytest.mark.slow

FULL = """{
  threadItemActions: { feedback: true, retry: true },
  disclaimer: { text: "Answers can be [wrong](https://example.com)." },
  startScreen: { prompts: [
    { label: "Say hello", prompt: "echo hello", icon: "sparkle" }, { label: "More", prompt: "help" }] },
  header: { leftAction: { icon: "menu", onClick: () => {} }, rightAction: { icon: "bug", onClick: () => {} } },
  composer: {
    attachments: { enabled: true }, dictation: { enabled: true },
    tools: [{ id: "search", label: "Search", icon: "search" },
      { id: "draw", label: "Draw", icon: "star", pinned: true }],
    models: [{ id: "small", label: "Small", description: "Quick" }, { id: "large", label: "Large", default: true }],
  },
  commands: { enabled: true, onSearch: async () => [{ id: "a", label: "A command", description: "Does something" }] },
  entities: { showComposerMenu: true, onTagSearch: async () => [
    { id: "1", title: "Aurora", group: "Ships", interactive: true }, { id: "2", title: "Ada", group: "People" }],
    onRequestPreview: async () => ({ preview: { type: "Card", children: [{ type: "Text", value: "A preview" }] } }) },
}"""
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: ChatPage) -> list[str]:
    """What axe finds in the page, each with the elements."""
    page.settled()
    if not page.page.evaluate("() => 'axe' in window"):
        page.page.evaluate(axe())
    found = page.page.evaluate(
        """async (tags) => {
          const { violations } = await axe.run(document, { runOnly: tags, resultTypes: ["violations"] });
          return violations.flatMap(({ id, nodes }) => nodes.map((node) =>
            id + ": " + node.target.flat().join(" ") + " " + node.html.slice(0, 120) + " — "
            + node.any.concat(node.all, node.none).map((check) => check.message).join("; ")));
        }""",
        TAGS,
    )
    return list(found)


def paint(page: ChatPage, scheme: str, colours: str = "{}") -> None:
    """Give the page another theme."""
    page.set_options(f"{{ ...{FULL}, theme: {{ colorScheme: '{scheme}', color: {colours} }} }}")
    page.until(lambda: style(page.element.get_by_role("region"), "color-scheme") == scheme, "the theme")
    page.drawn()


# --- states ----------------------------------------------------------------------------------------------------------

State = Callable[[ChatPage], object]


def asked(*commands: str) -> State:
    def state(page: ChatPage) -> None:
        page.forgive("error:", "409", "400")
        for command in commands:
            page.ask(command)

    return state


def streaming(page: ChatPage) -> None:
    page.send("hang")
    expect(page.answer).to_contain_text("Waiting")


def clicked(*names: str | re.Pattern[str]) -> State:
    def state(page: ChatPage) -> None:
        page.ask("title Harbour")
        for name in names:
            page.button(name).click()

    return state


def typed(text: str) -> State:
    def state(page: ChatPage) -> None:
        page.type(text)
        expect(page.element.get_by_role("option").first).to_be_visible()

    return state


def menu_item(button: str, item: str) -> State:
    def state(page: ChatPage) -> None:
        clicked("History", button)(page)
        page.element.get_by_role("menuitem", name=item).click()

    return state


def tagged(page: ChatPage) -> None:
    page.type("message to @a")
    page.element.get_by_role("option", name="Aurora").click()
    page.composer.press("Enter")
    page.idle()
    page.questions.last.get_by_role("button", name="Aurora").focus()
    expect(page.element.get_by_text("A preview")).to_be_visible()


def quoted(page: ChatPage) -> None:
    page.call("setComposerValue", {"text": "message", "reply": "the harbour lay quiet", "selectedToolId": "search"})


def waiting_input(page: ChatPage) -> None:
    page.ask("input")
    page.element.get_by_role("radio", name="North").check()


def answered_input(page: ChatPage) -> None:
    page.ask("input")
    page.button("Skip all").click()
    expect(page.answer).to_contain_text("The questions were skipped.")


def opened_workflow(page: ChatPage) -> None:
    page.ask("workflow 1ms")
    page.log.get_by_role("button", name=re.compile("Checked six things")).click()


def opened_sources(page: ChatPage) -> None:
    page.ask("annotations 1ms")
    page.log.locator("[part~='sources']").get_by_text("Sources").click()


def recording(page: ChatPage) -> None:
    page.button("Dictate").click()
    expect(page.button("Stop dictating")).to_be_visible()


def attached(page: ChatPage) -> None:
    page.ask("echo hello")
    page.call(
        "setComposerValue", {"attachments": [{"type": "file", "id": "a", "name": "tide.csv", "mime_type": "text/csv"}]}
    )
    expect(page.button("Remove tide.csv")).to_be_visible()


def nothing(page: ChatPage) -> None:
    expect(page.composer).to_be_visible()


STATES: dict[str, State] = {
    "start": nothing,
    "streaming": streaming,
    "done": asked("text 30 0ms"),
    "error": asked("error custom retry partial"),
    "notice": asked("notice"),
    "locked": asked("lock The tide is out"),
    "closed": asked("close"),
    "document": asked("markdown 0ms"),
    "unicode": asked("unicode 0ms"),
    "widgets": asked("widgets"),
    "form": asked("form"),
    "actions": asked("actions"),
    "tasks": asked("task"),
    "image": asked("image 0ms"),
    "workflow": opened_workflow,
    "reasoning": asked("reasoning 0ms"),
    "sources": opened_sources,
    "input": waiting_input,
    "input answered": answered_input,
    "history": clicked("History"),
    "history menu": clicked("History", "Options for Harbour"),
    "rename": menu_item("Options for Harbour", "Rename"),
    "delete": menu_item("Options for Harbour", "Delete"),
    "plus menu": clicked("Add files and tools"),
    "model menu": clicked("Model: Large"),
    "mentions": typed("@a"),
    "commands": typed("/"),
    "tag and preview": tagged,
    "quote and tool": quoted,
    "attachment": attached,
    "dictation": recording,
}


@pytest.mark.row("A1", "A3", "A11", "A12")
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_in_the_light_and_in_the_dark(chat: Opener, state: str) -> None:
    page = chat(FULL, reduced_motion="reduce")
    STATES[state](page)
    assert violations(page) == []
    paint(page, "dark")
    assert violations(page) == []


@pytest.mark.row("A12")
@pytest.mark.parametrize("primary", ["#ffe600", "#000080", "#ff0055", "#e0e0e0"])
def test_any_accent_stays_legible(chat: Opener, primary: str) -> None:
    colours = f"{{ accent: {{ primary: '{primary}', level: 3 }}, grayscale: {{ hue: 260, tint: 9, shade: 4 }} }}"
    page = chat(FULL, reduced_motion="reduce")
    page.ask("mixed")
    for scheme in ("dark", "light"):
        paint(page, scheme, colours)
        assert violations(page) == [], scheme


@pytest.mark.row("A13", "A12")
@pytest.mark.parametrize("state", ["start", "document", "widgets", "history", "input"])
def test_small_right_to_left_and_forced_colours(chat: Opener, state: str) -> None:
    size = {"width": 320, "height": 640}
    page = chat(FULL, viewport=size, forced_colors="active", reduced_motion="reduce")
    STATES[state](page)
    assert violations(page) == []
    assert page.page.evaluate("() => document.documentElement.scrollWidth") <= 320
    page.set_options(f"{{ ...{FULL}, locale: 'ar' }}")
    page.until(lambda: style(page.element.get_by_role("region"), "direction") == "rtl", "right to left")
    assert violations(page) == []
    assert page.page.evaluate("() => document.documentElement.scrollWidth") <= 320


# --- structure -------------------------------------------------------------------------------------------------------


@pytest.mark.row("A1", "A2")
def test_the_region_the_log_and_the_headings(chat: Opener) -> None:
    page = chat("{ frameTitle: 'Harbour desk' }")
    page.ask("title Tides")
    page.ask("markdown 0ms")
    expect(page.page.get_by_role("region", name="Harbour desk")).to_be_visible()
    expect(page.log).to_have_attribute("tabindex", "0")
    expect(page.element.get_by_role("log", name="Messages")).to_be_visible()
    expect(page.log.get_by_role("heading", name="You said")).to_have_count(2)
    expect(page.log.get_by_role("heading", name="Assistant said")).to_have_count(2)
    levels = page.page.evaluate("""() => [...chat.shadowRoot.querySelectorAll("h1,h2,h3,h4,h5,h6,[role=heading]")]
      .map((heading) => Number(heading.getAttribute("aria-level") ?? heading.localName[1]))""")
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels


@pytest.mark.row("A4")
def test_an_answer_is_announced_in_batches_and_never_by_the_log(chat: Opener) -> None:
    page = chat()
    page.page.evaluate("""() => {
      const spoken = (window.spoken = []);
      for (const region of chat.shadowRoot.querySelectorAll("[role=status]")) {
        if (region.closest("[role=log]")) continue;
        new MutationObserver(() => {
          if (region.textContent) spoken.push([performance.now(), region.textContent]);
        }).observe(region, { childList: true, characterData: true, subtree: true });
      }
    }""")
    page.send("text 200 12ms")
    expect(page.answer).to_contain_text("harbour")
    assert page.log.get_attribute("aria-live") == "off"
    expect(page.log.locator("[aria-busy=true]").first).to_be_attached()
    page.idle()
    answer = text_of(page.answer)

    def spoken() -> list[list[Any]]:
        return list(page.page.evaluate("() => window.spoken"))

    page.until(lambda: "Response finished" in json.dumps(spoken()), "the end of the announcements", 30)
    said = " ".join(entry[1] for entry in spoken())
    assert " ".join(said.split()).find(answer) >= 0
    times = [entry[0] for entry in spoken()]
    assert all(after - before > 900 for before, after in pairwise(times)), times


@pytest.mark.row("A5", "A6")
def test_what_happened_is_announced(chat: Opener) -> None:
    page = chat(
        '{ composer: { tools: [{ id: "draw", label: "Draw", icon: "star", pinned: true }] } }', user="announced"
    )
    page.ask("title Harbour")
    announced(page, "Message sent")
    announced(page, "Response finished")
    page.button("Tool: Draw").click()
    announced(page, "Draw chosen")
    page.button("Copy").click()
    announced(page, "Copied")
    page.call("setThreadId", None)
    page.button("History").click()
    page.row("Harbour").click()
    announced(page, "Conversation loaded")
    page.send("hang")
    page.button("Stop").click()
    announced(page, "Stopped")


# --- keyboard --------------------------------------------------------------------------------------------------------


@pytest.mark.row("A7", "A10")
def test_the_keyboard_reaches_everything_in_order_and_no_focus_is_unseen(chat: Opener) -> None:
    page = chat(FULL)
    page.ask("echo hello")
    page.page.evaluate("() => document.activeElement?.blur()")
    page.page.evaluate(
        "() => { const start = document.createElement('button'); start.id = 'before'; start.textContent = 'Before';"
        " document.body.prepend(start); start.focus(); }"
    )
    reached: list[str] = []
    for _ in range(40):
        page.page.keyboard.press("Tab")
        where = page.page.evaluate("""() => {
          const active = chat.shadowRoot.activeElement;
          if (!active) return null;
          const place = active.getBoundingClientRect();
          const part = ["header", "log", "composer"].find((name) => active.closest(
            name === "log" ? "[role=log]" : `[part~='${name}']`)) ?? "other";
          const drawn = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
            || style.boxShadow !== "none";
          const box = active.closest("[part~='input-container']");
          const seen = drawn(getComputedStyle(active)) || active.isContentEditable && drawn(getComputedStyle(box));
          return { part, name: active.ariaLabel ?? active.textContent.trim(), seen: Boolean(seen),
            visible: place.width > 0 && place.bottom > 0 && place.top < innerHeight };
        }""")
        if where is None:
            break
        reached.append(f"{where['part']}: {where['name']}")
        assert where["visible"], where
        assert where["seen"], where
    parts = [place.partition(":")[0] for place in reached]
    assert parts == sorted(parts, key=["header", "log", "composer", "other"].index), reached
    for name in (
        "History",
        "New chat",
        "Copy",
        "Good answer",
        "Try again",
        "Add files and tools",
        "Model: Large",
        "Dictate",
    ):
        assert any(name in place for place in reached), (name, reached)


@pytest.mark.row("A8")
@pytest.mark.parametrize("opener", ["Add files and tools", "Model: Large"])
def test_a_menu_by_keyboard(chat: Opener, opener: str) -> None:
    page = chat(FULL)
    button = page.button(opener)
    button.focus()
    page.page.keyboard.press("Enter")
    items = page.element.get_by_role("menu").locator("[role^=menuitem]")
    expect(items.first).to_be_visible()
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("End")
    expect(items.last).to_be_focused()
    page.page.keyboard.press("Home")
    expect(items.first).to_be_focused()
    last = text_of(items.last)
    page.page.keyboard.press(last[0].lower())
    page.page.keyboard.press("Escape")
    expect(items).to_have_count(0)
    expect(button).to_be_focused()


@pytest.mark.row("A8")
def test_a_list_of_mentions_is_a_combobox(chat: Opener) -> None:
    page = chat(FULL)
    page.type("@a")
    expect(page.element.get_by_role("option", name="Ada")).to_be_visible()
    assert page.composer.get_attribute("aria-expanded") == "true"
    first = page.composer.get_attribute("aria-activedescendant")
    page.composer.press("ArrowDown")
    page.until(lambda: page.composer.get_attribute("aria-activedescendant") != first, "the next option")
    active = page.composer.get_attribute("aria-activedescendant")
    assert (
        page.page.evaluate("id => chat.shadowRoot.getElementById(id).getAttribute('aria-selected')", active) == "true"
    )
    page.composer.press("Tab")
    assert "Ada" in page.call("getComposerValue")["text"]
    expect(page.composer).to_be_focused()


@pytest.mark.row("A9")
def test_the_history_is_a_dialog_that_gives_the_focus_back(chat: Opener) -> None:
    page = chat(FULL)
    page.ask("title Harbour")
    page.button("History").focus()
    page.page.keyboard.press("Enter")
    dialog = page.element.get_by_role("dialog", name="History")
    expect(dialog).to_be_visible()
    page.until(
        lambda: page.page.evaluate("() => Boolean(chat.shadowRoot.activeElement?.closest('[role=dialog]'))"),
        "the focus",
    )
    for _ in range(15):
        page.page.keyboard.press("Tab")
        # Between the last and the first of a modal dialog the focus is the browser's own.
        assert page.page.evaluate("() => chat.shadowRoot.activeElement?.closest('[role=dialog]') !== null")
    page.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.button("History")).to_be_focused()


@pytest.mark.row("A9")
def test_deleting_moves_the_focus_to_the_next_thread(chat: Opener) -> None:
    client = chat.stage.server.backend.chat("deleter", "wf_showcase")
    for n in range(3):
        client.create(f"title Ship {n}")
    page = chat(FULL, user="deleter")
    page.button("History").click()
    page.button("Options for Ship 1").click()
    page.element.get_by_role("menuitem", name="Delete").click()
    page.page.keyboard.press("Tab")
    page.element.get_by_role("button", name="Delete", exact=True).click()
    expect(page.row("Ship 1")).to_have_count(0)
    page.until(lambda: "Ship" in page.active(), "the focus on a thread")


@pytest.mark.row("A9")
def test_nothing_steals_the_focus(chat: Opener) -> None:
    page = chat()
    page.send("count 100 4ms")
    expect(page.composer).to_be_focused()
    expect(page.answer).to_contain_text("5 6")
    page.set_options("{ theme: 'dark' }")
    page.idle()
    expect(page.composer).to_be_focused()
    page.page.evaluate(
        "() => { const field = document.createElement('input');"
        " field.id = 'other'; field.ariaLabel = 'Other'; document.body.prepend(field);"
        " field.focus(); }"
    )
    page.call("sendUserMessage", {"text": "form"})
    page.idle()
    expect(page.page.locator("#other")).to_be_focused()


@pytest.mark.row("A11")
def test_a_preview_opens_on_focus_can_be_reached_and_goes_with_escape(chat: Opener) -> None:
    page = chat(FULL)
    tagged(page)
    preview = page.element.get_by_text("A preview")
    preview.hover()
    expect(preview).to_be_visible()
    page.page.keyboard.press("Escape")
    expect(preview).to_be_hidden()


@pytest.mark.row("A13")
def test_wider_text_spacing_cuts_nothing_off(chat: Opener) -> None:
    page = chat(FULL, viewport={"width": 320, "height": 640})
    page.ask("echo hello")
    page.page.evaluate("""() => {
      const sheet = new CSSStyleSheet();
      const spacing = { "line-height": "1.5", "letter-spacing": "0.12em", "word-spacing": "0.16em" };
      const rules = Object.entries(spacing).map(([name, value]) => `${name}: ${value} !important`);
      sheet.replaceSync(`* { ${rules.join(";")} }`);
      chat.shadowRoot.adoptedStyleSheets = [...chat.shadowRoot.adoptedStyleSheets, sheet];
    }""")
    assert page.page.evaluate("() => document.documentElement.scrollWidth") <= 320
    expect(page.button("Send")).to_be_visible()


@pytest.mark.row("A14")
def test_nothing_moves_when_less_motion_is_asked_for(chat: Opener) -> None:
    page = chat(reduced_motion="reduce")
    page.send("hang")
    expect(page.answer).to_contain_text("Waiting")
    moving = page.page.evaluate("""() => chat.shadowRoot.getAnimations().filter(({ playState, effect }) =>
      playState === "running" && effect.getKeyframes().some((frame) => Object.keys(frame).some((property) =>
        !/^(offset|computedOffset|easing|composite|opacity)$|color$/i.test(property)))).length""")
    assert moving == 0
    page.button("Stop").click()
    page.idle()


@pytest.mark.row("A16")
def test_a_widget_that_waits_is_busy_and_keeps_the_focus_near(chat: Opener) -> None:
    page = chat()
    page.ask("actions")
    page.log.get_by_role("button", name="Slow").click()
    expect(page.log.locator("[aria-busy=true]").first).to_be_attached()
    page.idle()
    expect(page.answer).to_contain_text("That took 2 seconds.")


def announced(page: ChatPage, text: str) -> None:
    """Wait until a region that is read out holds it."""

    def said() -> bool:
        return text in page.page.evaluate(
            """() => [...chat.shadowRoot.querySelectorAll("[role=status], [role=alert]")]
              .map((region) => region.textContent).join(" ")"""
        )

    page.until(said, f"the announcement {text!r}")
