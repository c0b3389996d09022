"""What a reader relies on while a thread changes: the place, the focus, and that a press counts once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.harness.chatpage import ChatPage, expect
from tests.harness.pages import Pages
from tests.ui.conftest import Opener
from tests.ui.scripted import Scripted, done, said

pytestmark = pytest.mark.slow

CUSTOM = "{ api: { url: '/chatkit', domainKey: 'x' } }"


def image(address: str, progress: float) -> dict[str, Any]:
    """An update of the image that is being made."""
    update = {"type": "generated_image.updated", "image": {"id": "i", "url": address}, "progress": progress}
    return {"type": "thread.item.updated", "item_id": "img", "update": update}


def deep(levels: int) -> bytes:
    """The frame of a widget in a widget, and so on."""
    text = '{"type": "Text", "value": "at the bottom"}'
    nested = '{"type": "Box", "children": [' * levels + text + "]}" * levels
    event = json.dumps(done({"id": "w", "type": "widget", "widget": {"type": "Card", "children": "NESTED"}}))
    return b"data: " + event.replace('"NESTED"', nested).encode() + b"\n\n"


def in_log(page: ChatPage) -> bool:
    """Whether the focus is on the messages or inside them."""
    found: bool = page.log.evaluate("log => log.contains(log.getRootNode().activeElement)")
    return found


# --- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.row("T1")
def test_a_message_that_is_files_alone_has_no_empty_bubble(scene: Opener, script: Scripted) -> None:
    file = {"id": "f", "type": "file", "name": "tides.txt", "mime_type": "text/plain"}
    text = {"type": "input_text", "text": ""}
    script.say(done({"id": "msg_user", "type": "user_message", "content": [text], "attachments": [file]}))
    page = scene(CUSTOM)
    page.ask("hello")
    expect(page.questions.get_by_text("tides.txt")).to_be_visible()
    assert page.questions.locator(".message-bubble").count() == 0


@pytest.mark.row("T8")
def test_a_preview_that_cannot_be_loaded_does_not_hide_the_picture(scene: Opener, script: Scripted) -> None:
    painted = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="
    item = {"id": "img", "type": "generated_image", "thread_id": "thr_1", "created_at": "2026-01-01T00:00:00"}
    script.say(
        {"type": "thread.item.added", "item": item},
        image("data:image/png;base64,AAAA", 0.5),
        {"sleep": 0.5},
        image(painted, 0.9),
        done({"id": "img", "type": "generated_image", "image": {"id": "i", "url": painted}}),
    )
    page = scene(CUSTOM)
    page.send("hello")
    expect(page.log.get_by_role("img", name="Generated image")).to_be_visible()
    page.idle()
    expect(page.log.get_by_role("img", name="Generated image")).to_be_visible()


@pytest.mark.row("N6", "T5", "T10")
@pytest.mark.parametrize(
    "strange",
    [
        [{"type": "progress_update", "text": "Working", "icon": 5}, {"sleep": 0.3}],
        [done({"id": "w", "type": "widget", "copy_text": 5, "widget": {"type": "Text", "value": "shown"}})],
        [deep(5_000)],
        [done({"id": "u", "type": "user_message", "quoted_text": {"_$litType$": 1, "strings": []}, "content": []})],
    ],
    ids=["icon", "copy text", "depth", "quote"],
)
def test_what_a_turn_is_drawn_from_may_be_of_any_type(
    scene: Opener, script: Scripted, strange: list[dict[str, Any] | bytes]
) -> None:
    script.say(said("Before.", "first"), *strange, said("After."))
    page = scene(CUSTOM)
    page.ask("hello")
    for text in ("Before.", "After."):
        expect(page.log.get_by_text(text)).to_be_visible()


# --- the focus -------------------------------------------------------------------------------------------------------


@pytest.mark.row("A9", "T12")
def test_a_button_that_goes_away_leaves_the_focus_to_the_messages(chat: Opener) -> None:
    page = chat("{ threadItemActions: { retry: true } }")
    page.forgive("^error: ")
    page.ask("error custom retry")
    page.button("Dismiss").focus()
    page.page.keyboard.press("Enter")
    expect(page.button("Dismiss")).to_have_count(0)
    page.drawn()
    assert in_log(page)
    page.ask("count 3")
    page.log.locator("[part~='message-retry']").focus()
    page.page.keyboard.press("Enter")
    page.idle()
    assert in_log(page)


@pytest.mark.row("A9", "Tb")
def test_an_older_page_keeps_the_focus_and_what_is_open(scene: Opener, script: Scripted, script_pages: Pages) -> None:
    source = {"type": "annotation", "index": 1, "source": {"type": "url", "url": "https://example.com/", "title": "E"}}
    part = {"type": "output_text", "text": "Cited.", "annotations": [source]}
    newest = [done({"id": "msg_a", "type": "assistant_message", "content": [part]})["item"]]
    older = [
        done({"id": "msg_u", "type": "user_message", "content": [{"type": "input_text", "text": "asked"}]})["item"]
    ]
    page = scene(CUSTOM)
    held: list[Any] = []

    def answer(route: Any) -> None:
        operation = route.request.post_data_json
        if operation["type"] != "items.list":
            route.continue_()
        elif operation["params"].get("after"):
            held.append(route)
        else:
            route.fulfill(json={"data": newest, "has_more": True, "after": "msg_a"})

    page.page.route("**/chatkit", answer)
    page.call("setThreadId", "thr_1")
    page.log.get_by_text("Sources").click()
    page.until(lambda: held, "the request for the older page")
    link = page.log.locator("[part~='sources']").get_by_role("link")
    link.focus()
    held[0].fulfill(json={"data": older, "has_more": False})
    expect(page.questions).to_contain_text(["asked"])
    page.drawn()
    expect(link).to_be_focused()


# --- cards -----------------------------------------------------------------------------------------------------------


@pytest.mark.row("A11", "T4")
def test_a_card_goes_when_the_focus_leaves_the_messages(chat: Opener) -> None:
    page = chat()
    answer = page.ask("annotations 0ms")
    page.composer.press("F6")
    answer.get_by_role("link", name="Source 3").focus()
    card = page.element.locator("[part~='preview']")
    expect(card).to_be_visible()
    page.page.keyboard.press("F6")
    expect(page.composer).to_be_focused()
    expect(card).to_have_count(0)


@pytest.mark.row("A11", "T4")
def test_a_press_into_a_card_leaves_it_open(chat: Opener) -> None:
    page = chat()
    answer = page.ask("annotations 0ms")
    answer.get_by_role("link", name="Source 3").hover()
    card = page.element.locator("[part~='preview']")
    card.get_by_text("Tide table").first.click()
    page.drawn()
    expect(card).to_be_visible()


# --- widgets ---------------------------------------------------------------------------------------------------------


@pytest.mark.row("A16", "O24")
def test_a_press_counts_once_however_quick_the_second_is(scene: Opener, script: Scripted) -> None:
    action = {"type": "go", "handler": "client"}
    button = {"type": "Button", "label": "Go", "onClickAction": action}
    other = {"type": "Button", "label": "Other", "onClickAction": {**action, "type": "other"}}
    script.say(done({"id": "w", "type": "widget", "widget": {"type": "Card", "children": [button, other]}}))
    taken = "widgets: { onAction: (action) => { record('action', action.type); return new Promise(() => {}); } }"
    page = scene(CUSTOM.removesuffix(" }") + f", {taken} }}")
    page.ask("hello")
    page.button("Go").evaluate("button => { button.click(); button.click(); }")
    expect(page.button("Go")).to_have_attribute("aria-disabled", "true")
    page.button("Other").evaluate("button => button.click()")
    expect(page.button("Other")).to_have_attribute("aria-disabled", "true")
    expect(page.button("Go")).to_have_attribute("aria-disabled", "true")
    page.button("Go").evaluate("button => button.click()")
    assert page.calls("action") == [["go"], ["other"]]


# --- where it stands -------------------------------------------------------------------------------------------------


@pytest.mark.row("A10")
def test_nothing_of_a_settled_turn_is_cut_off(chat: Opener) -> None:
    page = chat()
    for n in range(4):
        page.ask(f"echo {n}")
    cut = page.log.evaluate(
        """log => [...log.querySelectorAll(".thread-settled")].filter((turn) => {
          turn.scrollIntoView();
          const box = turn.getBoundingClientRect();
          return [...turn.querySelectorAll("button")].some((button) => {
            const edge = button.getBoundingClientRect();
            return edge.left - 4 < box.left || edge.right + 4 > box.right;
          });
        }).length"""
    )
    assert cut == 0
    assert page.log.locator(".thread-settled").count() == 2


@pytest.mark.row("Th")
def test_a_longer_draft_does_not_cover_the_end(chat: Opener) -> None:
    page = chat(viewport={"width": 600, "height": 500})
    page.ask("text 300 0ms")
    page.log.press("End")
    page.until(lambda: page.from_end() <= 1, "the end")
    height = page.log.evaluate("log => log.clientHeight")
    page.composer.fill("a\nb\nc\nd\ne")
    page.until(lambda: page.log.evaluate("log => log.clientHeight") < height, "a higher composer")
    page.drawn()
    assert page.from_end() <= 1


@pytest.mark.row("T4")
def test_a_source_is_attributed_once(chat: Opener) -> None:
    page = chat()
    page.ask("annotations 0ms")
    page.log.get_by_text("Sources").click()
    about = page.log.locator(".sources").get_by_role("link", name="Arrivals").locator(".source-about")
    expect(about).to_have_text("example.com · February 1, 2026 at 12:00 AM")
