"""When a client is too slow, without a socket: each part of a request has its time, and so has what is not taken."""

from __future__ import annotations

import pytest

from chatdock.api.pace import BODY_BYTES_PER_SECOND, Part, Sending, Taking

TIMEOUT = 10.0


@pytest.mark.parametrize("part", [Part.REQUEST, Part.HEAD, Part.BODY, Part.LEFTOVER])
def test_what_does_not_come_is_late_after_the_timeout(part: Part) -> None:
    sending = Sending(TIMEOUT, 0)
    sending.begin(part, 5)
    assert not sending.is_late(14.9)
    assert sending.is_late(15)


@pytest.mark.parametrize("part", [Part.REQUEST, Part.HEAD, Part.LEFTOVER])
def test_bytes_that_trickle_in_buy_no_time(part: Part) -> None:
    sending = Sending(TIMEOUT, 0)
    sending.begin(part, 0)
    sending.received = 1_000_000
    assert sending.is_late(10)


def test_a_body_buys_a_second_with_each_kibibyte() -> None:
    sending = Sending(TIMEOUT, 0)
    sending.begin(Part.BODY, 0)
    for second in range(1000):
        sending.received = second * BODY_BYTES_PER_SECOND
        assert not sending.is_late(second)
    assert not sending.is_late(1008.9)
    assert sending.is_late(1009)


def test_a_request_that_is_whole_may_be_answered_for_as_long_as_it_takes() -> None:
    sending = Sending(TIMEOUT, 0)
    sending.begin(Part.NOTHING, 0)
    assert not sending.is_late(1_000_000)


def test_a_reader_is_late_when_nothing_of_what_waits_is_taken() -> None:
    taking = Taking(TIMEOUT, 0)
    assert not taking.is_late(500, 5)
    assert not taking.is_late(500, 14.9)
    assert taking.is_late(500, 15)


def test_what_is_added_to_what_waits_is_not_taken() -> None:
    taking = Taking(TIMEOUT, 0)
    assert not any(taking.is_late(500 + second, second) for second in range(1, 11))
    assert taking.is_late(600, 11)


def test_a_reader_that_takes_a_little_each_time_is_not_late() -> None:
    taking = Taking(TIMEOUT, 0)
    assert not any(taking.is_late(100_000 - second, second) for second in range(0, 5000, 9))


def test_a_reader_that_took_most_of_it_between_two_looks_is_not_late() -> None:
    taking = Taking(TIMEOUT, 0)
    for second in range(0, 100, 5):
        assert not taking.is_late(500, second)
        taking.took(second + 1)


def test_nobody_is_late_with_nothing() -> None:
    taking = Taking(TIMEOUT, 0)
    assert not any(taking.is_late(0, second) for second in range(100))
    assert not taking.is_late(1, 1000)
