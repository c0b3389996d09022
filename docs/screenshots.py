"""Takes the pictures of the element: `make screenshots` puts them into .cache/screenshots/.

The server is a real one with `wf_showcase`, the browser is Debian's Chromium. `--readme` renews the README's picture.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page  # noqa: E402
from tests.harness.browser import chromium  # noqa: E402
from tests.harness.server import serving  # noqa: E402

from chatdock.workflows.showcase import showcase  # noqa: E402

FOLDER = ROOT / ".cache" / "screenshots"
README = ROOT / "docs" / "images" / "demo.png"


class Picture(NamedTuple):
    """What to do in a new chat before the picture is taken, and how the page is opened."""

    name: str
    pose: Callable[[Page], None]
    address: str = "/embed?workflow=wf_showcase"
    width: int = 1000
    height: int = 760


def send(page: Page, text: str, *, wait: bool = True) -> None:
    """Says something as a user would; with `wait`, until the answer is whole."""
    page.evaluate("""() => {
      const chat = document.querySelector("openai-chatkit");
      window.answered = new Promise((end) => chat.addEventListener("chatkit.response.end", end, { once: true }));
    }""")
    field = page.locator("[part~=composer-input]")
    field.click()
    field.press_sequentially(text)
    field.press("Enter")
    if wait:
        page.evaluate("async () => void (await window.answered)")


def start(page: Page) -> None:
    page.locator("[part~=prompt]").first.wait_for()


def streaming(page: Page) -> None:
    send(page, "markdown 30ms", wait=False)
    page.locator("[part~=message-assistant] h3, [part~=message-assistant] h4").first.wait_for()


def done(page: Page) -> None:
    send(page, "reasoning 0ms")
    send(page, "annotations 0ms")
    page.locator("[part~=message-actions]").last.wait_for()


def history(page: Page) -> None:
    for text in ("text 0ms", "title A quiet harbour at dawn", "title Notes on the tide tables"):
        send(page, text)
        page.get_by_role("button", name="New chat").click()
    send(page, "title Where the Aurora is moored")
    page.get_by_role("button", name="History").click()
    page.get_by_text("A quiet harbour").first.wait_for()


def error(page: Page) -> None:
    send(page, "error custom retry partial")
    page.locator("[part~=error]").wait_for()


def document(page: Page) -> None:
    send(page, "markdown 0ms")
    page.locator("math").first.wait_for()


def rich(page: Page) -> None:
    send(page, "workflow expanded 0ms")
    send(page, "widget")


def questions(page: Page) -> None:
    send(page, "input")
    page.locator("[part~=structured-input]").first.wait_for()


DARK = "/embed?workflow=wf_showcase&theme=dark"
PICTURES = (
    Picture("start", start),
    Picture("streaming", streaming),
    Picture("done", done),
    Picture("history", history),
    Picture("error", error),
    Picture("document", document),
    Picture("rich", rich),
    Picture("questions", questions),
    Picture("dark-start", start, DARK),
    Picture("dark", done, DARK),
    Picture("dark-history", history, DARK),
    Picture("dark-rich", rich, DARK),
    Picture("mobile", done, width=320, height=640),
    Picture("mobile-start", start, width=320, height=640),
    Picture("mobile-history", history, width=320, height=640),
    Picture("demo", done, "/?workflow=wf_showcase", 1280, 800),
)


@contextmanager
def opened(browser: Browser, url: str, picture: Picture) -> Iterator[Page]:
    """A page of a new user, who likes no motion, so that no picture is taken in the middle of one."""
    size = {"width": picture.width, "height": picture.height}
    context = browser.new_context(viewport=size, device_scale_factor=2, reduced_motion="reduce")
    page = context.new_page()
    page.goto(url + picture.address)
    page.locator("[part~=composer-input]").wait_for()
    yield page
    context.close()


def main() -> None:
    """Take them all, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(picture.name for picture in PICTURES)}; else all")
    parser.add_argument("--readme", action="store_true", help="renew the README's picture too")
    options = parser.parse_args()
    wanted = [picture for picture in PICTURES if not options.names or picture.name in options.names]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), [showcase], demo=True) as server,
        chromium() as browser,
    ):
        for picture in wanted:
            with opened(browser, server.url, picture) as page:
                picture.pose(page)
                page.screenshot(path=FOLDER / f"{picture.name}.png")
                print(FOLDER / f"{picture.name}.png", flush=True)  # noqa: T201 - the command's answer
                if options.readme and picture.name == "demo":
                    page.screenshot(path=README, scale="css")


if __name__ == "__main__":
    main()
