"""Words that every kind of agent shares."""

from __future__ import annotations

import re

MODEL_FAILED = "The model could not answer. Please try again."

_WORDS = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def readable(name: str) -> str:
    """A tool's name as words: `get_weather` and `getWeather` are "Get weather"."""
    words = " ".join(_WORDS.findall(_CAMEL.sub(" ", name)))
    if not words:
        return name
    lowered = " ".join(word if word.isupper() else word.lower() for word in words.split())
    return lowered[0].upper() + lowered[1:]
