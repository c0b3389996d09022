"""Answers from the files of a folder, and says which of them it read.

The search counts words, as BM25 does: enough for a handbook, and nothing to install. Put an index of your own behind
`Handbook.search` when there are more files.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from agents import Agent, Runner
from chatkit.types import FileSource
from openai.types.responses import ResponseTextDeltaEvent

from chatdock import Emitted, Turn, workflow

FOLDER = Path(__file__).parent / "pages"
PASSAGES = 3
STOP_WORDS = re.compile(
    r"a|an|and|are|at|be|by|can|do|does|for|how|i|in|is|it|me|my|of|on|or|the|to|what|when|where|which|who|you"
)
INSTRUCTIONS = """\
Answer the user's question from the passages below, in one or two sentences. If they do not say it, say that the
handbook does not tell.

"""


@dataclass(frozen=True)
class Passage:
    """A paragraph of a file."""

    file: str
    title: str
    text: str

    @property
    def words(self) -> Counter[str]:
        """How often each word is in it."""
        return words_of(f"{self.title} {self.text}")


class Handbook:
    """The paragraphs of every Markdown file of a folder."""

    def __init__(self, folder: Path) -> None:
        self._passages = [passage for path in sorted(folder.glob("*.md")) for passage in passages_of(path)]
        self._words = [passage.words for passage in self._passages]
        self._files_with = Counter(word for words in self._words for word in words)

    def search(self, question: str, limit: int = PASSAGES) -> list[Passage]:
        """The passages that tell most about the question's words, best first; none when no word is in any."""
        average = sum(words.total() for words in self._words) / max(1, len(self._words))
        scores = [self._score(words_of(question), words, average) for words in self._words]
        best = sorted(range(len(scores)), key=lambda n: -scores[n])[:limit]
        return [self._passages[n] for n in best if scores[n] > 0]

    def _score(self, question: Counter[str], words: Counter[str], average: float) -> float:
        score = 0.0
        for word in question:
            rarity = math.log(1 + (len(self._words) - self._files_with[word] + 0.5) / (self._files_with[word] + 0.5))
            length = 0.25 + 0.75 * words.total() / average
            score += rarity * words[word] * 2.2 / (words[word] + 1.2 * length)
        return score


def passages_of(path: Path) -> list[Passage]:
    """A file's paragraphs, each with the heading above it."""
    title, found = path.stem, []
    for block in re.split(r"\n\s*\n", path.read_text("utf-8")):
        if heading := re.match(r"#+\s+(.+)", block):
            title = heading[1]
        elif block.strip():
            found.append(Passage(path.name, title, " ".join(block.split())))
    return found


def words_of(text: str) -> Counter[str]:
    """Its words, without the endings that English puts on them."""
    words = re.findall(r"\w+", text.lower())
    return Counter(
        re.sub(r"(?<=\w{3})(ies|es|s|ing|ed)$", "", word) for word in words if not STOP_WORDS.fullmatch(word)
    )


book = Handbook(FOLDER)


@workflow("wf_handbook")
async def handbook(turn: Turn) -> AsyncIterator[Emitted]:
    yield turn.progress("Reading the handbook…", icon="book-open")
    passages = book.search(turn.text)
    if not passages:
        yield "The handbook does not tell."
        return
    shown = "\n\n".join(f"{passage.title}: {passage.text}" for passage in passages)
    agent = Agent(name="Handbook", instructions=INSTRUCTIONS + shown)
    result = Runner.run_streamed(agent, await turn.input_items(limit=6))
    async for event in result.stream_events():
        if event.type == "raw_response_event" and isinstance(event.data, ResponseTextDeltaEvent):
            yield event.data.delta
    for passage in {passage.file: passage for passage in reversed(passages)}.values():
        yield turn.cite(FileSource(filename=passage.file, title=passage.title))
