"""What stands behind a command word: words, a number, a pace such as `5ms`, a JSON object."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
from chatkit.errors import CustomStreamError

_PACE = re.compile(r"(\d+(?:\.\d+)?)(ms|s)", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
MAX_PACE = 10.0
"""Seconds between two chunks, at most."""


@dataclass(frozen=True)
class Arguments:
    """The rest of a message after its command word."""

    text: str
    """As it was written."""

    @cached_property
    def words(self) -> list[str]:
        """The words, in lower case, up to a JSON object; neither numbers nor a pace are among them."""
        return [word.lower() for word in self._plain if not _PACE.fullmatch(word) and not _NUMBER.fullmatch(word)]

    def pace(self, default: float) -> float:
        """Seconds to wait between two chunks: the first word such as `5ms` or `0.2s`."""
        for word in self._plain:
            if found := _PACE.fullmatch(word):
                seconds = float(found[1]) / (1000 if found[2].lower() == "ms" else 1)
                return _within(seconds, MAX_PACE, "seconds between two chunks")
        return default

    def number(self, default: float, maximum: float, unit: str) -> float:
        """The first number; above `maximum` the turn fails with a message that names `unit`."""
        for word in self._plain:
            if _NUMBER.fullmatch(word):
                return _within(float(word), maximum, unit)
        return default

    def name(self, default: str) -> str:
        """The first word, in the case it was written."""
        names = [word for word in self._plain if not _PACE.fullmatch(word) and not _NUMBER.fullmatch(word)]
        return names[0] if names else default

    def data(self, default: dict[str, Any]) -> dict[str, Any]:
        """The JSON object at the end."""
        start = self.text.find("{")
        if start < 0:
            return default
        try:
            found = orjson.loads(self.text[start:])
        except orjson.JSONDecodeError as error:
            raise CustomStreamError(f"That is no JSON object: {error}") from error
        return dict(found)

    @property
    def _plain(self) -> list[str]:
        return self.text.partition("{")[0].split()


async def pause(seconds: float) -> None:
    """Wait; nothing waits for no seconds, so a pace of `0ms` is as fast as it goes."""
    if seconds:
        await asyncio.sleep(seconds)


def _within(value: float, maximum: float, unit: str) -> float:
    if value > maximum:
        raise CustomStreamError(f"At most {maximum:g} {unit}, not {value:g}.")
    return value
