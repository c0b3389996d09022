"""The composer where several things happen at once: nothing that somebody writes, says or has in the focus is lost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FloatRect, Locator

from tests.harness.chatpage import ChatPage, expect
from tests.ui.conftest import Opener

pytestmark = pytest.mark.slow

DICTATION = "{ composer: { dictation: { enabled: true } } }"
UPLOADS = """{ api: { url: "/chatkit", domainKey: "x", uploadStrategy: { type: "direct", uploadUrl: "/upload" } },
  composer: { attachments: { enabled: true } } }"""
MENTIONS = """{ entities: { onTagSearch: async () =>
  ["Aurora", "Bellatrix", "Capella"].map((title) => ({ id: title, title })) } }"""
NO_CHUNK = "console: Failed to load resource"


# --- writing ---------------------------------------------------------------------------------------------------------


@pytest.mark.row("C1")
def test_undo_brings_back_what_an_input_method_composed(chat: Opener) -> None:
    page = chat()
    page.composer.focus()
    cdp = page.page.context.new_cdp_session(page.page)
    cdp.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
    cdp.send("Input.insertText", {"text": "日本"})
    press(page, "Control+a", "Delete")
    assert written(page) == ""
    press(page, "Control+z")
    assert written(page) == "日本"
    press(page, "Control+z")
    assert written(page) == ""
    press(page, "Control+Shift+z")
    assert written(page) == "日本"


@pytest.mark.row("C6")
def test_typing_after_a_click_on_a_tag_goes_behind_it(chat: Opener) -> None:
    page = chat()
    for part in (0.2, 0.8):
        page.call("setComposerValue", {"content": [tag("Ada Lovelace"), {"type": "input_text", "text": " first"}]})
        box = box_of(page.composer.get_by_text("Ada Lovelace"))
        page.page.mouse.click(box["x"] + box["width"] * part, box["y"] + box["height"] / 2)
        page.page.keyboard.type(" goes")
        content = page.call("getComposerValue")["content"]
        assert [each["text"] for each in content] == ["Ada Lovelace", " goes first"]


@pytest.mark.row("C1", "C6")
def test_all_is_deleted_right_after_it_was_copied(chat: Opener) -> None:
    page = chat()
    page.call("setComposerValue", {"content": [tag("Ada"), tag("Bob")]})
    page.composer.focus()
    page.page.keyboard.type("and")
    press(page, "Home")
    page.page.keyboard.type("for")
    press(page, "Control+a", "Control+c", "Delete")
    assert page.call("getComposerValue")["content"] == []
    expect(page.composer).to_have_text("")


@pytest.mark.row("C6")
def test_an_open_list_makes_room_for_a_composer_that_grows(chat: Opener) -> None:
    page = chat(MENTIONS)
    page.ask("echo first")
    page.type("for @")
    options = page.element.get_by_role("listbox")
    composer = page.element.locator("[part~='input-container']")
    expect(options.get_by_role("option")).to_have_count(3)
    top = box_of(composer)["y"]
    assert bottom(options) <= top
    page.call("setComposerValue", {"reply": "the harbour lay quiet"})
    page.until(lambda: box_of(composer)["y"] < top, "a higher composer")
    page.drawn()
    expect(options).to_be_visible()
    assert bottom(options) <= box_of(composer)["y"]


# --- the focus -------------------------------------------------------------------------------------------------------


@pytest.mark.row("C9", "A9")
def test_the_focus_stays_when_a_turn_ends_that_could_be_stopped(chat: Opener) -> None:
    page = chat()
    page.send("hang")
    expect(page.answer).to_contain_text("Waiting")
    page.button("Stop").focus()
    page.call("stop")
    page.idle()
    expect(page.button("Send")).to_be_focused()


@pytest.mark.row("C10", "A9")
@pytest.mark.parametrize("command", ["lock", "close"])
def test_the_focus_goes_to_the_reason_why_nothing_can_be_written(chat: Opener, command: str) -> None:
    page = chat()
    page.send(f"{command} The tide is out")
    expect(page.element.locator("[part~='composer']").get_by_text("The tide is out")).to_be_focused()


# --- dictation -------------------------------------------------------------------------------------------------------


@pytest.mark.row("C8", "C10")
@pytest.mark.parametrize("command", ["lock", "close"])
def test_a_thread_that_takes_no_more_lets_the_microphone_go(chat: Opener, command: str) -> None:
    page = chat(DICTATION)
    page.page.evaluate(
        """() => {
          const devices = navigator.mediaDevices;
          const open = devices.getUserMedia.bind(devices);
          window.tracks = [];
          devices.getUserMedia = async (wanted) => {
            const stream = await open(wanted);
            tracks.push(...stream.getTracks());
            return stream;
          };
        }"""
    )
    page.button("Dictate").click()
    expect(page.element.get_by_role("timer")).to_be_visible()
    assert microphones(page) == ["live"]
    page.ask(command)
    page.until(lambda: microphones(page) == ["ended"], "the end of the recording")
    expect(page.element.get_by_role("timer")).to_have_count(0)


@pytest.mark.row("C8")
def test_dictation_that_cannot_be_loaded_leaves_the_composer_and_may_be_tried_again(chat: Opener) -> None:
    page = chat(DICTATION)
    page.forgive(NO_CHUNK)
    without_chunk(page, "dictation")
    page.composer.fill("echo written")
    page.button("Dictate").click()
    page.until(lambda: failed_chunks(page) == ["dictation"], "the failure")
    expect(
        page.element.get_by_text("The server cannot be reached. Check your connection and try again.")
    ).to_be_visible()
    page.page.unroute_all()
    page.button("Dictate").click()
    page.button("Discard the recording").click()
    page.composer.press("Enter")
    expect(page.answer).to_have_text("written")


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.row("C2")
@pytest.mark.parametrize("end", ["dropped", "dragged on", "unseen"])
def test_the_place_to_drop_files_goes_away(custom: Opener, tmp_path: Path, end: str) -> None:
    file = tmp_path / "tide.csv"
    file.write_text("high")
    page = custom(UPLOADS)
    page.page.evaluate("() => { chat.style.height = '400px'; }")
    cdp = page.page.context.new_cdp_session(page.page)
    data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
    overlay = page.element.get_by_text("Drop files here")

    def drag(kind: str, y: int = 200) -> None:
        cdp.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": y, "data": data})

    drag("dragEnter")
    expect(overlay).to_be_visible()
    drag("dragOver")
    if end == "dropped":
        drag("drop")
    elif end == "dragged on":
        drag("dragOver", y=500)
    else:
        page.page.mouse.move(210, 210)
    expect(overlay).to_have_count(0)
    page.uploaded(1 if end == "dropped" else 0)


# --- questions -------------------------------------------------------------------------------------------------------


@pytest.mark.row("C11", "A9")
def test_questions_are_not_answered_by_somebody_who_still_types(chat: Opener) -> None:
    page = chat()
    page.send("input")
    question = page.element.get_by_role("group", name="Which berth?")
    expect(question).to_be_focused()
    page.page.keyboard.type("thank you")
    press(page, "Enter")
    page.drawn()
    expect(question).to_be_focused()
    expect(question.get_by_role("radio", checked=True)).to_have_count(0)
    expect(question.get_by_role("textbox")).to_have_value("")
    expect(page.element.get_by_text("Choose or write an answer")).to_have_count(0)


@pytest.mark.row("C11")
def test_questions_fit_a_small_element(chat: Opener) -> None:
    page = chat()
    page.page.evaluate("() => { chat.style.height = '300px'; }")
    page.send("input short")
    form = page.element.locator("[part~='structured-input']")
    expect(form).to_be_in_viewport(ratio=1)
    assert bottom(form) <= bottom(page.element)
    submit = form.get_by_role("button", name="Submit")
    form.get_by_role("radio", name="North").check()
    form.hover()
    page.page.mouse.wheel(0, 1000)
    expect(submit).to_be_in_viewport(ratio=1)
    submit.click()
    expect(page.answer).to_contain_text("berth: North")


@pytest.mark.row("C11")
def test_answers_are_sent_once_however_often_submit_is_pressed(chat: Opener) -> None:
    page = chat()
    sent: list[str] = []
    page.page.on("request", lambda request: sent.append(request.post_data or ""))
    page.send("input short")
    page.element.get_by_role("radio", name="North").check()
    page.button("Submit").evaluate("button => { button.click(); button.click(); }")
    expect(page.answer).to_contain_text("berth: North")
    page.idle()
    assert sum("threads.add_structured_input" in each for each in sent) == 1
    assert page.events("chatkit.error") == []
    expect(page.answers).to_have_count(2)


@pytest.mark.row("C11")
def test_a_form_that_cannot_be_loaded_leaves_the_composer_and_is_tried_again(chat: Opener) -> None:
    page = chat()
    page.forgive(NO_CHUNK)
    page.page.clock.install()
    without_chunk(page, "input_form")
    page.ask("input short")
    page.until(lambda: failed_chunks(page) == ["input_form"], "the failure")
    expect(page.ask("echo usable")).to_have_text("usable")
    page.ask("input short")
    page.page.unroute_all()
    page.page.clock.fast_forward(5_000)
    page.element.get_by_role("radio", name="North").check()
    page.button("Submit").click()
    expect(page.answer).to_contain_text("berth: North")


# --- what the tests share --------------------------------------------------------------------------------------------


def written(page: ChatPage) -> str:
    """The text in the composer."""
    return str(page.call("getComposerValue")["text"])


def press(page: ChatPage, *keys: str) -> None:
    """Keys where the focus is, one right after the other."""
    for key in keys:
        page.page.keyboard.press(key)


def tag(text: str) -> dict[str, Any]:
    """A tag as a part of a message."""
    return {"type": "input_tag", "id": text, "text": text, "data": {}, "interactive": False}


def box_of(locator: Locator) -> FloatRect:
    """Where it is on the screen."""
    box = locator.bounding_box()
    assert box is not None
    return box


def bottom(locator: Locator) -> float:
    """Where it ends, in pixels from the top."""
    box = box_of(locator)
    return box["y"] + box["height"]


def microphones(page: ChatPage) -> list[str]:
    """The states of all that were opened."""
    states: list[str] = page.page.evaluate("() => tracks.map((track) => track.readyState)")
    return states


def without_chunk(page: ChatPage, name: str) -> None:
    """Let no request for a chunk through."""
    page.page.route(re.compile(rf"/{name}\.js"), lambda route: route.abort())


def failed_chunks(page: ChatPage) -> list[str]:
    """The chunks that the component says it could not load."""
    return [log["data"]["name"] for log in page.events("chatkit.log") if log["name"] == "chunk.failed"]
