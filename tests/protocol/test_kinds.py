"""The tables of kinds say something of everything that chatkit's types can be."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from chatkit import types

from chatdock.conformance.samples import ITEMS as SAMPLES
from chatdock.protocol import kinds, rest
from chatdock.protocol.frames import dump_item
from chatdock.protocol.wire import FORMS


def types_in(union: Any) -> list[str]:
    """The `type` of every member of one of chatkit's unions."""
    members = get_args(get_args(union)[0] if hasattr(union, "__metadata__") else union)
    return [member.model_fields["type"].default for member in members]


def test_every_item_has_a_row() -> None:
    assert set(kinds.ITEMS) == set(types_in(types.ThreadItem))


def test_every_event_has_a_row() -> None:
    assert set(kinds.EVENTS) == set(types_in(types.ThreadStreamEvent))


def test_every_update_is_one_of_exactly_one_kind_of_item() -> None:
    assert sorted(update for kind in kinds.ITEMS.values() for update in kind.updates) == sorted(
        types_in(types.ThreadItemUpdate)
    )


@pytest.mark.parametrize("name", kinds.ITEMS)
def test_what_a_row_says_of_rest_is_what_rest_shows_and_what_comes_back_from_it(name: str) -> None:
    kind = kinds.ITEMS[name]
    assert not (kind.hidden and kind.rest)
    for make in SAMPLES[name]:
        wire = json.loads(dump_item(make("cthr_1", "cti_1", datetime.now(UTC))))
        if kind.rest is None:
            with pytest.raises(ValueError, match="no REST shape"):
                rest.item_from_wire(wire)
        else:
            assert rest.item_from_wire(wire).type == kind.rest
            assert kind.rest in FORMS


def test_nothing_else_comes_back_from_rest() -> None:
    assert set(FORMS) == {kind.rest for kind in kinds.ITEMS.values() if kind.rest}


@pytest.mark.parametrize("name", kinds.ITEMS)
def test_what_waits_for_an_answer_can_be_pending(name: str) -> None:
    (item,) = [each for each in get_args(get_args(types.ThreadItem)[0]) if each.model_fields["type"].default == name]
    status = item.model_fields.get("status")
    assert kinds.ITEMS[name].needs_answer == (status is not None and "pending" in get_args(status.annotation))


def test_what_is_hidden_is_what_chatkit_never_sends() -> None:
    assert {name for name in kinds.ITEMS if "hidden" in name} == kinds.HIDDEN_TYPES
