"""Personal data with a form of its own, found by regular expressions and masked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address


def _luhn(digits: str) -> bool:
    """Whether the last digit fits the others, as those of payment cards do."""
    total = 0
    for place, digit in enumerate(reversed([int(each) for each in digits if each.isdigit()])):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _iban(text: str) -> bool:
    """Whether the check digits fit (ISO 7064, remainder 1 by 97)."""
    compact = text.replace(" ", "").upper()
    turned = compact[4:] + compact[:4]
    return 15 <= len(compact) <= 34 and int("".join(str(int(each, 36)) for each in turned)) % 97 == 1


def _ssn(text: str) -> bool:
    """Whether it is a number that is given out."""
    area, group, serial = text.split("-")
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def _phone(text: str) -> bool:
    date = re.fullmatch(r"\d{4}[ .-]\d{2}[ .-]\d{2}|\d{2}[ .-]\d{2}[ .-]\d{4}", text)
    return date is None and 7 <= sum(each.isdigit() for each in text) <= 15


def _ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return text != "::"


ENTITIES: dict[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    "EMAIL_ADDRESS": (re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]+(?:\.[\w-]+)+\b"), bool),
    "IBAN_CODE": (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), _iban),
    "CREDIT_CARD": (re.compile(r"\b\d(?:[ -]?\d){12,18}\b"), _luhn),
    "US_SSN": (re.compile(r"\b\d{3}-\d{2}-\d{4}\b"), _ssn),
    "IP_ADDRESS": (
        re.compile(
            r"(?<![\w.:-])(?:\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\w)|(?:[\da-fA-F]{0,4}:){2,7}[\da-fA-F]{0,4}(?![\w:-]))"
        ),
        _ip,
    ),
    # These two have no form but their length, for Presidio as well: ask for them where numbers are no matter.
    "US_PASSPORT": (re.compile(r"\b(?:\d{9}|[A-Z]\d{8})\b"), bool),
    "US_BANK_NUMBER": (re.compile(r"(?<![\w+])\d{8,17}\b"), bool),
    "PHONE_NUMBER": (
        re.compile(r"(?<![\w.-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]?\d{2,4}){2,4}(?![\w-])"),
        _phone,
    ),
}
"""By Presidio's names, which exports use, in the order in which they are looked for: what is masked is not looked at
again."""


def find_personal_data(text: str, entities: Iterable[str] | None = None) -> tuple[dict[str, list[str]], str]:
    """What was found, by kind, and the text with each kind's name in its place; all kinds without `entities`."""
    wanted = ENTITIES.keys() if entities is None else set(entities)
    found: dict[str, list[str]] = {}
    for kind, (pattern, valid) in ENTITIES.items():
        if kind in wanted:

            def mask(match: re.Match[str], kind: str = kind, valid: Callable[[str], bool] = valid) -> str:
                if not valid(match[0]):
                    return match[0]
                found.setdefault(kind, []).append(match[0])
                return f"<{kind}>"

            text = pattern.sub(mask, text)
    return found, text
