"""The element in Chromium: what an update of a streaming answer costs, and how long threads open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean

from playwright.sync_api import Browser, CDPSession, Page, Route
from rich.table import Table
from tests.harness.browser import chromium
from tests.harness.node import npm

from bench import load
from bench.client import Connection, Target, events, whole_turn
from bench.load import percentile
from bench.run import Bench
from bench.servers import ROOT, with_workflow
from bench.turn import ANSWER

HERE = ROOT / "bench" / "component"
COMPONENT = ROOT / "src" / "chatdock" / "web" / "component"
PEER = HERE / "node_modules" / "deep-chat" / "dist" / "deepChat.bundle.js"
MARKED = ROOT / "ui" / "node_modules" / "marked" / "lib" / "marked.esm.js"
SHOWCASE = ROOT / "src" / "chatdock" / "workflows" / "showcase" / "markdown.md"
REPLY_BYTES, UPDATES = 32_768, 1_000
TURNS = 1_000
ITEMS = 1_000
PAGE = """<!doctype html><meta charset="utf-8"><title>bench</title>
<style>html, body { height: 100%; margin: 0 }</style>
<script src="/chatkit.js"></script><script src="/measure.js"></script>"""


def run(bench: Bench) -> None:
    if not (COMPONENT / "chatkit.js").exists():
        bench.console.print("component: left out, it is not built; make ui builds it\n")
        return
    if not PEER.exists():
        npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", directory=HERE)
    with chromium() as browser:
        _updates(bench, browser)
        _long_thread(bench, browser)
        _open_thread(bench, browser)


def _updates(bench: Bench, browser: Browser) -> None:
    chunks = _chunks()
    table = Table(
        "side", "mean ms", "p50 ms", "p95 ms", "max ms", "p95 against ours",
        title=f"component: a reply of {REPLY_BYTES:,} bytes of Markdown in {UPDATES:,} updates",
    )  # fmt: skip
    sides = {"Chatdock": "chatdock", "deep-chat 2.4.2": "deepChat", "marked and innerHTML": "markedAndInnerHtml"}
    taken: dict[str, list[float]] = {}
    for name, function in sides.items():
        for _ in range(1 if bench.quick else bench.rounds):
            with _page(browser) as page:
                result = page.evaluate(f"chunks => measure.{function}(chunks)", chunks)
            assert result["shown"] > REPLY_BYTES // 2, f"{name} shows {result['shown']} characters"
            taken.setdefault(name, []).extend(result["taken"])
    ours = percentile(taken["Chatdock"], 0.95)
    for name, costs in taken.items():
        p95 = percentile(costs, 0.95)
        figures = (mean(costs), percentile(costs, 0.5), p95, max(costs))
        table.add_row(name, *(f"{figure:.2f}" for figure in figures), f"{p95 / ours:.1f}")
    bench.console.print(table)
    bench.console.print("An update: the main thread's time for parsing, rendering, styles and layout; no painting.\n")


def _long_thread(bench: Bench, browser: Browser) -> None:
    text = "".join(_chunks()[:20])
    table = Table(
        "turns", "script ms", "styles ms", "layout ms", title="component: a thread that comes in one page of items"
    )
    for turns in (100, TURNS):
        with _page(browser) as page:
            chromium_counts = page.context.new_cdp_session(page)
            chromium_counts.send("Performance.enable")
            before = _seconds(chromium_counts)
            shown = page.evaluate("([turns, text]) => measure.longThread(turns, text)", [turns, text])
            after = _seconds(chromium_counts)
        assert shown == turns
        kinds = ("ScriptDuration", "RecalcStyleDuration", "LayoutDuration")
        table.add_row(f"{turns:,}", *(f"{1000 * (after[kind] - before[kind]):.0f}" for kind in kinds))
    bench.console.print(table)
    bench.console.print("Chromium's own counters, from the empty page to the thread that is shown.\n")


def _seconds(session: CDPSession) -> dict[str, float]:
    return {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}


def _open_thread(bench: Bench, browser: Browser) -> None:
    with bench.chatdock() as server:
        target = with_workflow(server, "wf_native")
        secret, thread, newest = load.in_own_process(180, _fill, target, ITEMS // 2)
        times = []
        for _ in range(bench.rounds):
            with _page(browser, server.url) as page:
                script = "([secret, thread, newest]) => measure.openThread(secret, thread, newest)"
                times.append(page.evaluate(script, [secret, thread, newest]))
    shown = ", ".join(f"{one:.0f}" for one in times)
    bench.console.print(f"component: opening a thread of {ITEMS:,} items to its newest message: {shown} ms\n")


def _chunks() -> list[str]:
    """A Markdown document of 32 kB, cut into 1,000 pieces."""
    document = re.sub(r"^.*\{\{picture\}\}.*\n", "", SHOWCASE.read_text(), flags=re.MULTILINE)
    whole = document * (REPLY_BYTES // len(document) + 1)
    size = REPLY_BYTES / UPDATES
    return [whole[round(n * size) : round((n + 1) * size)] for n in range(UPDATES)]


@contextmanager
def _page(browser: Browser, origin: str = "http://localhost:1080") -> Iterator[Page]:
    """A page with the element; its files come from here, everything else from `origin`."""
    files: dict[str, str | Path] = {"/bench": PAGE, "/measure.js": HERE / "measure.js"}
    files |= {f"/{path.relative_to(COMPONENT)}": path for path in COMPONENT.rglob("*.js")}
    files |= {"/peer/deepChat.bundle.js": PEER, "/peer/marked.esm.js": MARKED}
    context = browser.new_context(viewport={"width": 900, "height": 800})

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(origin)
        if (found := files.get(name)) is None:
            route.continue_()
        elif isinstance(found, Path):
            route.fulfill(body=found.read_bytes(), content_type="text/javascript; charset=utf-8")
        else:
            route.fulfill(body=found, content_type="text/html; charset=utf-8")

    page = context.new_page()
    page.set_default_timeout(180_000)
    page.route("**/*", answer)
    page.goto(f"{origin}/bench")
    try:
        yield page
    finally:
        context.close()


async def _fill(target: Target, turns: int) -> tuple[str, str, str]:
    """A thread of so many turns: a client secret that may open it, its id, and its last message."""
    connection = await Connection.open(target.url)
    secret = await target.session(connection, "reader")
    thread = ""
    text = ""
    for number in range(turns):
        text = f"Question number {number}"
        reply = await connection.start(target.turn_request(secret, text, thread))
        whole_turn(reply, ANSWER, first=not thread)
        if not thread:
            thread = next(event["thread"]["id"] for event in events(reply.body) if event["type"] == "thread.created")
    connection.close()
    return secret, thread, text
