"""No promise without a test."""

from __future__ import annotations

from tests.ui import coverage


def test_every_promise_has_a_test() -> None:
    assert coverage.missing() == []


def test_every_test_names_promises_that_exist() -> None:
    assert coverage.unknown() == []


def test_the_page_says_what_the_tests_say() -> None:
    assert coverage.PAGE.read_text(encoding="utf-8") == coverage.page()
