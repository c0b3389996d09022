"""Tells what a model thinks from what it says, where both come as one text.

Models write their reasoning between tags at the beginning of an answer, and endpoints without a parser for them
(Ollama, vLLM) pass it on as content. Only there is it taken for reasoning: a tag further on, or in a code block, is
text that the user asked for.
"""

from __future__ import annotations

import re

TAGS = {
    **{f"<{name}>": f"</{name}>" for name in ("think", "thinking", "thought", "thoughts", "reasoning", "antthinking")},
    "<seed:think>": "</seed:think>",
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|start_thinking|>": "<|end_thinking|>",
    "<|channel|>analysis<|message|>": "<|end|><|start|>assistant<|channel|>final<|message|>",
}
"""How reasoning begins and ends with the models that are known, in lower case."""


class Answer:
    """One answer of a model, piece by piece."""

    def __init__(self) -> None:
        self._pending = ""
        self._end: str | None = None
        self._thought = False
        self._speaks = False
        self._any = False

    def more(self, delta: str) -> tuple[str, str]:
        """What is known of the answer with this piece: reasoning, and after it text."""
        if self._speaks:
            return "", delta
        self._pending += delta
        thought = ""
        while True:
            if self._end is not None:
                inside, ended = self._inside(self._end)
                thought += inside if self._any else inside.lstrip()
                self._any = self._any or bool(thought)
                if not ended:
                    return thought, ""
                self._end = None
            opening = self._pending.lstrip()
            tag = next((tag for tag in TAGS if opening[: len(tag)].lower() == tag), None)
            if tag is not None:
                self._pending, self._end, self._thought, self._any = opening[len(tag) :], TAGS[tag], True, False
            elif any(tag.startswith(opening.lower()) for tag in TAGS):
                return thought, ""
            else:
                return thought, self._rest()

    def end(self) -> tuple[str, str]:
        """What was held back because it could have been the beginning of a tag; blanks alone say nothing."""
        if self._end is not None:
            inside, self._pending = self._pending, ""
            return inside, ""
        rest = self._rest()
        return "", rest if rest.strip() else ""

    def _inside(self, end: str) -> tuple[str, bool]:
        """Reasoning up to its end, or to what may become that."""
        found = re.search(re.escape(end), self._pending, re.IGNORECASE)
        if found is not None:
            inside, self._pending = self._pending[: found.start()], self._pending[found.end() :]
            return inside, True
        held = next((n for n in range(len(end) - 1, 0, -1) if self._pending[-n:].lower() == end[:n]), 0)
        cut = len(self._pending) - held
        inside, self._pending = self._pending[:cut], self._pending[cut:]
        return inside, False

    def _rest(self) -> str:
        text, self._pending = self._pending, ""
        text = text.lstrip() if self._thought else text
        self._speaks = bool(text)
        return text


def without_thoughts(text: str) -> str:
    """The text of a whole answer."""
    answer = Answer()
    return answer.more(text)[1] + answer.end()[1]
