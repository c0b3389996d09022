"""Commands that answer with text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import orjson
from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    EntitySource,
    FileSource,
    NoticeEvent,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    URLSource,
)

from chatdock.workflows.showcase import documents
from chatdock.workflows.showcase.arguments import pause
from chatdock.workflows.showcase.gallery import HOSTILE_WIDGET
from chatdock.workflows.showcase.widgets import shown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from chatdock.workflows.showcase.arguments import Arguments
    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted

MAX_WORDS = 20_000
MAX_KILOBYTES = 2048
PACE = 0.02
"""Seconds between two chunks, unless the command says otherwise: about a model's."""
STATE_KEY = "showcase_count"


async def text(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Words of a story, over and over."""
    words = documents.PROSE.split()
    pace = given.pace(PACE)
    for n in range(int(given.number(len(words), MAX_WORDS, "words"))):
        if n:
            await pause(pace)
        yield f"{' ' if n else ''}{words[n % len(words)]}"


async def count(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Numbers from 1, so that a gap or a repetition shows."""
    pace = given.pace(PACE)
    for n in range(1, int(given.number(20, MAX_WORDS, "numbers")) + 1):
        if n > 1:
            await pause(pace)
        yield f"{' ' if n > 1 else ''}{n}"


async def markdown(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """A document with everything; chunks end anywhere, as a model's do."""
    pace = given.pace(0.004)
    for start in range(0, len(documents.MARKDOWN), 17):
        yield documents.MARKDOWN[start : start + 17]
        await pause(pace)


async def unicode_text(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Code point by code point, so that sequences are split between deltas."""
    pace = given.pace(0.001)
    for character in documents.UNICODE:
        yield character
        await pause(pace)


async def hostile(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Content that tries to run script or to break the layout, in every place that takes text or a link."""
    yield documents.HOSTILE
    link = documents.HOSTILE_URLS[0]
    markup = f"<img src=x onerror='window.{documents.HOSTILE_MARK}=1'>"
    yield NoticeEvent(level="danger", title=markup, message=f"{markup} [link]({link})")
    links = [
        Annotation(source=URLSource(title=f"{markup} {url}", url=url, attribution=markup), index=4)
        for url in documents.HOSTILE_URLS
    ]
    content = AssistantMessageContent(text="Text with hostile sources.", annotations=links)
    yield ThreadItemDoneEvent(item=_message(turn, content))
    yield shown(turn, HOSTILE_WIDGET)


async def long(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """So many kilobytes, in numbered lines of 64 characters."""
    pace = given.pace(0)
    for kilobyte in range(int(given.number(64, MAX_KILOBYTES, "kilobytes"))):
        yield "".join(f"{kilobyte * 16 + n + 1:>6} ".ljust(62, ".") + " \n" for n in range(16))
        await pause(pace)


async def empty(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Nothing at all, or a message without content."""
    if "message" in given.words:
        yield ThreadItemDoneEvent(item=_message(turn))


async def echo(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """The text, in one piece."""
    yield given.text or "Nothing to echo."


async def slow(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """An answer that takes its time to begin."""
    seconds = given.number(3, 600, "seconds")
    await pause(seconds)
    yield f"That took {seconds:g} seconds."


async def sources(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """A message whose sources arrive one by one: files, links and entities, two of them at one place."""
    pace = given.pace(0.1)
    said = "The report counts nine ships. The tide table agrees. The harbour master signed both."
    first, second, third = (said.index(".", start) for start in (0, 30, 55))
    file = FileSource(title="Ships in port", filename="ships-2026.pdf", description="Page 4", group="Reports")
    link = URLSource(
        title="Arrivals",
        url="https://example.com/arrivals",
        attribution="example.com",
        description="Every arrival of the year",
        timestamp="2026-02-01",
        group="Web",
    )
    person = EntitySource(
        title="Ada Berg",
        id="person_7",
        icon="profile",
        label="Harbour master",
        inline_label="Ada Berg",
        interactive=True,
        data={"role": "harbour master"},
        group="People",
    )
    found = [
        Annotation(index=first, source=file),
        Annotation(index=first, source=link),
        Annotation(index=second, source=URLSource(title="Tide table", url="https://example.com/tides")),
        Annotation(index=third, source=person),
        Annotation(index=third, source=EntitySource(title="Office", id="place_1", icon="map-pin")),
        Annotation(source=FileSource(title="Whole file", filename="tides.csv", timestamp="2026-01-31")),
    ]
    item = _message(turn)
    yield ThreadItemAddedEvent(item=item)
    opened = AssistantMessageContentPartAdded(content_index=0, content=AssistantMessageContent(text=""))
    yield ThreadItemUpdatedEvent(item_id=item.id, update=opened)
    for sentence in said.split(". "):
        delta = sentence if sentence.endswith(".") else f"{sentence}. "
        yield ThreadItemUpdatedEvent(
            item_id=item.id, update=AssistantMessageContentPartTextDelta(content_index=0, delta=delta)
        )
        await pause(pace)
    for n, annotation in enumerate(found):
        added = AssistantMessageContentPartAnnotationAdded(content_index=0, annotation_index=n, annotation=annotation)
        yield ThreadItemUpdatedEvent(item_id=item.id, update=added)
        await pause(pace)
    content = AssistantMessageContent(text=said, annotations=found)
    done = AssistantMessageContentPartDone(content_index=0, content=content)
    yield ThreadItemUpdatedEvent(item_id=item.id, update=done)
    yield ThreadItemDoneEvent(item=item.model_copy(update={"content": [content]}))


async def parts(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """One message of two parts, the second begun before the first is done."""
    item = _message(turn)
    texts = ["The first part.", "The second part."]
    yield ThreadItemAddedEvent(item=item)
    for n in range(len(texts)):
        part = AssistantMessageContentPartAdded(content_index=n, content=AssistantMessageContent(text=""))
        yield ThreadItemUpdatedEvent(item_id=item.id, update=part)
    for n, said in reversed(list(enumerate(texts))):
        delta = AssistantMessageContentPartTextDelta(content_index=n, delta=said)
        yield ThreadItemUpdatedEvent(item_id=item.id, update=delta)
    contents = [AssistantMessageContent(text=said) for said in texts]
    for n, content in enumerate(contents):
        finished = AssistantMessageContentPartDone(content_index=n, content=content)
        yield ThreadItemUpdatedEvent(item_id=item.id, update=finished)
    yield ThreadItemDoneEvent(item=item.model_copy(update={"content": contents}))


async def message(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """What the user's message holds beside its text."""
    if turn.message is None:
        yield "There is no message."
        return
    tags = [f"{part.text} ({part.id})" for part in turn.message.content if part.type == "input_tag"]
    files = [f"{file.name} ({file.type}, {file.mime_type})" for file in turn.message.attachments]
    yield f"- Tags: {', '.join(tags) or 'none'}\n"
    yield f"- Attachments: {', '.join(files) or 'none'}\n"
    yield f"- Quoted text: {turn.message.quoted_text or 'none'}\n"
    yield f"- Request metadata: {', '.join(sorted(turn.metadata)) or 'none'}\n"


async def state(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Counts in the thread's state. Names of variables only: their values are no client's business."""
    turn.state[STATE_KEY] = turn.state.get(STATE_KEY, 0) + 1
    names = sorted(name for name in turn.state if name != STATE_KEY)
    yield f"Count: {turn.state[STATE_KEY]}. State variables: {', '.join(names) or 'none'}."


async def whoami(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Whom the session names."""
    yield f"User: {turn.user}. Locale: {turn.locale or 'unknown'}."


async def history(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """How many items the thread has, hidden ones included."""
    kinds = Counter(item.type for item in await turn.history())
    by_kind = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    yield f"Items: {kinds.total()}{f' ({by_kind})' if by_kind else ''}."


async def options(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """What was chosen in the composer."""
    chosen = turn.inference_options
    tool = chosen.tool_choice.id if chosen.tool_choice else "none"
    yield f"Model: {chosen.model or 'none'}. Tool: {tool}."


def as_json(value: object) -> str:
    """Any JSON value as a line of Markdown code, its keys in order."""
    return f"`{orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str).decode()}`"


def _message(turn: Turn, *content: AssistantMessageContent) -> AssistantMessageItem:
    return AssistantMessageItem(
        id=turn.new_id(), thread_id=turn.thread.id, created_at=turn.now(), content=list(content)
    )
