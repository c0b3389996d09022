"""Approval nodes: the workflow waits for the user, and goes on where it stood without doing anything twice."""

from __future__ import annotations

import json
from pathlib import Path

from agents import Agent, Model, function_tool

from tests.exports.serving import export_server, placed, scripted_export
from tests.harness.client import Chat, Json, Turn
from tests.harness.model_endpoint import ModelEndpoint, Say, Status, Step, Use, model_endpoint
from tests.workflows.agents import agent_server, press

LETTER: Step = [Say('{"category": "letter"}')]
COUNT: Step = [Say('{"category": "count"}')]
DRAFT: Step = [Say("Dear Ann, all is well.")]


def badge(card: Json) -> str:
    """The outcome that a card shows."""
    return str(card["widget"]["children"][-1]["label"])


def cards(chat: Chat, turn: Turn) -> list[Json]:
    return [item for item in chat.items(turn.thread_id) if item["type"] == "widget"]


def models(endpoint: ModelEndpoint) -> list[str]:
    """Whom the endpoint was asked as, by the instructions."""
    return [request["instructions"].splitlines()[-1] for request in endpoint.requests]


def test_a_letter_is_drafted_approved_after_a_restart_and_sent_once(tmp_path: Path) -> None:
    path = placed(tmp_path, "letters")
    with model_endpoint(LETTER, DRAFT, [Say("It is on its way.")], COUNT) as endpoint:
        with export_server(tmp_path, endpoint.url, path) as server:
            chat = server.backend.chat()
            drafted = chat.create("A letter to Ann")
            assert drafted.text == "Dear Ann, all is well."
            assert [event["text"] for event in drafted.of("progress_update")] == ["Router"]
            assert "category" not in json.dumps(drafted.events)
            [card] = drafted.done("widget")
            assert {"type": "Text", "value": "Send this letter?"} in card["widget"]["children"]
        with export_server(tmp_path, endpoint.url, path) as server:
            chat = server.backend.chat_with(chat.secret)
            sent = press(chat, card, "confirm")
            assert (sent.outcome, sent.text) == ("completed", "It is on its way.")
            assert models(endpoint)[2:] == ["Say that the letter is on its way."]
            [settled] = [event["item"] for event in sent.of("thread.item.replaced")]
            assert badge(settled) == "Approved"
            items = chat.items(card["thread_id"])
            assert press(chat, card, "cancel").types == ["stream_options"]
            assert chat.items(card["thread_id"]) == items
            assert chat.send(card["thread_id"], "How many?").done("assistant_message")[0]["content"][0]["text"] == (
                "Letter number 2, plain"
            )
    assert len(endpoint.requests) == 4


def test_a_rejection_takes_the_other_branch(tmp_path: Path) -> None:
    with scripted_export(tmp_path, "letters", LETTER, DRAFT) as (chat, _):
        [card] = chat.create("A letter").done("widget")
        rejected = press(chat, card, "cancel")
        assert rejected.done("assistant_message")[0]["content"][0]["text"] == "Nothing was sent."


def test_the_sidecar_names_the_buttons(tmp_path: Path) -> None:
    sidecar = '[approval]\napprove = "Send"\nreject = "Keep"\n'
    with scripted_export(tmp_path, "letters", LETTER, DRAFT, sidecar=sidecar) as (chat, _):
        [card] = chat.create("A letter").done("widget")
    assert [card["widget"][button]["label"] for button in ("confirm", "cancel")] == ["Send", "Keep"]


def test_a_new_message_rejects_what_was_asked_and_leaves_no_state(tmp_path: Path) -> None:
    with scripted_export(tmp_path, "letters", LETTER, DRAFT, COUNT) as (chat, _):
        drafted = chat.create("A letter")
        [card] = drafted.done("widget")
        turn = chat.send(drafted.thread_id, "How many?")
        assert turn.done("assistant_message")[0]["content"][0]["text"] == "Letter number 1, plain"
        assert [badge(each) for each in cards(chat, drafted)] == ["Rejected by a new message"]
        assert press(chat, card, "confirm").types == ["stream_options"]


def test_a_file_that_was_changed_meanwhile_starts_over_and_says_so(tmp_path: Path) -> None:
    path = placed(tmp_path, "letters")
    with model_endpoint(LETTER, DRAFT, LETTER, [Say("Dear Ann, once more.")]) as endpoint:
        with export_server(tmp_path, endpoint.url, path) as server:
            chat = server.backend.chat()
            [card] = chat.create("A letter to Ann").done("widget")
        path.write_text(path.read_text() + "\n# changed\n")
        with export_server(tmp_path, endpoint.url, path) as server:
            again = press(server.backend.chat_with(chat.secret), card, "confirm")
    said = [item["content"][0]["text"] for item in again.done("assistant_message")]
    assert said == ["This assistant was changed while it waited for you, so it starts over.", "Dear Ann, once more."]
    assert len(again.done("widget")) == 1
    assert "A letter to Ann" in json.dumps(endpoint.requests[-1])


def test_a_workflow_that_does_not_come_by_where_it_was_says_so(tmp_path: Path) -> None:
    path = placed(tmp_path, "letters")
    text = path.read_text()
    path.write_text(
        text.replace('router_input = workflow["input_as_text"]', "router_input = __import__('time').time_ns()")
    )
    with model_endpoint(LETTER, DRAFT) as endpoint, export_server(tmp_path, endpoint.url, path) as server:
        chat = server.backend.chat()
        [card] = chat.create("A letter").done("widget")
        failed = press(chat, card, "confirm")
    assert failed.outcome == "failed"
    assert failed.events[-1]["message"] == "This assistant cannot go on from where it waited. Please try again."
    assert failed.events[-1]["allow_retry"] is True


def test_a_workflow_that_ends_before_it_is_where_it_was_says_so(tmp_path: Path) -> None:
    path = placed(tmp_path, "letters")
    early = "    if seen:\n      return None\n    seen.append(1)\n    router_input ="
    path.write_text(
        path.read_text()
        .replace("    router_input =", early)
        .replace("class WorkflowInput", "seen = []\nclass WorkflowInput")
    )
    with model_endpoint(LETTER, DRAFT) as endpoint, export_server(tmp_path, endpoint.url, path) as server:
        chat = server.backend.chat()
        [card] = chat.create("A letter").done("widget")
        failed = press(chat, card, "confirm")
    assert failed.events[-1]["message"] == "This assistant cannot go on from where it waited. Please try again."


def test_a_model_that_fails_after_the_approval_is_asked_again_by_a_retry_and_nobody_else_is(tmp_path: Path) -> None:
    steps: tuple[Step, ...] = (LETTER, DRAFT, Status(400), [Say("It is on its way.")])
    with scripted_export(tmp_path, "letters", *steps) as (chat, _):
        drafted = chat.create("A letter")
        [card] = drafted.done("widget")
        failed = press(chat, card, "confirm")
        assert (failed.outcome, failed.events[-1]["allow_retry"]) == ("failed", True)
        [question] = drafted.done("user_message")
        params = {"thread_id": drafted.thread_id, "item_id": question["id"]}
        again = Turn(chat.stream("threads.retry_after_item", **params))
        said = [item["content"][0]["text"] for item in again.done("assistant_message")]
        assert said == ["Dear Ann, all is well.", "It is on its way."]
        assert [badge(each) for each in cards(chat, drafted)] == ["Approved"]


def test_what_an_agent_of_the_same_id_asked_before_cannot_be_continued_and_offers_a_retry(tmp_path: Path) -> None:
    @function_tool(needs_approval=True)
    def refund(order: int) -> str:
        raise AssertionError("nobody approved it for this agent")

    def desk(model: Model) -> Agent[None]:
        return Agent(name="Desk", model=model, tools=[refund])

    path = placed(tmp_path, "letters")
    with model_endpoint([Use("refund", {"order": 4})]) as endpoint:
        with agent_server(tmp_path, endpoint.url, desk) as server:
            chat = server.backend.chat()
            [card] = chat.create("Refund 4").done("widget")
        with export_server(tmp_path, endpoint.url, path) as server:
            failed = press(server.backend.chat_with(chat.secret), card, "confirm")
    assert (failed.outcome, failed.events[-1]["allow_retry"]) == ("failed", True)
