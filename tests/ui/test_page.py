"""The element as a guest of the page: what it tells, where the focus goes, what the page may style."""

from __future__ import annotations

import pytest

from tests.harness.chatpage import expect
from tests.ui.conftest import Opener

pytestmark = pytest.mark.slow


@pytest.mark.row("E1", "E7", "E8", "R1")
def test_ready_comes_first_and_nothing_is_lost_to_listeners_added_later(chat: Opener) -> None:
    thread_id = chat.stage.server.backend.chat("early", "wf_showcase").create("echo hello").thread_id
    page = chat(user="early")
    heard = page.page.evaluate(
        """async (initialThread) => {
      const late = document.createElement("openai-chatkit");
      late.setOptions({ ...makeOptions(), initialThread });
      document.getElementById("host").replaceChildren(late);
      await Promise.resolve();
      const heard = [];
      const ended = new Promise((resolve) => late.addEventListener("chatkit.thread.load.end", resolve));
      for (const name of ["ready", "thread.change", "thread.load.start", "thread.load.end"])
        late.addEventListener("chatkit." + name, () => heard.push(name));
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 5000))]);
      return heard;
    }""",
        thread_id,
    )
    assert heard == ["ready", "thread.change", "thread.load.start", "thread.load.end"]


@pytest.mark.row("E5", "E6", "E7")
def test_another_server_ends_what_the_page_had_heard_of(chat: Opener) -> None:
    page = chat()
    page.ask("echo hello")
    page.call("showHistory")
    page.page.evaluate("""() => {
      const { origin } = new URL(document.querySelector("script[src]").src);
      chat.setOptions({ api: { ...hosted, url: `${origin}/v1/chatkit/conversation?other` } });
    }""")
    page.until(lambda: page.events("chatkit.thread.change")[-1] == {"threadId": None}, "the change of the thread")
    assert [len(page.events(f"chatkit.history.{what}")) for what in ("open", "close")] == [1, 1]
    assert page.events("chatkit.ready") == [None]


@pytest.mark.row("E5", "O1")
def test_an_element_that_is_removed_while_it_answers_ends_its_response(chat: Opener) -> None:
    page = chat()
    page.page.evaluate("""() => {
      window.heard = [];
      for (const name of ["start", "end"]) chat.addEventListener("chatkit.response." + name, () => heard.push(name));
    }""")
    page.send("count 4000 5ms")
    page.until(lambda: page.page.evaluate("heard.length") == 1, "the start of the response")
    page.page.evaluate("chat.remove()")
    page.until(lambda: page.page.evaluate("heard").count("end") == 1, "its end")


@pytest.mark.row("M8", "A9")
def test_the_focus_goes_back_to_the_pages_own_button(chat: Opener) -> None:
    page = chat()
    page.page.evaluate("""() => {
      const button = document.createElement("button");
      button.textContent = "Conversations of the page";
      button.onclick = () => void chat.showHistory();
      document.getElementById("host").prepend(button);
    }""")
    button = page.page.get_by_role("button", name="Conversations of the page")
    button.focus()
    page.page.keyboard.press("Enter")
    expect(page.element.get_by_role("dialog")).to_be_visible()
    page.page.keyboard.press("Escape")
    expect(button).to_be_focused()


@pytest.mark.row("O5")
def test_the_page_sets_the_width_of_the_column(chat: Opener) -> None:
    page = chat()
    page.page.evaluate("""() => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync("openai-chatkit { --ck-column: 20rem }");
      document.adoptedStyleSheets.push(sheet);
    }""")
    foot = page.element.locator(".shell-foot")
    assert foot.evaluate("(foot) => foot.getBoundingClientRect().width") == 320
