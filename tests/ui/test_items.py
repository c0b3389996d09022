# ruff: noqa: RUF001
"""Every item and every event of a stream is on the screen as it should be, live and after a reload."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest

from tests.harness.chatpage import ChatPage, expect, text_of
from tests.ui.conftest import Opener

pytestmark = pytest.mark.slow

CUSTOM = "api: { url: '/chatkit', domainKey: 'x' }"


# --- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.row("T1")
def test_a_message_is_there_at_once_and_once(chat: Opener) -> None:
    page = chat()
    held: list[Any] = []
    page.page.route("**/v1/chatkit/conversation", lambda route: held.append(route))
    page.send("echo early")
    expect(page.questions).to_contain_text(["echo early"])
    page.until(lambda: page.events() and held, "the request")
    held[0].continue_()
    page.page.unroute("**/v1/chatkit/conversation")
    expect(page.answer).to_have_text("early")
    expect(page.questions).to_have_count(1)
    page.idle()


@pytest.mark.row("T2", "Td")
def test_deltas_of_a_part_that_was_not_announced(custom: Opener) -> None:
    chat = custom(f"{{ {CUSTOM} }}")
    chat.ask("count 12")
    expect(chat.answer).to_have_text("1 2 3 4 5 6 7 8 9 10 11 12")


@pytest.mark.row("T2")
def test_two_parts_that_are_written_at_the_same_time(chat: Opener) -> None:
    page = chat()
    page.ask("parts")
    expect(page.answers).to_have_text(["The first part.", "The second part."])


@pytest.mark.row("T2")
def test_a_message_without_content_is_no_trouble(chat: Opener) -> None:
    page = chat()
    page.ask("empty")
    page.ask("empty message")
    expect(page.ask("echo fine")).to_have_text("fine")


@pytest.mark.row("T3", "A3")
def test_markdown_becomes_what_it_means(chat: Opener) -> None:
    page = chat()
    answer = page.ask("markdown 0ms")
    for tag in (
        "strong",
        "em",
        "del",
        "code",
        "ol",
        "ul",
        "table",
        "blockquote",
        "hr",
        "pre",
        "math",
        "input[type=checkbox]",
    ):
        expect(answer.locator(tag).first).to_be_attached()
    link = answer.get_by_role("link", name="A link").first
    assert link.get_attribute("href") == "https://example.com/docs?page=1#top"
    assert {"noopener", "noreferrer"} <= set(str(link.get_attribute("rel")).split())
    assert answer.locator("ol").nth(1).get_attribute("start") == "7"
    assert answer.locator("b").count() == 0
    expect(
        answer.locator("pre").filter(has_text="async def tide").locator("[class*=hl], [class*=keyword], span").first
    ).to_be_attached()
    expect(answer.get_by_role("img", name="A sunset")).to_be_visible()
    expect(answer.get_by_text("images.example.com")).to_be_visible()
    assert answer.locator("img[src*='example.com']").count() == 0


@pytest.mark.row("T3")
def test_code_is_copied_by_its_button(chat: Opener) -> None:
    page = chat(permissions=["clipboard-read", "clipboard-write"])
    page.ask("markdown 0ms")
    page.answer.get_by_role("button", name="Copy code").first.click()
    copied = page.page.evaluate("() => navigator.clipboard.readText()")
    assert copied.startswith("async def tide(hour: int) -> str:")


@pytest.mark.row("T3")
def test_a_wide_table_scrolls_by_itself(chat: Opener) -> None:
    page = chat(viewport={"width": 320, "height": 600})
    page.ask("markdown 0ms")
    assert page.page.evaluate("() => document.documentElement.scrollWidth") <= 320
    assert page.log.evaluate("log => log.scrollWidth - log.clientWidth") <= 1
    wide = page.answer.locator("table").nth(1)
    assert wide.evaluate("table => table.parentElement.scrollWidth > table.parentElement.clientWidth")


@pytest.mark.row("T3", "S2")
def test_images_come_from_allowed_domains_alone(chat: Opener) -> None:
    page = chat()
    page.forgive("policy: img-src", "console:.*Content Security Policy", "request: https://images.example.com/b.png")
    page.ask("images images.example.com")
    page.page.route("https://images.example.com/**", lambda route: route.abort())
    page.ask("echo ![a](https://elsewhere.example.com/a.png) ![b](https://images.example.com/b.png)")
    expect(page.answer.locator("img[src='https://images.example.com/b.png']")).to_have_count(1)
    assert page.answer.locator("img[src*='elsewhere']").count() == 0


@pytest.mark.row("T2", "T3")
def test_every_script_and_emoji_arrives_whole(chat: Opener) -> None:
    page = chat()
    answer = page.ask("unicode 0ms")
    for text in (
        "مرحبا بالعالم",
        "👩‍👩‍👧‍👦",
        "𝒳 𐍈 𠜎",
        "나는 유리를 먹을 수 있어요",
        "Donaudampfschifffahrtselektrizitäten",
    ):
        expect(answer).to_contain_text(text)


@pytest.mark.row("T4")
def test_sources_are_marked_in_the_text_and_listed_below(chat: Opener) -> None:
    page = chat("{ entities: { onClick: (entity) => record('click', entity.id) } }")
    answer = page.ask("annotations 0ms")
    expect(answer.get_by_role("button", name="Source 1, 2: Ships in port and Arrivals")).to_be_visible()
    expect(answer.get_by_role("link", name=re.compile("Source 3: Tide table"))).to_be_visible()
    sources = page.log.locator("[part~='sources']")
    expect(sources.get_by_text("Ships in port")).to_be_hidden()
    sources.get_by_text("Sources").click()
    expect(sources.get_by_role("link", name=re.compile("Arrivals"))).to_be_visible()
    expect(sources.get_by_text("Ships in port")).to_be_visible()


# --- widgets and the others ------------------------------------------------------------------------------------------


@pytest.mark.row("T5")
def test_a_widget_and_what_is_copied_of_it(chat: Opener) -> None:
    page = chat(permissions=["clipboard-read", "clipboard-write"])
    page.ask("widget")
    expect(page.log.get_by_text("Three-masted schooner")).to_be_visible()
    page.button("Copy").click()
    assert page.page.evaluate("() => navigator.clipboard.readText()") == "Aurora, 92 m, berth 1, on time"


@pytest.mark.row("T5")
def test_a_widget_that_streams_ends_as_the_stored_one(chat: Opener) -> None:
    page = chat(user="streamed")
    page.ask("stream-widget 1ms")
    expect(page.log.get_by_text("The pilot boat left before the tide turned.")).to_be_visible()
    expect(page.log.get_by_text("Complete", exact=True)).to_be_visible()
    expect(page.log.locator("strong", has_text="two")).to_be_visible()
    assert_same_after_a_reload(page, chat, "streamed")


@pytest.mark.row("T5")
def test_every_widget_is_drawn_and_unknown_ones_are_left_out(chat: Opener) -> None:
    page = chat()
    page.ask("widgets")
    for text in (
        "Titles, texts, captions",
        "Berth 3",
        "Before something unknown",
        "After something unknown",
        "with a card inside",
    ):
        expect(page.log.get_by_text(text).first).to_be_visible()
    expect(page.log.get_by_text("No client draws this")).to_have_count(0)
    assert page.log.locator("img[src*='example.com']").count() == 0


@pytest.mark.row("A15")
@pytest.mark.xfail(strict=True, reason="widgets do not draw their fields yet")
def test_the_fields_of_a_form_go_with_its_action(chat: Opener) -> None:
    page = chat()
    page.ask("form")
    assert page.log.get_by_label("Ship").count() == 1
    page.log.get_by_role("button", name="Send", exact=True).click()
    expect(page.answers).to_have_count(0)
    page.log.get_by_label("Ship").fill("Aurora")
    page.log.get_by_label("Remarks").fill("none")
    page.log.get_by_role("button", name="Send", exact=True).click()
    expect(page.answer).to_contain_text("Action showcase.submit:")
    for part in (
        '"ship":"Aurora"',
        '"contact":{"email":"ada@example.com"}',
        '"form":"arrival"',
        '"cargo":"mail"',
        '"berth":"3"',
    ):
        expect(page.answer).to_contain_text(part)


@pytest.mark.row("T6")
def test_a_workflow_shows_its_tasks_while_it_runs_and_folds_at_its_end(chat: Opener) -> None:
    page = chat()
    page.send("workflow 60ms")
    expect(page.log.get_by_text("Opened the logbook")).to_be_visible()
    page.idle()
    head = page.log.get_by_role("button", name=re.compile("Checked six things"))
    expect(head).to_have_attribute("aria-expanded", "false")
    expect(page.log.get_by_text("Opened the logbook")).to_be_hidden()
    head.click()
    for title in (
        "Opened the logbook",
        "Compared the lists",
        "Read two files",
        "Looked at the chart",
        "Wrote it all down",
    ):
        expect(page.log.get_by_text(title)).to_be_visible()


@pytest.mark.row("T6")
def test_a_workflow_that_is_to_stay_open_does(chat: Opener) -> None:
    page = chat()
    page.ask("workflow expanded 1ms")
    expect(page.log.get_by_text("Opened the logbook")).to_be_visible()


@pytest.mark.row("T6")
def test_reasoning_says_how_long_it_thought(chat: Opener) -> None:
    page = chat()
    page.ask("reasoning 1ms")
    head = page.log.get_by_role("button", name=re.compile("Thought for 7 s"))
    head.click()
    expect(page.log.get_by_text("Counting the ships")).to_be_visible()


@pytest.mark.row("T7")
def test_tasks_that_stand_alone(chat: Opener) -> None:
    page = chat()
    page.ask("task")
    for text in (
        "Opened the logbook",
        "Searched the web",
        "Compared the lists",
        "Read two files",
        "Looked at the chart",
    ):
        expect(page.log.get_by_text(text).first).to_be_visible()


@pytest.mark.row("T8", "A3")
def test_an_image_that_is_generated(chat: Opener) -> None:
    page = chat()
    page.send("image 40ms")
    expect(
        page.log.get_by_role("progressbar").or_(page.log.get_by_text(re.compile("Generating an image"))).first
    ).to_be_attached()
    page.idle()
    image = page.log.get_by_role("img", name="Generated image")
    expect(image).to_be_visible()
    page.until(lambda: image.evaluate("image => image.naturalWidth") == 96, "the picture")


@pytest.mark.row("T9")
def test_several_calls_of_a_client_tool_in_a_row(chat: Opener) -> None:
    page = chat("{ onClientTool: ({ params }) => { record('tool', params); return { ok: true }; } }")
    page.send("tool often 3")
    page.until(lambda: len(page.events("chatkit.response.end")) == 4, "the last answer")
    assert len(page.calls("tool")) == 3
    expect(page.answers).to_have_count(3)


@pytest.mark.row("T10")
def test_progress_is_replaced_and_gone_at_the_end(chat: Opener) -> None:
    page = chat()
    page.page.evaluate("""() => {
      const shown = [];
      new MutationObserver(() => {
        const lines = [...chat.shadowRoot.querySelectorAll("[part~=progress]")].map((line) => line.textContent.trim());
        if (lines.join() !== shown.at(-1)) shown.push(lines.join());
      }).observe(chat.shadowRoot, { subtree: true, childList: true, characterData: true });
      window.progressShown = shown;
    }""")
    page.send("progress 80ms")
    page.idle()
    expect(page.answer).to_have_text("Progress is made.")
    shown = [line for line in page.page.evaluate("window.progressShown") if "…" in line]
    assert shown == ["Looking around…", "Dropping the anchor…", "Nearly there…"]
    expect(page.element.locator("[part~=progress]")).to_have_count(0)


@pytest.mark.row("T11", "A5")
def test_notices_of_each_level(chat: Opener) -> None:
    page = chat()
    page.ask("notice")
    for text in ("A notice that informs.", "Nearly full", "Stopped"):
        expect(page.log.get_by_text(text)).to_be_visible()
    expect(page.log.get_by_role("link", name=re.compile("a link"))).to_be_visible()
    expect(page.log.locator("strong", has_text="danger")).to_be_visible()
    expect(page.element.get_by_role("alert").filter(has_text="danger").first).to_be_attached()


@pytest.mark.row("T12")
def test_an_error_with_a_retry_is_retried(chat: Opener) -> None:
    page = chat()
    page.forgive("error:")
    page.ask("error custom retry partial")
    expect(page.log.get_by_text("An error that the workflow raised.")).to_be_visible()
    expect(page.answer).to_contain_text("This much was said before it went wrong.")
    before = len(page.events("chatkit.response.end"))
    page.log.get_by_role("button", name="Try again").click()
    page.until(lambda: len(page.events("chatkit.response.end")) > before, "the retry")
    expect(page.log.get_by_text("An error that the workflow raised.")).to_have_count(1)
    expect(page.questions).to_have_count(1)


@pytest.mark.row("T12")
def test_an_error_without_a_retry_offers_none_and_a_nameless_one_has_words(chat: Opener) -> None:
    page = chat()
    page.forgive("error:")
    page.ask("error custom no-retry")
    expect(page.log.get_by_text("An error that the workflow raised.")).to_be_visible()
    expect(page.log.get_by_role("button", name="Try again")).to_have_count(0)
    page.ask("error stream no-retry")
    expect(page.log.get_by_text("An error occurred while answering. Please try again.")).to_be_visible()


@pytest.mark.row("T13")
def test_a_title_is_live_in_header_and_history(chat: Opener) -> None:
    page = chat()
    page.button("History").click()
    page.page.keyboard.press("Escape")
    page.ask("title Live title")
    expect(page.element.locator("[part~='header']")).to_contain_text("Live title")
    page.button("History").click()
    expect(page.element.get_by_role("dialog").get_by_text("Live title").first).to_be_visible()


@pytest.mark.row("T14")
def test_a_replaced_item_keeps_its_place(chat: Opener) -> None:
    page = chat()
    page.ask("replace 1ms")
    expect(page.answers).to_have_text(["This message was replaced.", "This message stands below it."])


@pytest.mark.row("T14")
def test_a_removed_item_is_gone(chat: Opener) -> None:
    page = chat()
    page.send("remove 150ms")
    expect(page.log.get_by_text("This message will be removed.")).to_be_visible()
    page.idle()
    expect(page.answers).to_have_text(["A message was removed."])


@pytest.mark.row("T14")
def test_an_item_that_is_done_without_a_beginning(custom: Opener) -> None:
    chat = custom(f"{{ {CUSTOM} }}")
    expect(chat.ask("silent")).to_have_text("Without a beginning.")


@pytest.mark.row("T14", "N3")
@pytest.mark.parametrize("command", ["mixed", "markdown 0ms", "workflow 1ms", "widgets", "annotations 1ms", "task"])
def test_a_reload_shows_the_same(chat: Opener, command: str) -> None:
    user = f"reload {command}"
    page = chat(user=user)
    page.ask(command)
    assert_same_after_a_reload(page, chat, user)


@pytest.mark.row("T15")
def test_the_end_of_turn_and_hidden_context_stay_unseen(chat: Opener) -> None:
    page = chat()
    page.ask("end")
    page.ask("hidden")
    expect(page.answers).to_have_count(2)
    assert "hidden from clients" not in page.page.evaluate("() => chat.shadowRoot.textContent")


# --- what the server's source teaches --------------------------------------------------------------------------------


@pytest.mark.row("Ta")
def test_a_retry_on_a_server_that_removes_in_silence(custom: Opener) -> None:
    chat = custom(f"{{ {CUSTOM}, threadItemActions: {{ retry: true }} }}")
    chat.ask("echo first")
    chat.ask("echo second")
    chat.button("Try again").last.click()
    chat.until(lambda: len(chat.events("chatkit.response.end")) == 3, "the retry")
    expect(chat.questions).to_have_count(2)
    expect(chat.answers).to_have_count(2)
    expect(chat.answers.last).to_have_text("second")


@pytest.mark.row("Tb", "A2")
def test_a_long_thread_opens_at_its_end_and_pages_back(chat: Opener) -> None:
    client = chat.stage.server.backend.chat("long", "wf_showcase")
    thread = client.create("echo number 0").thread_id
    for n in range(1, 45):
        client.send(thread, f"echo number {n}")
    page = chat(f"{{ initialThread: '{thread}' }}", user="long")
    expect(page.answer).to_have_text("number 44")
    page.until(lambda: page.from_end() < 60, "the end of the thread")
    before = page.answers.count()
    assert before < 45
    for _ in range(8):
        if page.answers.count() == 45:
            break
        count = page.answers.count()
        page.log.evaluate("log => log.scrollTo({ top: 0, behavior: 'instant' })")
        expect(page.answers).not_to_have_count(count)
    expect(page.answers).to_have_text([f"number {n}" for n in range(45)])


@pytest.mark.row("Tc", "Td")
def test_times_without_a_zone_and_members_that_are_left_out(custom: Opener) -> None:
    chat = custom(f"{{ {CUSTOM} }}")
    chat.ask("echo dated")
    chat.button("History").click()
    expect(chat.element.get_by_role("dialog").get_by_text("New thread").first).to_be_visible()
    assert "Invalid" not in chat.page.evaluate("() => chat.shadowRoot.textContent")


@pytest.mark.row("Te")
def test_actions_that_do_not_stream_work_while_something_streams(chat: Opener) -> None:
    page = chat()
    page.ask("actions")
    page.send("count 600 5ms")
    expect(page.answer).to_contain_text("5 6")
    page.log.get_by_role("button", name="Sync").click()
    expect(page.log.get_by_text("Pressed: 1")).to_be_visible()
    expect(page.button("Stop")).to_be_visible()
    page.button("Stop").click()
    page.idle()


@pytest.mark.row("Te")
def test_a_streaming_action_waits_while_something_streams_and_one_for_the_page_does_not(chat: Opener) -> None:
    page = chat("{ widgets: { onAction: async (action) => record('action', action.type) } }")
    page.ask("actions")
    page.send("hang")
    expect(page.answer).to_contain_text("Waiting")
    page.settled()
    page.log.get_by_role("button", name="Stream", exact=True).click(force=True)
    page.log.get_by_role("button", name="Client").click()
    page.until(lambda: page.calls("action") == [["showcase.client"]], "the page's action")
    page.button("Stop").click()
    page.idle()
    assert "Action showcase.report" not in text_of(page.log)


@pytest.mark.row("Te")
def test_an_action_that_fails_is_told(chat: Opener) -> None:
    page = chat()
    page.forgive("400", "error:")
    page.ask("actions")
    page.log.get_by_role("button", name="Fail at once").click()
    page.until(lambda: page.events("chatkit.error"), "chatkit.error")
    expect(page.element.get_by_role("alert").first).to_be_attached()


@pytest.mark.row("Tf")
def test_copy_takes_all_of_the_turn(chat: Opener) -> None:
    page = chat(permissions=["clipboard-read", "clipboard-write"])
    page.ask("mixed")
    expect(page.button("Copy")).to_have_count(1)
    page.button("Copy").click()
    copied = page.page.evaluate("() => navigator.clipboard.readText()")
    for text in ("One message, interrupted by progress.", "A second message.", "A third message."):
        assert text in copied


@pytest.mark.row("Tg", "A9")
def test_a_thread_is_renamed_and_deleted_in_the_history(chat: Opener) -> None:
    page = chat(user="keeper")
    page.ask("title First")
    page.button("New chat").click()
    page.ask("title Second")
    page.button("History").click()
    dialog = page.element.get_by_role("dialog", name="History")
    page.button("Options for First").click()
    page.element.get_by_role("menuitem", name="Rename").click()
    field = page.element.get_by_role("textbox", name="Title")
    field.fill("Renamed")
    field.press("Enter")
    expect(dialog.get_by_text("Renamed").first).to_be_visible()
    page.button("Options for Second").click()
    page.element.get_by_role("menuitem", name="Delete").click()
    page.element.get_by_role("dialog", name="Delete the conversation?").or_(
        page.element.get_by_role("alertdialog", name="Delete the conversation?")
    ).get_by_role("button", name="Delete").click()
    expect(dialog.get_by_text("Second")).to_have_count(0)
    client = chat.stage.server.backend.chat("keeper", "wf_showcase")
    assert [thread["title"] for thread in client.call("threads.list")["data"]] == ["Renamed"]


@pytest.mark.row("Tg")
def test_the_history_pages_and_filters(chat: Opener) -> None:
    client = chat.stage.server.backend.chat("many", "wf_showcase")
    for n in range(45):
        client.create(f"title Ship {n}")
    page = chat(user="many")
    page.button("History").click()
    dialog = page.element.get_by_role("dialog", name="History")
    expect(page.row("Ship 44")).to_be_visible()
    expect(page.row("Ship 0")).to_have_count(0)
    for last in (10, 0):
        page.until(partial(scrolled_to, page, f"Ship {last}"), f"Ship {last}")
    dialog.get_by_role("searchbox", name="Filter by title").fill("ship 1")
    expect(page.rows).to_have_count(11)


@pytest.mark.row("Th")
def test_a_sent_message_goes_to_the_top_and_the_end_is_one_click_away(chat: Opener) -> None:
    page = chat()
    page.ask("long 4 0ms")
    page.ask("long 4 0ms")

    def is_at_the_top() -> bool:
        message, view = page.questions.last.bounding_box(), page.log.bounding_box()
        return message is not None and view is not None and abs(message["y"] - view["y"]) < 120

    page.until(is_at_the_top, "the message at the top")
    page.button("Jump to the latest message").click()
    page.until(lambda: page.from_end() < 60, "the end")
    expect(page.button("Jump to the latest message")).to_have_count(0)


def scrolled_to(page: ChatPage, title: str) -> bool:
    page.rows.last.scroll_into_view_if_needed()
    return bool(page.row(title).count())


def assert_same_after_a_reload(page: ChatPage, chat: Opener, user: str) -> None:
    """What the stream built is what the stored items give."""
    page.idle()
    streamed = text_of(page.log)
    again = chat(f"{{ initialThread: '{page.thread_id()}' }}", user=user)
    again.until(lambda: again.events("chatkit.thread.load.end"), "the thread")
    again.until(lambda: text_of(again.log) == streamed, f"the text that was streamed: {streamed!r}")
