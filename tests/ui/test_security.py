"""Nothing that a server, a model or another user writes runs, leaks or breaks out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from chatdock import Turn, workflow
from tests.harness.chatpage import expect
from tests.harness.node import environment, find_node
from tests.ui.conftest import Opener

pytestmark = pytest.mark.slow

CORPUS = Path(__file__).parent.parent.parent / "ui" / "tests" / "hostile.ts"
CHUNK = 5
BATCH = 25


@cache
def corpus() -> list[str]:
    """The Markdown that the renderer's own tests use."""
    script = f"import * as all from {json.dumps(str(CORPUS))}; console.log(JSON.stringify(Object.values(all).flat()))"
    done = subprocess.run(
        [find_node(), "--input-type=module", "--no-warnings", "--eval", script],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = json.loads(done.stdout)
    return [text for text in found if isinstance(text, str)]


@workflow("wf_corpus")
async def from_corpus(turn: Turn) -> AsyncIterator[Any]:
    """A batch of hostile texts, each streamed piece by piece."""
    start = int(turn.text)
    for text in corpus()[start : start + BATCH]:
        for at in range(0, len(text), CHUNK):
            yield text[at : at + CHUNK]
        yield "\n\n"


WORKFLOWS = [from_corpus]


@pytest.mark.row("S1", "S2", "S3")
def test_hostile_content_of_the_showcase_is_inert(chat: Opener) -> None:
    page = chat()
    page.ask("hostile")
    expect(page.answers.first).to_contain_text("Hostile text")
    assert_inert(page)


@pytest.mark.row("S1", "S2", "S3")
def test_the_hostile_corpus_is_inert_at_every_piece(chat: Opener) -> None:
    assert len(corpus()) > 50
    page = chat(workflow="wf_corpus")
    for start in range(0, len(corpus()), BATCH):
        page.ask(str(start))
        assert_inert(page)


@pytest.mark.row("S1", "T1")
@pytest.mark.parametrize("where", ["title", "echo", "lock", "notice"])
def test_markup_stays_text_wherever_it_is_put(chat: Opener, where: str) -> None:
    page = chat()
    page.ask(f"{where} <img src=x onerror=window.__hostile=1><svg onload=window.__hostile=1>")
    page.button("History").click()
    expect(page.element.get_by_role("dialog", name="History")).to_be_visible()
    assert_inert(page)


@pytest.mark.row("S1")
def test_prototypes_are_not_polluted_by_deep_links_forms_or_actions(chat: Opener) -> None:
    page = chat()
    page.ask("echo [go](chatkit-link://x?__proto__=1&constructor=2&a=3)")
    page.answer.get_by_text("go").click()
    page.until(lambda: page.events("chatkit.deeplink"), "chatkit.deeplink")
    assert page.page.evaluate("() => ({}).polluted ?? Object.keys(Object.prototype).length") == 0


@pytest.mark.row("S2", "S3")
def test_everything_in_use_asks_only_the_page_and_the_server(chat: Opener) -> None:
    page = chat("""{ composer: { attachments: { enabled: true }, dictation: { enabled: true } },
      threadItemActions: { feedback: true, retry: true }, disclaimer: { text: "**Careful**" } }""")
    for command in ("markdown 0ms", "widgets", "image 0ms", "annotations 0ms", "workflow 1ms", "unicode 0ms", "mixed"):
        page.ask(command)
    assert page.foreign() == []
    assert page.page.evaluate("() => performance.getEntriesByType('resource').map((entry) => new URL(entry.name).host)")


@pytest.mark.row("S3")
def test_one_policy_for_trusted_types_is_enough_and_no_inline_style_is_set(chat: Opener) -> None:
    page = chat("{ theme: { colorScheme: 'dark', typography: { baseSize: 18 }, radius: 'soft' } }")
    page.ask("widgets")
    assert page.page.evaluate("() => window.__violations") == []
    assert (
        page.page.evaluate("() => chat.shadowRoot.querySelectorAll('style, script, link, iframe, object').length") == 0
    )


def assert_inert(page: Any) -> None:
    page.until(lambda: page.page.evaluate("() => document.readyState") == "complete", "the page")
    assert page.page.evaluate("() => window.__hostile ?? null") is None
    assert page.reckoning() == []
    assert (
        page.page.evaluate(
            "() => chat.shadowRoot.querySelectorAll('script, iframe, object, embed, base, form[action]').length"
        )
        == 0
    )
    assert (
        page.page.evaluate("""() => [...chat.shadowRoot.querySelectorAll('a[href], img[src]')]
      .map((element) => element.getAttribute('href') ?? element.getAttribute('src'))
      .filter((url) => /^\\s*(javascript|vbscript|data:text|data:image\\/svg|file):/i.test(url))""")
        == []
    )
