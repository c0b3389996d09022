"""Writing a message: keys, input methods, files, mentions, commands, dictation, stopping, questions."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator

from tests.harness.chatpage import ChatPage, expect, text_of
from tests.ui.conftest import Opener
from tests.ui.reference import Reference

pytestmark = pytest.mark.slow

UPLOADS = """api: { url: "/chatkit", domainKey: "x", uploadStrategy: { type: "direct", uploadUrl: "/upload" } },
  composer: { attachments: { enabled: true }, dictation: { enabled: true } }"""
MENTIONS = """{ entities: { onTagSearch: async (query) => {
  record("search", query);
  return [
    { id: "ship_1", title: "Aurora", group: "Ships", interactive: true, data: { berth: "1" } },
    { id: "ship_2", title: "Bellatrix", group: "Ships" },
    { id: "person_1", title: "Ada", group: "People" },
  ].filter((entity) => entity.title.toLowerCase().includes(query.toLowerCase()));
} } }"""
COMMANDS = """{ composer: { tools: [{ id: "draw", label: "Draw", icon: "star" }] }, commands: { enabled: true,
  onSearch: async (query) => [
    { id: "insert", label: "Insert a ship", group: "Harbour" },
    { id: "more", label: "More commands", group: "Harbour" },
    { id: "effect", label: "Effect only" },
  ],
  onSelect: async (command) => {
    record("select", command.id);
    if (command.id === "insert") return { type: "entity", entity: { id: "ship_9", title: "Vega" } };
    if (command.id === "more") return { type: "menu", commands: [{ id: "deep", label: "Deeper" }] };
  },
} }"""


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.row("C1")
@pytest.mark.parametrize("key", ["Enter", "Control+Enter", "Meta+Enter"])
def test_enter_sends(chat: Opener, key: str) -> None:
    page = chat()
    page.composer.fill("echo sent")
    page.composer.press(key)
    expect(page.answer).to_have_text("sent")
    assert page.call("getComposerValue")["text"] == ""
    expect(page.composer).to_be_focused()
    page.idle()


@pytest.mark.row("C1")
def test_shift_and_enter_break_the_line(chat: Opener) -> None:
    page = chat()
    page.type("echo one")
    page.composer.press("Shift+Enter")
    page.type("two")
    assert page.call("getComposerValue")["text"] == "echo one\ntwo"
    page.composer.press("Enter")
    expect(page.questions.last).to_contain_text("echo one")
    expect(page.answer).to_contain_text("two")


@pytest.mark.row("C1")
def test_nothing_is_sent_while_there_is_nothing_to_send(chat: Opener) -> None:
    page = chat()
    page.type("   ")
    page.composer.press("Enter")
    expect(page.questions).to_have_count(0)
    assert page.events("chatkit.response.start") == []


@pytest.mark.row("C1")
def test_the_enter_of_an_input_method_does_not_send_and_the_next_one_does(chat: Opener) -> None:
    page = chat()
    page.composer.focus()
    cdp = page.page.context.new_cdp_session(page.page)
    cdp.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
    cdp.send(
        "Input.dispatchKeyEvent", {"type": "keyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229}
    )
    cdp.send("Input.insertText", {"text": "日本"})
    assert page.call("getComposerValue")["text"] == "日本"
    expect(page.questions).to_have_count(0)
    page.composer.press("Enter")
    expect(page.questions).to_contain_text(["日本"])
    page.idle()


@pytest.mark.row("C1")
def test_what_a_user_writes_is_not_markdown_and_not_markup(chat: Opener) -> None:
    page = chat()
    page.ask("echo **bold** <b>markup</b> # none")
    expect(page.questions.last).to_contain_text("echo **bold** <b>markup</b> # none")
    expect(page.questions.last.locator("strong, b, h1")).to_have_count(0)


@pytest.mark.row("C1")
def test_pasted_text_keeps_its_lines_and_loses_its_looks(chat: Opener) -> None:
    page = chat()
    page.paste(text="echo first\nsecond")
    assert page.call("getComposerValue")["text"] == "echo first\nsecond"


@pytest.mark.row("C1")
def test_a_message_that_is_refused_comes_back(chat: Opener) -> None:
    page = chat(members={"limit": 1})
    page.ask("echo one")
    page.forgive("429", "error:")
    page.send("echo two")
    page.until(lambda: page.call("getComposerValue")["text"] == "echo two", "the message in the composer")
    expect(page.questions).to_have_count(1)
    expect(page.element.get_by_role("alert").first).to_be_visible()


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.row("C2")
def test_files_come_by_dialog_paste_and_drop(custom: Opener, peer: Reference) -> None:
    chat = custom(f"{{ {UPLOADS} }}")
    chat.attach(("dialog.txt", "text/plain", b"1"))
    chat.paste(("pasted.png", "image/png", b"22"))
    chat.drop(("dropped.txt", "text/plain", b"333"))
    for name in ("dialog.txt", "pasted.png", "dropped.txt"):
        expect(chat.button(f"Remove {name}")).to_be_visible()
    chat.uploaded(3)
    held = json.loads(text_of(chat.ask("message")))
    assert sorted(attachment[2] for attachment in held["attachments"]) == ["dialog.txt", "dropped.txt", "pasted.png"]
    expect(chat.button("Remove dialog.txt")).to_have_count(0)
    image = chat.questions.last.get_by_role("img", name="pasted.png")
    assert str(image.get_attribute("src")).startswith("data:image/gif")


@pytest.mark.row("C2")
def test_a_removed_file_is_deleted_and_not_sent(custom: Opener, peer: Reference) -> None:
    chat = custom(f"{{ {UPLOADS} }}")
    chat.drop(("away.txt", "text/plain", b"1"))
    chat.uploaded(1)
    chat.button("Remove away.txt").click()
    chat.until(lambda: peer.attachments.deleted, "the deletion")
    assert json.loads(text_of(chat.ask("message")))["attachments"] == []


@pytest.mark.row("C2")
def test_an_upload_that_fails_can_be_tried_again(custom: Opener, peer: Reference) -> None:
    chat = custom(f"{{ {UPLOADS} }}")
    chat.forgive("500", "Failed to load", "error:")
    failures: list[str] = []

    def fail_once(route: Any) -> None:
        failures.append(route.request.url)
        if len(failures) == 1:
            route.fulfill(status=500, body="no")
        else:
            route.continue_()

    chat.page.route("**/upload", fail_once)
    chat.drop(("late.txt", "text/plain", b"1"))
    chat.button("Upload late.txt again").click()
    chat.uploaded(1)
    expect(chat.button("Upload late.txt again")).to_have_count(0)
    assert len(json.loads(text_of(chat.ask("message")))["attachments"]) == 1


# --- the quote, tools, mentions, commands ----------------------------------------------------------------------------


@pytest.mark.row("C3")
def test_a_quote_is_shown_sent_and_can_be_taken_back(chat: Opener) -> None:
    page = chat()
    page.call("setComposerValue", {"text": "message", "reply": "the harbour lay quiet"})
    page.button("Remove the quote").click()
    page.ask("message")
    expect(page.answer).to_contain_text("Quoted text: none")
    page.call("setComposerValue", {"text": "message", "reply": "the harbour lay quiet"})
    page.composer.press("Enter")
    expect(page.answer).to_contain_text("Quoted text: the harbour lay quiet")
    expect(page.questions.last).to_contain_text("the harbour lay quiet")
    page.idle()


@pytest.mark.row("C6", "A8")
def test_a_mention_is_found_by_key_and_sent_as_a_tag(chat: Opener) -> None:
    page = chat(MENTIONS)
    page.type("message for @be")
    options = page.element.get_by_role("option")
    expect(options).to_have_text(["Bellatrix"])
    expect(page.element.get_by_role("group", name="Ships")).to_be_visible()
    page.composer.press("Enter")
    expect(options).to_have_count(0)
    page.type("and others")
    page.composer.press("Enter")
    expect(page.answer).to_contain_text("Tags: Bellatrix (ship_2)")
    expect(page.questions.last).to_contain_text("message for Bellatrix and others")
    page.idle()


@pytest.mark.row("C6")
def test_a_tag_goes_as_one_piece(chat: Opener) -> None:
    page = chat(MENTIONS)
    page.type("to @aur")
    page.element.get_by_role("option", name="Aurora").click()
    content = page.call("getComposerValue")["content"]
    assert [part["type"] for part in content if part.get("text", "").strip()] == ["input_text", "input_tag"]
    for _ in range(2):
        page.composer.press("Backspace")
    assert page.call("getComposerValue")["text"].strip() == "to"


@pytest.mark.row("C6", "A8")
def test_escape_closes_the_list_and_keeps_the_text(chat: Opener) -> None:
    page = chat(MENTIONS)
    page.type("write to @a")
    expect(page.element.get_by_role("option").first).to_be_visible()
    page.composer.press("Escape")
    expect(page.element.get_by_role("option")).to_have_count(0)
    assert page.call("getComposerValue")["text"] == "write to @a"


@pytest.mark.row("C7")
def test_commands_insert_lead_on_or_only_act(chat: Opener) -> None:
    page = chat(COMMANDS)
    page.type("/ship")
    page.element.get_by_role("option", name="Insert a ship").click()
    page.until(lambda: "Vega" in page.call("getComposerValue")["text"], "the tag")
    page.type("/")
    page.element.get_by_role("option", name="More commands").click()
    page.element.get_by_role("option", name="Deeper").click()
    page.type("/")
    page.element.get_by_role("option", name="Effect only").click()
    page.until(lambda: page.calls("select")[-1:] == [["effect"]], "the commands")
    assert page.calls("select") == [["insert"], ["more"], ["deep"], ["effect"]]
    assert page.call("getComposerValue")["text"].strip() == "Vega"


@pytest.mark.row("C7", "C4")
def test_the_slash_menu_holds_the_composers_own_actions(chat: Opener) -> None:
    page = chat(COMMANDS)
    page.type("/draw")
    page.element.get_by_role("option", name="Draw").click()
    page.until(lambda: page.events("chatkit.tool.change") == [{"toolId": "draw"}], "the tool")
    assert page.call("getComposerValue")["text"].strip() == ""


# --- dictation, stop -------------------------------------------------------------------------------------------------


@pytest.mark.row("C8")
def test_what_was_said_is_written_into_the_composer(chat: Opener) -> None:
    page = chat("{ composer: { dictation: { enabled: true } } }")
    page.button("Dictate").click()
    page.element.get_by_role("button", name="Stop dictating").click()
    page.until(lambda: "heard" in page.call("getComposerValue")["text"], "the transcript")
    assert "of audio/webm" in page.call("getComposerValue")["text"]
    expect(page.button("Dictate")).to_be_visible()


@pytest.mark.row("C8")
def test_a_discarded_recording_is_not_sent(custom: Opener, peer: Reference) -> None:
    chat = custom(f"{{ {UPLOADS} }}")
    chat.button("Dictate").click()
    expect(chat.button("Stop dictating")).to_be_visible()
    chat.button("Discard the recording").click()
    expect(chat.button("Dictate")).to_be_visible()
    assert peer.asked("input.transcribe") == []


@pytest.mark.row("C8")
def test_a_refused_microphone_is_said(chat: Opener) -> None:
    page = chat("{ composer: { dictation: { enabled: true } } }")
    page.page.evaluate("""() => { navigator.mediaDevices.getUserMedia = async () => {
      throw new DOMException("no", "NotAllowedError"); }; }""")
    page.button("Dictate").click()
    expect(page.element.get_by_text("The microphone cannot be used.")).to_be_visible()
    expect(page.button("Dictate")).to_be_visible()


@pytest.mark.row("C9")
def test_stop_keeps_what_was_said_here_and_on_the_server(chat: Opener) -> None:
    page = chat(user="stopper")
    page.send("hang")
    expect(page.answer).to_contain_text("Waiting until somebody stops this")
    page.button("Stop").click()
    expect(page.button("Send")).to_be_visible()
    client = chat.stage.server.backend.chat("stopper", "wf_showcase")
    items = client.items(page.thread_id())
    assert items[-1]["content"][0]["text"] == text_of(page.answer)
    expect(page.ask("echo next")).to_have_text("next")


@pytest.mark.row("C9")
def test_stop_on_a_stock_server_ends_the_request(custom: Opener) -> None:
    chat = custom("{ api: { url: '/chatkit', domainKey: 'x' } }")
    chat.send("hang")
    expect(chat.answer).to_contain_text("hang")
    chat.button("Stop").click()
    expect(chat.button("Send")).to_be_visible()
    expect(chat.answer).to_contain_text("hang")
    expect(chat.ask("echo next")).to_have_text("next")


@pytest.mark.row("C9")
def test_without_leave_to_cancel_there_is_no_stop_button(chat: Opener) -> None:
    page = chat()
    page.send("nocancel 150 10ms")
    expect(page.answer).to_contain_text("harbour")
    expect(page.button("Stop")).to_have_count(0)
    page.idle()


# --- locked, closed, questions ---------------------------------------------------------------------------------------


@pytest.mark.row("C10")
def test_a_locked_thread_has_a_composer_that_takes_nothing(chat: Opener) -> None:
    page = chat()
    page.ask("lock The tide is out")
    assert page.placeholder() == "The tide is out"
    expect(page.composer).to_have_attribute("aria-disabled", "true")
    expect(page.composer).not_to_be_editable()
    page.button("New chat").click()
    expect(page.ask("echo open")).to_have_text("open")


@pytest.mark.row("C10")
@pytest.mark.parametrize(
    ("command", "banner"), [("close", "This conversation is closed."), ("close All done", "All done")]
)
def test_a_closed_thread_has_a_banner_in_its_place(chat: Opener, command: str, banner: str) -> None:
    page = chat()
    page.ask(command)
    expect(page.composer).to_have_count(0)
    expect(page.element.locator("[part~='composer']").get_by_text(banner)).to_be_visible()


@pytest.mark.row("C11", "A16")
def test_questions_take_the_composers_place_and_are_answered(chat: Opener) -> None:
    page = chat()
    page.send("input")
    form = questions(page)
    expect(form.get_by_role("group", name="Which berth?")).to_be_visible()
    expect(page.composer).to_have_count(0)
    form.get_by_role("radio", name="South").check()
    go_on(page)
    form.get_by_role("checkbox", name="Water").check()
    form.get_by_role("checkbox", name="Fuel").check()
    go_on(page)
    form.get_by_role("textbox").fill("A quiet place")
    go_on(page)
    expect(page.answer).to_contain_text("berth: South")
    expect(page.answer).to_contain_text("services: Water, Fuel")
    expect(page.answer).to_contain_text("wishes: A quiet place")
    expect(page.log).to_contain_text("Which berth?")
    expect(page.composer).to_be_visible()


@pytest.mark.row("C11")
def test_questions_are_skipped_one_by_one_or_all(chat: Opener) -> None:
    page = chat()
    page.send("input")
    page.button(re.compile("^Skip:")).click()
    page.element.get_by_role("checkbox", name="Power").check()
    go_on(page)
    page.button(re.compile("^Skip:")).click()
    expect(page.answer).to_contain_text("berth: skipped")
    expect(page.answer).to_contain_text("services: Power")
    page.idle()
    page.send("input")
    page.button("Skip all").click()
    expect(page.answer).to_contain_text("The questions were skipped.")
    page.idle()


@pytest.mark.row("C11")
def test_a_choice_may_be_something_else(chat: Opener) -> None:
    page = chat()
    page.send("input short")
    page.element.get_by_role("textbox", name="Something else").fill("At anchor")
    go_on(page)
    expect(page.answer).to_contain_text("berth: At anchor")


@pytest.mark.row("C11")
def test_questions_wait_through_a_reload(chat: Opener) -> None:
    client = chat.stage.server.backend.chat("asked", "wf_showcase")
    thread = client.create("input short").thread_id
    page = chat(f"{{ initialThread: '{thread}' }}", user="asked")
    page.element.get_by_role("radio", name="North").check()
    go_on(page)
    expect(page.answer).to_contain_text("berth: North")


@pytest.mark.row("C1", "A13")
def test_a_small_screen_that_is_touched(chat: Opener) -> None:
    page = chat(viewport={"width": 320, "height": 568}, has_touch=True, is_mobile=True)
    page.composer.tap()
    page.page.keyboard.type("echo touched")
    page.button("Send").tap()
    expect(page.answer).to_have_text("touched")
    assert page.page.evaluate("() => document.documentElement.scrollWidth") <= 320


def questions(page: ChatPage) -> Locator:
    """What has taken the composer's place."""
    return page.element.locator("[part~='structured-input']")


def go_on(page: ChatPage) -> None:
    """To the next question, once it is there, or to the end."""
    form = questions(page)
    question = form.locator("legend").text_content() or ""
    following = form.get_by_role("button", name="Next")
    if following.count():
        following.click()
        expect(form.locator("legend")).not_to_have_text(question)
    else:
        form.get_by_role("button", name="Submit").click()
