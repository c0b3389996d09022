"""Words that every kind of agent shares."""

from __future__ import annotations

import re

MODEL_FAILED = "The model could not answer. Please try again."
NO_ANSWER = "The model gave no answer. Please try again."
CUT_SHORT = "The answer stopped here because it reached the model's length limit."
NOT_SET_UP = "This assistant needs tools that its model does not have. Please tell whoever runs it."
TOOL_UNREACHABLE = "A tool of this assistant could not be reached. Please try again in a moment."

_WORDS = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def readable(name: str) -> str:
    """A tool's name as words: `get_weather` and `getWeather` are "Get weather"."""
    words = " ".join(_WORDS.findall(_CAMEL.sub(" ", name)))
    if not words:
        return name
    lowered = " ".join(word if word.isupper() else word.lower() for word in words.split())
    return lowered[0].upper() + lowered[1:]
