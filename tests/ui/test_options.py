"""Every option does what it says."""

from __future__ import annotations

import json
import re

import pytest

from tests.harness.chatpage import ChatPage, expect, style, text_of
from tests.ui.conftest import Opener
from tests.ui.reference import Reference

pytestmark = pytest.mark.slow

CUSTOM = "api: { url: '/chatkit', domainKey: 'domain_pk_localhost_dev' }"
MODELS = """composer: { models: [
  { id: "small", label: "Small", description: "Quick" },
  { id: "large", label: "Large", default: true },
  { id: "old", label: "Old", disabled: true },
] }"""
TOOLS = """composer: { tools: [
  { id: "search", label: "Search the archive", shortLabel: "Archive", icon: "search",
    placeholderOverride: "Search for…" },
  { id: "draw", label: "Draw", icon: "square-image", pinned: true },
  { id: "keep", label: "Keep on", icon: "star", persistent: true },
] }"""


# --- api -------------------------------------------------------------------------------------------------------------


@pytest.mark.row("O1")
def test_a_server_of_your_own_answers_at_a_relative_address(custom: Opener, peer: Reference) -> None:
    chat = custom(f"{{ {CUSTOM} }}")
    expect(chat.ask("count 30")).to_contain_text("28 29 30")
    assert [request["type"] for request in peer.requests if request["type"] == "threads.create"] == ["threads.create"]


@pytest.mark.row("O1")
def test_an_absolute_address_and_no_domain_key_do_as_well(custom: Opener) -> None:
    chat = custom("{ api: { url: location.origin + '/chatkit' } }")
    expect(chat.ask("echo fine")).to_contain_text("fine")


@pytest.mark.row("O1")
def test_the_pages_own_fetch_carries_the_requests(custom: Opener, peer: Reference) -> None:
    chat = custom("""{ api: { url: "/chatkit", domainKey: "x", fetch: (input, init) => {
      record("fetch", String(input));
      const headers = new Headers(init.headers);
      headers.set("x-from-page", "yes");
      return fetch(input, { ...init, headers });
    } } }""")
    chat.ask("echo mine")
    assert chat.calls("fetch")
    assert {request["headers"].get("x-from-page") for request in peer.requests} == {"yes"}


@pytest.mark.row("O2")
def test_the_first_secret_is_asked_for_with_null(chat: Opener) -> None:
    page = chat()
    page.ask("echo hello")
    assert page.calls("getClientSecret") == [[None]]


@pytest.mark.row("O2")
def test_a_secret_that_is_refused_is_replaced_and_the_message_sent(chat: Opener) -> None:
    page = chat()
    page.forgive("401")
    page.ask("echo before")
    session = chat.stage.pages.sessions[-1]
    chat.stage.server.backend.http.post(f"/v1/chatkit/sessions/{session['id']}/cancel")
    expect(page.ask("echo after")).to_contain_text("after")
    assert page.calls("getClientSecret") == [[None], [session["client_secret"]]]


@pytest.mark.row("O2")
def test_a_secret_that_cannot_be_had_is_an_error_on_the_screen(chat: Opener) -> None:
    page = chat("{ api: { getClientSecret: async () => { throw new Error('no session today'); } } }")
    page.forgive("no session today")
    page.send("hello")
    page.until(lambda: page.events("chatkit.error"), "chatkit.error")
    expect(page.element.get_by_role("alert").first).to_be_visible()


@pytest.mark.row("O3")
@pytest.mark.parametrize("strategy", ["direct", "two_phase POST", "two_phase PUT"])
def test_files_are_uploaded_by_the_strategy(custom: Opener, peer: Reference, strategy: str) -> None:
    kind, _, method = strategy.partition(" ")
    peer.attachments.method = method or "POST"
    how = "{ type: 'direct', uploadUrl: '/upload' }" if kind == "direct" else "{ type: 'two_phase' }"
    chat = custom(
        f"{{ api: {{ url: '/chatkit', domainKey: 'x', uploadStrategy: {how} }},"
        " composer: { attachments: { enabled: true } } }"
    )
    chat.attach(("notes.txt", "text/plain", b"some notes"))
    expect(chat.button("Remove notes.txt")).to_be_visible()
    chat.uploaded(1)
    answer = chat.ask("message")
    held = json.loads(text_of(answer))
    assert [attachment[1:] for attachment in held["attachments"]] == [["file", "notes.txt", "text/plain"]]
    assert [(upload["bytes"], upload["method"]) for upload in peer.uploads] == [(10, method or "POST")]
    assert peer.attachments.data[held["attachments"][0][0]] == b"some notes"


@pytest.mark.row("O3")
def test_what_the_page_adds_to_requests_does_not_leak_to_a_foreign_uploader(custom: Opener, peer: Reference) -> None:
    peer.attachments.base = peer.url.replace("127.0.0.1", "localhost")
    chat = custom(
        """{ api: { url: "/chatkit", domainKey: "x", uploadStrategy: { type: "two_phase" }, fetch: (input, init) => {
          const headers = new Headers(init.headers);
          headers.set("authorization", "secret");
          return fetch(input, { ...init, headers });
        } }, composer: { attachments: { enabled: true } } }""",
        policy=False,
    )
    chat.forgive("request: http://localhost")
    chat.attach(("notes.txt", "text/plain", b"notes"))
    chat.uploaded(1)
    chat.ask("message")
    assert [upload["headers"].get("authorization") for upload in peer.uploads] == [None]
    assert {request["headers"].get("authorization") for request in peer.requests} == {"secret"}


# --- words and looks -------------------------------------------------------------------------------------------------


@pytest.mark.row("O4")
@pytest.mark.xfail(strict=True, reason="the words are English alone so far")
def test_a_locale_changes_the_words(custom: Opener) -> None:
    chat = custom(f"{{ {CUSTOM}, locale: 'de' }}")
    expect(chat.button("Send")).to_have_count(0, timeout=1_000)
    assert chat.placeholder() != "Message the AI"


@pytest.mark.row("O4")
def test_a_locale_is_sent_as_one_value(custom: Opener, peer: Reference) -> None:
    chat = custom(f"{{ {CUSTOM}, locale: 'de' }}")
    chat.ask("echo hallo")
    languages = {request["headers"]["accept-language"] for request in peer.requests}
    assert len(languages) == 1
    assert re.fullmatch("de(-DE)?", languages.pop())


@pytest.mark.row("O4")
def test_the_browsers_language_is_the_default_and_an_unknown_one_is_english(chat: Opener) -> None:
    page = chat(locale="tlh")
    expect(page.button("Send")).to_have_count(1)
    expect(page.ask("whoami")).to_contain_text("Locale: tlh")


@pytest.mark.row("O4")
def test_arabic_runs_from_right_to_left(chat: Opener) -> None:
    page = chat("{ locale: 'ar' }")
    assert style(page.composer, "direction") == "rtl"
    page.composer.fill("a text from left to right")
    page.until(lambda: style(page.composer, "direction") == "ltr", "the text's own direction")
    page.set_options("{ locale: 'en' }")
    page.composer.fill("")
    page.until(lambda: style(page.composer, "direction") == "ltr", "left to right")


@pytest.mark.row("O5")
def test_light_and_dark_differ_and_change_at_once(chat: Opener) -> None:
    page = chat("{ theme: 'light' }")
    light = colours(page)
    assert style(page.composer, "color-scheme") == "light"
    page.set_options("{ theme: 'dark' }")
    page.until(lambda: colours(page) != light, "other colours")
    assert style(page.composer, "color-scheme") == "dark"


@pytest.mark.row("O5")
def test_a_theme_sets_size_font_density_radius_and_colours(chat: Opener) -> None:
    page = chat("{ theme: 'light' }")
    plain = looks(page)
    page.set_options("""{ theme: { colorScheme: "light", radius: "sharp", density: "spacious",
      typography: { baseSize: 18, fontFamily: "Courier New, monospace" },
      color: { accent: { primary: "#c2410c", level: 2 },
        surface: { background: "#fff7ed", foreground: "#431407" } } } }""")
    page.until(lambda: looks(page) != plain, "the theme")
    themed = looks(page)
    assert themed["size"] == "18px"
    assert "Courier" in themed["font"]
    assert themed["radius"] != plain["radius"]
    assert themed["colour"] != plain["colour"]


@pytest.mark.row("O6")
def test_the_region_is_named_by_the_frame_title(chat: Opener) -> None:
    page = chat("{ frameTitle: 'Harbour desk' }")
    expect(page.page.get_by_role("region", name="Harbour desk")).to_be_visible()
    page.set_options("{}")
    expect(page.page.get_by_role("region", name="Chat", exact=True)).to_be_visible()


# --- thread and tools ------------------------------------------------------------------------------------------------


@pytest.mark.row("O7")
def test_the_initial_thread_is_shown_at_first_and_not_again(chat: Opener) -> None:
    client = chat.stage.server.backend.chat("initial", "wf_showcase")
    first, second = client.create("echo the first"), client.create("echo the second")
    page = chat(f"{{ initialThread: '{first.thread_id}' }}", user="initial")
    expect(page.answer).to_contain_text("the first")
    page.set_options(f"{{ initialThread: '{second.thread_id}' }}")
    page.ask("echo still here")
    assert page.thread_id() == first.thread_id
    assert page.answers.count() == 2


@pytest.mark.row("O7", "E8")
def test_an_initial_thread_that_is_gone_leaves_a_usable_chat(chat: Opener) -> None:
    page = chat("{ initialThread: 'cthr_0123456789abcdef0123456789abcdef' }")
    page.forgive("404", "error:")
    page.until(lambda: page.events("chatkit.thread.load.end"), "the end of loading")
    page.call("setThreadId", None)
    expect(page.ask("echo fine")).to_contain_text("fine")


@pytest.mark.row("O8", "T9")
def test_what_a_client_tool_returns_goes_to_the_agent(chat: Opener) -> None:
    page = chat("""{ onClientTool: async ({ name, params }) => {
      record("tool", name, params);
      return { seen: params.source };
    } }""")
    page.send('tool lookup {"source": "archive"}')
    expect(page.answer).to_contain_text('The tool lookup returned {"seen":"archive"}')
    assert page.calls("tool") == [["lookup", {"source": "archive"}]]


@pytest.mark.row("O8", "T9")
def test_a_client_tool_that_throws_tells_the_agent_why(chat: Opener) -> None:
    page = chat("{ onClientTool: () => { throw new Error('the drawer is stuck'); } }")
    page.forgive("the drawer is stuck")
    page.send("tool open")
    expect(page.answer).to_contain_text("the drawer is stuck")


@pytest.mark.row("O8", "T9")
def test_a_client_tool_may_return_nothing(chat: Opener) -> None:
    page = chat("{ onClientTool: () => undefined }")
    page.send("tool nothing")
    expect(page.answer).to_contain_text("The tool nothing returned {}")


# --- header, history, start screen -----------------------------------------------------------------------------------


@pytest.mark.row("O9")
def test_the_header_shows_the_threads_title_or_its_own_or_nothing(chat: Opener) -> None:
    page = chat()
    page.ask("title A quiet harbour")
    heading = page.element.locator("[part~='header']").get_by_role("heading")
    expect(heading).to_have_text("A quiet harbour")
    page.set_options("{ header: { title: { text: 'Harbour desk' } } }")
    expect(heading).to_have_text("Harbour desk")
    page.set_options("{ header: { title: { enabled: false } } }")
    page.until(lambda: (heading.bounding_box() or {"width": 0})["width"] <= 1, "a title for screen readers alone")
    expect(page.button("New chat")).to_be_visible()
    page.set_options("{ header: { enabled: false } }")
    expect(page.element.locator("[part~='header']")).to_have_count(0)


@pytest.mark.row("O10")
def test_the_header_has_a_button_of_the_page_on_each_side(chat: Opener) -> None:
    page = chat("""{ header: {
      leftAction: { icon: "menu", onClick: () => record("left") },
      rightAction: { icon: "settings-cog", onClick: () => record("right") },
    } }""")
    buttons = page.element.locator("[part~='header']").get_by_role("button")
    for n in range(buttons.count()):
        name = buttons.nth(n).get_attribute("aria-label") or buttons.nth(n).inner_text()
        if name not in {"History", "New chat"}:
            buttons.nth(n).click()
    assert page.calls("left") == [[]]
    assert page.calls("right") == [[]]


@pytest.mark.row("O11")
def test_without_history_there_is_no_way_to_it(chat: Opener) -> None:
    page = chat("{ history: { enabled: false } }")
    page.ask("echo hello")
    expect(page.button("History")).to_have_count(0)
    page.set_options("{}")
    expect(page.button("History")).to_be_visible()


@pytest.mark.row("O11")
@pytest.mark.parametrize(("hidden", "left"), [("showDelete", "Rename"), ("showRename", "Delete")])
def test_the_history_offers_what_it_may(chat: Opener, hidden: str, left: str) -> None:
    page = chat(f"{{ history: {{ {hidden}: false }} }}")
    page.ask("title Tides")
    page.button("History").click()
    page.button("Options for Tides").click()
    expect(page.element.get_by_role("menuitem")).to_have_text([left])


@pytest.mark.row("O12")
def test_the_greeting_greets(chat: Opener) -> None:
    page = chat()
    expect(page.element.get_by_text("What can I help with today?")).to_be_visible()
    page.set_options("{ startScreen: { greeting: 'Ahoy <b>there</b>' } }")
    expect(page.element.get_by_text("Ahoy <b>there</b>")).to_be_visible()


@pytest.mark.row("O13")
def test_a_prompt_is_sent_with_one_click(chat: Opener) -> None:
    page = chat("""{ startScreen: { prompts: [
      { label: "Say it", prompt: "echo from a prompt", icon: "sparkle" },
      { label: "With a tag", prompt: [
        { type: "input_text", text: "message " },
        { type: "input_tag", id: "ship_1", text: "Aurora", data: { berth: "1" } },
      ] },
    ] } }""")
    page.button("Say it").click()
    expect(page.answer).to_contain_text("from a prompt")
    expect(page.button("With a tag")).to_have_count(0)
    page.idle()
    page.button("New chat").click()
    page.button("With a tag").click()
    expect(page.answer).to_contain_text("Tags: Aurora (ship_1)")


# --- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.row("O14", "Tf")
def test_feedback_reaches_the_server(custom: Opener, peer: Reference) -> None:
    chat = custom(f"{{ {CUSTOM}, threadItemActions: {{ feedback: true }} }}")
    chat.ask("echo rate me")
    chat.button("Good answer").click()
    expect(chat.button("Good answer")).to_have_attribute("aria-pressed", "true")
    chat.until(lambda: peer.feedback, "the feedback")
    [(items, kind)] = peer.feedback
    assert kind == "positive"
    assert len(items) == 1


@pytest.mark.row("O14", "Tf")
def test_feedback_and_retry_are_offered_when_asked_for(chat: Opener) -> None:
    page = chat()
    page.ask("echo hello")
    expect(page.button("Copy")).to_have_count(1)
    for name in ("Good answer", "Bad answer", "Try again"):
        expect(page.button(name)).to_have_count(0)
    page.set_options("{ threadItemActions: { feedback: true, retry: true } }")
    for name in ("Good answer", "Bad answer", "Try again"):
        expect(page.button(name)).to_have_count(1)


@pytest.mark.row("O14", "Tf")
def test_a_retry_answers_the_message_again(chat: Opener) -> None:
    page = chat("{ threadItemActions: { retry: true } }")
    page.ask("state")
    expect(page.answer).to_contain_text("Count: 1")
    page.button("Try again").click()
    expect(page.answer).to_contain_text("Count: 2")
    assert page.answers.count() == 1
    assert page.questions.count() == 1


@pytest.mark.row("O15", "Th")
@pytest.mark.parametrize("answer", ["text 500 1ms", "text 900 0ms"], ids=["written", "here at once"])
def test_with_auto_scroll_the_log_follows_the_answer_to_its_end(chat: Opener, answer: str) -> None:
    page = chat("{ thread: { autoScroll: true } }")
    page.ask(answer)
    expect(page.button("Copy")).to_be_attached()
    page.until(lambda: page.from_end() < 2, "the end of the log")


@pytest.mark.row("O15")
def test_with_auto_scroll_what_grows_after_the_end_is_followed(chat: Opener) -> None:
    page = chat("{ thread: { autoScroll: true } }")
    page.ask("text 500 1ms")
    page.until(lambda: page.from_end() < 2, "the end of the log")
    page.answer.evaluate("text => { text.style.paddingBottom = '300px' }")
    page.until(lambda: page.from_end() < 2, "the end of the log that has grown")


@pytest.mark.row("O15", "Th")
def test_once_auto_scroll_is_off_the_question_stays_at_the_top(chat: Opener) -> None:
    page = chat("{ thread: { autoScroll: true } }")
    page.ask("text 500 1ms")
    page.until(lambda: page.from_end() < 2, "the end of the log")
    page.set_options("{ thread: { autoScroll: false } }")
    page.ask("text 500 1ms")
    page.settled()
    assert page.from_end() > 200


@pytest.mark.row("O15")
def test_somebody_who_reads_above_is_left_alone(chat: Opener) -> None:
    page = chat("{ thread: { autoScroll: true } }")
    page.ask("text 500 1ms")
    page.send("count 400 2ms")
    expect(page.answer).to_contain_text("10 11")
    page.until(lambda: page.from_end() < 2, "the end of the glide to the question")
    page.log.hover()
    page.page.mouse.wheel(0, -20_000)
    page.until(lambda: page.log.evaluate("log => log.scrollTop") == 0, "the top")
    page.idle()
    assert page.log.evaluate("log => log.scrollTop") == 0


@pytest.mark.row("O15")
def test_a_page_that_scrolls_up_is_not_pulled_back(chat: Opener) -> None:
    page = chat("{ thread: { autoScroll: true } }")
    page.ask("text 500 1ms")
    page.send("count 400 2ms")
    expect(page.answer).to_contain_text("10 11")
    page.settled()
    page.log.evaluate("log => { log.scrollTop = 50 }")
    page.idle()
    assert page.log.evaluate("log => log.scrollTop") == 50


@pytest.mark.row("Th")
def test_a_page_that_scrolls_ends_the_glide_to_the_question(chat: Opener) -> None:
    page = chat()
    page.ask("text 500 1ms")
    page.log.evaluate(
        """log => {
          const before = log.scrollTop;
          const look = () => {
            if (log.scrollTop === before) requestAnimationFrame(look);
            else { log.scrollTop = 50; window.__scrolled = true; }
          };
          look();
        }"""
    )
    page.send("hang")
    page.until(lambda: page.page.evaluate("window.__scrolled === true"), "a glide")
    page.settled()
    assert page.log.evaluate("log => log.scrollTop") == 50
    page.button("Stop").click()
    page.idle()


# --- composer --------------------------------------------------------------------------------------------------------


@pytest.mark.row("O16")
def test_the_placeholder(chat: Opener) -> None:
    page = chat()
    assert page.placeholder() == "Message the AI"
    page.set_options("{ composer: { placeholder: 'Ask the harbour' } }")
    page.until(lambda: page.placeholder() == "Ask the harbour", "the placeholder")


@pytest.mark.row("O17")
def test_attachments_keep_to_size_count_and_type(custom: Opener, peer: Reference) -> None:
    chat = custom("""{
      api: { url: "/chatkit", domainKey: "x", uploadStrategy: { type: "direct", uploadUrl: "/upload" } },
      composer: { attachments: { enabled: true, maxCount: 2, maxSize: { "image/*": 100, "*": 20 },
        accept: { "text/plain": [".txt"], "image/*": [".png"] } } } }""")
    chat.drop(("large.txt", "text/plain", b"x" * 21))
    expect(chat.element.get_by_text("large.txt is too large.")).to_be_visible()
    chat.drop(("sheet.pdf", "application/pdf", b"x"))
    expect(chat.element.get_by_text("sheet.pdf is of a type that is not accepted here.")).to_be_visible()
    chat.drop(("sun.png", "image/png", b"x" * 90), ("a.txt", "text/plain", b"a"))
    for name in ("sun.png", "a.txt"):
        expect(chat.button(f"Remove {name}")).to_be_visible()
    chat.drop(("b.txt", "text/plain", b"b"))
    expect(chat.element.get_by_text("At most 2 files can be attached.")).to_be_visible()
    chat.forgive("error:")
    chat.uploaded(2)
    assert sorted(upload["bytes"] for upload in peer.uploads) == [1, 90]


@pytest.mark.row("O17")
def test_attachments_are_off_by_default(chat: Opener) -> None:
    page = chat()
    expect(page.button("Add files")).to_have_count(0)
    expect(page.element.locator("input[type=file]")).to_have_count(0)


@pytest.mark.row("O18", "C4")
def test_a_tool_is_chosen_shown_sent_and_let_go(chat: Opener) -> None:
    page = chat(f"{{ {TOOLS} }}")
    page.button("Tools").click()
    page.element.get_by_role("menuitemradio", name="Search the archive").click()
    expect(page.element.get_by_text("Archive", exact=True)).to_be_visible()
    page.until(lambda: page.placeholder() == "Search for…", "the tool's placeholder")
    page.ask("options")
    expect(page.answer).to_contain_text("Tool: search.")
    expect(page.element.get_by_text("Archive", exact=True)).to_have_count(0)
    assert page.events("chatkit.tool.change") == [{"toolId": "search"}, {"toolId": None}]


@pytest.mark.row("O18", "C4")
def test_a_pinned_tool_stands_outside_and_a_persistent_one_stays(chat: Opener) -> None:
    page = chat(f"{{ {TOOLS} }}")
    page.button("Tool: Draw").click()
    page.ask("options")
    expect(page.answer).to_contain_text("Tool: draw.")
    page.button("Tools").click()
    page.element.get_by_role("menuitemradio", name="Keep on").click()
    for _ in range(2):
        page.ask("options")
        expect(page.answer).to_contain_text("Tool: keep.")


@pytest.mark.row("O19", "C5")
def test_a_model_is_chosen_and_sent(chat: Opener) -> None:
    page = chat(f"{{ {MODELS} }}")
    page.ask("options")
    expect(page.answer).to_contain_text("Model: large.")
    page.button("Model: Large").click()
    expect(page.element.get_by_role("menuitemradio", name="Old")).to_be_disabled()
    page.element.get_by_role("menuitemradio", name="Small").click()
    page.ask("options")
    expect(page.answer).to_contain_text("Model: small.")


@pytest.mark.row("O20")
def test_dictation_is_there_when_asked_for(chat: Opener) -> None:
    page = chat()
    expect(page.button("Dictate")).to_have_count(0)
    page.set_options("{ composer: { dictation: { enabled: true } } }")
    expect(page.button("Dictate")).to_be_visible()


@pytest.mark.row("O21")
def test_the_disclaimer_is_markdown(chat: Opener) -> None:
    page = chat("{ disclaimer: { text: 'Can **err**. [More](https://example.com/more)' } }")
    note = page.element.locator("[part~='disclaimer']")
    expect(note).to_contain_text("Can err. More")
    assert note.get_by_role("link", name="More").get_attribute("href") == "https://example.com/more"
    plain = style(note, "color")
    page.set_options("{ disclaimer: { text: 'Can **err**.', highContrast: true } }")
    page.until(lambda: style(note, "color") != plain, "more contrast")


@pytest.mark.row("O22", "C6")
def test_entities_are_searched_clicked_and_previewed(chat: Opener) -> None:
    page = chat("""{ entities: {
      showComposerMenu: true,
      onTagSearch: async (query) => { record("search", query); return [
        { id: "ship_1", title: "Aurora", group: "Ships", interactive: true, data: { berth: "1" } },
        { id: "ship_2", title: "Bellatrix", group: "Ships" }] },
      onClick: (entity) => record("click", entity.id, entity.data),
      onRequestPreview: async (entity) => { record("preview", entity.id); return { preview: {
        type: "Card", children: [{ type: "Text", value: "Berth " + entity.data.berth }] } } },
    } }""")
    page.button("Mention something").click()
    page.element.get_by_role("option", name="Aurora").click()
    page.composer.press_sequentially("is here")
    page.composer.press("Enter")
    tag = page.questions.last.get_by_role("button", name="Aurora")
    tag.hover()
    expect(page.element.get_by_text("Berth 1")).to_be_visible()
    tag.click()
    assert page.calls("click") == [["ship_1", {"berth": "1"}]]
    assert page.calls("preview") == [["ship_1"]]
    page.idle()


@pytest.mark.row("O23", "C7")
def test_commands_are_searched_and_run(chat: Opener) -> None:
    page = chat("""{ commands: { enabled: true,
      onSearch: async (query) => { record("search", query);
        return [{ id: "greet", label: "Greet", description: "Says hello" }]; },
      onSelect: async (command) => record("select", command.id),
    } }""")
    page.type("/gr")
    page.element.get_by_role("option", name="Greet").click()
    page.until(lambda: page.calls("select") == [["greet"]], "the command")
    assert page.calls("search")[-1] == ["gr"]
    assert page.call("getComposerValue")["text"].strip() == ""


@pytest.mark.row("O24", "T5")
def test_actions_for_the_page_reach_the_page(chat: Opener) -> None:
    page = chat("""{ widgets: { onAction: async (action, item) => {
      record("action", action, item.id, item.widget.type);
      await chat.sendCustomAction({ type: "showcase.report", payload: { passed: "on" } }, item.id);
    } } }""")
    page.send("actions")
    page.button("Client").click()
    expect(page.answer).to_contain_text('Action showcase.report: {"passed":"on"}')
    [[action, item_id, kind]] = page.calls("action")
    assert action["type"] == "showcase.client"
    assert action["payload"] == {"from": "Client"}
    assert item_id.startswith("cti_")
    assert kind == "Card"


# --- all together ----------------------------------------------------------------------------------------------------


@pytest.mark.row("M1", "E10")
def test_options_that_nobody_knows_are_told_and_the_rest_works(chat: Opener) -> None:
    page = chat("""{ theme: 42, sidebar: true, header: { title: "a string" }, threadItemActions: { share: true },
      startScreen: { greeting: "Still here",
        prompts: [{ name: "no label" }, { label: "Yes", prompt: "echo yes" }] } }""")
    page.forgive("console:.*(theme|sidebar|header|share|prompts)")
    expect(page.element.get_by_text("Still here")).to_be_visible()
    page.button("Yes").click()
    expect(page.answer).to_contain_text("yes")
    assert page.complaints != []
    assert any("option" in entry["name"] for entry in page.events("chatkit.log"))


@pytest.mark.row("O8")
def test_a_call_that_waits_from_before_a_reload_is_answered_once(chat: Opener) -> None:
    client = chat.stage.server.backend.chat("waiting", "wf_showcase")
    turn = client.create("tool resume")
    options = (
        f"{{ initialThread: '{turn.thread_id}', onClientTool: () => {{ record('tool'); return {{ late: true }}; }} }}"
    )
    page = chat(options, user="waiting")
    expect(page.answer).to_contain_text('The tool resume returned {"late":true}')
    assert page.calls("tool") == [[]]


def colours(chat: ChatPage) -> tuple[str, str]:
    return style(chat.composer, "color"), style(chat.element.get_by_role("region"), "background-color")


def looks(chat: ChatPage) -> dict[str, str]:
    field = chat.composer
    return {
        "size": style(field, "font-size"),
        "font": style(field, "font-family"),
        "colour": style(field, "color"),
        "radius": style(chat.element.locator("[part~='input-container']"), "border-radius"),
    }
