"""What an export's turns show, remember and keep to themselves."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from chatdock import Turn as WorkflowTurn
from chatdock import workflow
from chatdock.workflows.agent_builder import memory
from chatdock.workflows.agent_builder.export import load_export
from chatdock.workflows.turn import KEPT
from chatdock.workflows.workflow import WorkflowError
from tests.chat.shapes import Script
from tests.exports.serving import export_server, journey, placed, scripted_export, scripted_file
from tests.harness.client import Json, Turn, message
from tests.harness.model_endpoint import Hold, ModelEndpoint, Say, Status, Step, Think, Use, Wait, model_endpoint
from tests.harness.server import eventually, serving
from tests.runs.wire import creating
from tests.tracing.records import Records
from tests.workflows.agents import Api, press

CRITIQUE: Step = [Say('{"category": "critique"}')]
COUNT: Step = [Say('{"category": "count"}')]
OTHER: Step = [Say('{"category": "other"}')]


def triage(topic: str, *, urgent: bool = False) -> Step:
    items = [{"name": "lamp", "count": 2}]
    return [Say(json.dumps({"topic": topic, "urgent": urgent, "items": items}))]


def said(turn: Turn) -> list[str]:
    """The assistant's messages."""
    return [item["content"][0]["text"] for item in turn.done("assistant_message")]


def given(endpoint: ModelEndpoint, api: str = "responses") -> list[tuple[str, str]]:
    """What the model was last given, as role and text."""
    items: list[Json] = endpoint.requests[-1]["input" if api == "responses" else "messages"]
    return [
        (item["role"], item["content"] if isinstance(item["content"], str) else item["content"][0]["text"])
        for item in items
    ]


def variables(**values: Any) -> dict[str, Any]:
    return {"workflow_members": {"state_variables": values}}


def test_text_is_streamed_while_the_model_still_speaks_and_the_router_is_not_shown(tmp_path: Path) -> None:
    gate = threading.Event()
    steps: list[Step] = [CRITIQUE, [Say("It lacks"), Hold(gate), Say("a date.")]]
    with scripted_export(tmp_path, "letters", *steps) as (chat, _):
        with chat.open("threads.create", {"input": message("A letter")}) as frames:
            shown = ""
            for frame in frames:
                event = frame.event or {}
                if event.get("type") == "thread.item.updated":
                    shown += event["update"].get("delta", "")
                    if shown == "It lacks":
                        gate.set()
        assert shown == "It lacksa date."


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_messages_that_a_node_adds_for_the_assistant_reach_every_model(tmp_path: Path, api: Api) -> None:
    path = journey(
        tmp_path,
        """
        await ask(writer, [
          *conversation_history,
          {"id": None, "role": "assistant", "content": [{"type": "output_text", "text": "I am brief."}]},
          {"id": None, "role": "user", "content": [{"type": "input_text", "text": "Go on."}]}
        ])
        """,
    )
    with scripted_file(tmp_path, path, [Say("Yes.")], api=api) as (chat, endpoint):
        assert said(chat.create("Hello")) == ["Yes."]
        told = [message for message in given(endpoint, api) if message[0] != "system"]
        assert told == [("user", "Hello"), ("assistant", "I am brief."), ("user", "Go on.")]


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_the_second_turn_knows_the_first_as_its_agents_do(tmp_path: Path, api: Api) -> None:
    steps: list[Step] = [triage("guide"), [Think("Hm."), Say("Turn left.")], triage("guide"), [Say("Yes.")]]
    with scripted_export(tmp_path, "desk", *steps, api=api) as (chat, endpoint):
        first = chat.create("Where to?")
        assert first.text == "Turn left."
        assert chat.send(first.thread_id, "Sure?").text == "Yes."
        roles = given(endpoint, api)
        assert [text for role, text in roles if role == "user"] == ["Where to?", "Sure?"]
        spoken = [text for role, text in roles if role == "assistant"]
        assert [text.startswith("{") for text in spoken] == [True, False, True]
        assert spoken[1] == "Turn left."
        sent = json.dumps(endpoint.requests[2])
        assert "reasoning" not in sent.replace("reasoning.encrypted_content", "")
        assert "__fake_id__" not in sent
        assert "msg_" not in sent
        assert KEPT not in sent


def test_a_conversation_keeps_its_newest_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "HISTORY_ITEMS", 4)
    steps: list[Step] = []
    for n in range(4):
        steps += [CRITIQUE, [Say(f"Answer {n}.")]]
    with scripted_export(tmp_path, "letters", *steps) as (chat, endpoint):
        turn = chat.create("Question 0")
        for n in range(1, 4):
            chat.send(turn.thread_id, f"Question {n}")
        assert [text for _, text in given(endpoint)] == [
            "Question 1", "Answer 1.", "Question 2", "Answer 2.", "Question 3",
        ]  # fmt: skip


def test_a_long_turn_is_cut_where_no_output_stands_without_its_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "HISTORY_ITEMS", 4)
    first, second = ([{"type": kind, "call_id": n} for kind in ("function_call", "function_call_output")] for n in "12")
    answer = {"role": "assistant", "content": "Done."}
    question = {"role": "user", "content": "Go"}
    assert memory.shortened([question, *first, *second, answer]) == [*second, answer]
    assert memory.shortened([*first, question, answer, question, answer]) == [question, answer, question, answer]


def test_what_broke_off_is_known_from_the_thread(tmp_path: Path) -> None:
    steps: list[Step] = [CRITIQUE, Status(400), CRITIQUE, [Say("It is short.")]]
    with scripted_export(tmp_path, "letters", *steps) as (chat, endpoint):
        failed = chat.create("My letter")
        assert failed.outcome == "failed"
        assert chat.send(failed.thread_id, "And?").text == "It is short."
        assert given(endpoint) == [("user", "My letter"), ("user", "And?")]


def test_a_retry_forgets_the_turn_that_it_replaces(tmp_path: Path) -> None:
    steps: list[Step] = [CRITIQUE, [Say("Old.")], CRITIQUE, [Say("New.")], CRITIQUE, [Say("Next.")]]
    with scripted_export(tmp_path, "letters", *steps) as (chat, endpoint):
        first = chat.create("My letter")
        [question] = first.done("user_message")
        chat.stream("threads.retry_after_item", thread_id=first.thread_id, item_id=question["id"])
        assert given(endpoint) == [("user", "My letter")]
        chat.send(first.thread_id, "And?")
        assert given(endpoint) == [("user", "My letter"), ("assistant", "New."), ("user", "And?")]


def test_state_takes_the_sessions_variables_and_keeps_what_the_thread_made_of_it(tmp_path: Path) -> None:
    path = placed(tmp_path, "letters")
    with model_endpoint(COUNT, COUNT, COUNT) as endpoint, export_server(tmp_path, endpoint.url, path) as server:
        first = server.backend.chat(**variables(tone="warm"))
        turn = first.create("How many?")
        assert said(turn) == ["Letter number 1, warm"]
        assert said(first.send(turn.thread_id, "And now?")) == ["Letter number 2, warm"]
        cold = server.backend.chat(**variables(tone="cold", letters=40))
        assert said(cold.send(turn.thread_id, "And now?")) == ["Letter number 3, cold"]


def test_a_turn_that_fails_changes_no_state(tmp_path: Path) -> None:
    with scripted_export(tmp_path, "letters", CRITIQUE, Status(400), COUNT) as (chat, _):
        failed = chat.create("My letter")
        assert said(chat.send(failed.thread_id, "How many?")) == ["Letter number 1, plain"]


def test_parallel_turns_share_nothing(tmp_path: Path) -> None:
    path = placed(tmp_path, "letters")
    users = [f"user_{n}" for n in range(8)]
    with model_endpoint(*[COUNT] * 8) as endpoint, export_server(tmp_path, endpoint.url, path) as server:
        chats = {user: server.backend.chat(user, **variables(tone=user)) for user in users}
        answers: dict[str, list[str]] = {}

        def ask(user: str) -> None:
            answers[user] = said(chats[user].create("How many?"))

        threads = [threading.Thread(target=ask, args=(user,)) for user in users]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == {user: [f"Letter number 1, {user}"] for user in users}


def test_an_end_with_one_text_beside_other_values_shows_the_text(tmp_path: Path) -> None:
    with scripted_export(tmp_path, "desk", triage("loop")) as (chat, _):
        assert said(chat.create("Round")) == ["Went round 2 times in Rome"]


def test_context_reaches_the_instructions(tmp_path: Path) -> None:
    with scripted_export(tmp_path, "desk", triage("guide"), [Say("Left.")]) as (chat, endpoint):
        chat.create("Where to?")
        assert endpoint.requests[-1]["instructions"] == "You guide through Rome. The topic is guide."


def test_a_turn_of_data_alone_shows_the_data_as_a_list(tmp_path: Path) -> None:
    with scripted_export(tmp_path, "desk", triage("lamps")) as (chat, _):
        turn = chat.create("Two lamps")
    assert said(turn) == ["- **Topic**: lamps\n- **Urgent**: no\n- **Items**\n  - Name: lamp, Count: 2"]


def test_a_turn_of_data_shows_its_widget(tmp_path: Path) -> None:
    path = placed(tmp_path, "desk", '[agents.triage]\nwidget = "topic.widget"\n')
    template = '{"type": "Card", "children": [{"type": "Text", "value": {{ topic | tojson }}}]}'
    widget = {"version": "1.0", "name": "Topic", "template": template, "jsonSchema": {}}
    (path.parent / "topic.widget").write_text(json.dumps(widget))
    with model_endpoint(triage("lamps")) as endpoint, export_server(tmp_path, endpoint.url, path) as server:
        turn = server.backend.chat().create("Two lamps")
    [shown] = turn.done("widget")
    assert shown["widget"]["children"][0]["value"] == "lamps"
    assert said(turn) == []


def test_a_widget_file_that_is_no_template_is_an_error_at_start(tmp_path: Path) -> None:
    path = placed(tmp_path, "desk", '[agents.triage]\nwidget = "topic.widget"\n')
    (path.parent / "topic.widget").write_text('{"version": "1.0", "name": "Topic", "template": "{{ topic"}')
    with pytest.raises(WorkflowError, match=r"topic\.widget is no widget template"):
        workflow("wf_test")(load_export(path))


@pytest.mark.parametrize(
    ("show", "shown", "progress"),
    [("false", [], ["Router"]), ('"progress"', [], ["Router", "Critic"]), ("true", ["Short."], ["Router"])],
)
def test_the_sidecar_shows_and_hides_agents(tmp_path: Path, show: str, shown: list[str], progress: list[str]) -> None:
    sidecar = f"[agents.critic]\nshow = {show}\n"
    with scripted_export(tmp_path, "letters", CRITIQUE, [Say("Short.")], sidecar=sidecar) as (chat, _):
        turn = chat.create("My letter")
    assert said(turn) == shown
    assert [event["text"] for event in turn.of("progress_update")] == progress


def test_a_mistake_of_the_file_is_a_retry_for_the_user_and_a_place_for_the_operator(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with scripted_export(tmp_path, "desk", triage("broken")) as (chat, _):
        turn = chat.create("Hm")
    assert (turn.outcome, turn.events[-1]["allow_retry"]) == ("failed", True)
    assert "missing" not in json.dumps(turn.events)
    line = next(
        number
        for number, text in enumerate((tmp_path / "export" / "desk.py").read_text().splitlines(), 1)
        if 'transform_result["missing"]' in text
    )
    assert f"desk.py:{line}" in capfd.readouterr().err


def test_a_mistake_that_has_a_secret_in_it_tells_nobody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = placed(tmp_path, "desk")
    text = path.read_text().replace('transform_result["missing"]', "transform_result[SERVICE_TOKEN]")
    path.write_text(f'SERVICE_TOKEN = "canary-5f2b9d71c3"\n{text}')
    with (
        model_endpoint(triage("broken")) as endpoint,
        export_server(tmp_path, endpoint.url, path, trace_content=True) as server,
    ):
        assert server.backend.chat().create("Hm").outcome == "failed"
    assert json.loads(capfd.readouterr().err.splitlines()[-1])["error"] == "KeyError"
    stored = b"".join(each.read_bytes() for each in tmp_path.iterdir() if each.is_file())
    assert b"5f2b9d" not in stored


def test_models_are_mapped_and_what_only_openai_takes_is_not_sent(tmp_path: Path) -> None:
    sidecar = '[models]\n"gpt-5" = "ours"\n"*" = "small"\n'
    steps: list[Step] = [[Say('{"category": "letter"}')], [Say("Dear Ann.")], [Say("Sent.")]]
    with scripted_export(tmp_path, "letters", *steps, sidecar=sidecar, api="chat") as (chat, endpoint):
        [card] = chat.create("A letter").done("widget")
        press(chat, card, "confirm")
    assert [request["model"] for request in endpoint.requests] == ["small", "small", "ours"]
    assert all("store" not in request and "reasoning_effort" not in request for request in endpoint.requests)


def test_an_agent_that_is_a_tool_works_unseen(tmp_path: Path) -> None:
    steps: list[Step] = [[Use("ask_adviser", {"input": "Which lamp?"})], [Say("The red one.")], [Say("Take the red.")]]
    with scripted_export(tmp_path, "handover", *steps) as (chat, _):
        turn = chat.create("Which?")
    assert said(turn) == ["Take the red."]
    assert "The red one." not in json.dumps(turn.events)


def test_what_an_agent_says_after_a_handover_is_shown_by_its_own_kind(tmp_path: Path) -> None:
    steps: list[Step] = [[Say("One moment."), Use("transfer_to_recorder")], [Say('{"summary": "A lamp."}')]]
    with scripted_export(tmp_path, "handover", *steps) as (chat, _):
        turn = chat.create("Record this")
    assert said(turn) == ["One moment."]
    assert [event["text"] for event in turn.of("progress_update")] == ["Recorder"]


def test_members_that_were_added_to_the_input_come_from_the_session(tmp_path: Path) -> None:
    path = placed(tmp_path, "handover")
    with model_endpoint([Say("Hi.")]) as endpoint, export_server(tmp_path, endpoint.url, path) as server:
        server.backend.chat(**variables(place="Rome")).create("A lamp")
    assert given(endpoint) == [("user", "A lamp in Rome")]


def test_a_turn_that_is_stopped_changes_no_state(tmp_path: Path) -> None:
    with scripted_export(tmp_path, "letters", CRITIQUE, [Say("It lacks"), Wait()], COUNT) as (chat, _):
        with chat.open("threads.create", {"input": message("My letter")}) as frames:
            thread_id = ""
            for frame in frames:
                event = frame.event or {}
                if event.get("type") == "thread.created":
                    thread_id = event["thread"]["id"]
                if event.get("type") == "thread.item.updated":
                    chat.call("threads.cancel", thread_id=thread_id)
        assert frame.comment == "cancelled"
        assert said(chat.send(thread_id, "How many?")) == ["Letter number 1, plain"]


def test_stopping_a_turn_hangs_up_on_the_model(tmp_path: Path) -> None:
    path = placed(tmp_path, "handover")
    with (
        model_endpoint([Say("Let me see"), Wait()]) as endpoint,
        export_server(tmp_path, endpoint.url, path, api="chat") as server,
    ):
        chat = server.backend.chat()
        reader = creating(chat, "A lamp")
        reader.wait_for(lambda turn: turn.text == "Let me see")
        assert not endpoint.hung_up.is_set()
        chat.call("threads.cancel", thread_id=reader.turn.thread_id)
        eventually(endpoint.hung_up.is_set, what="the end of the connection to the model")
        assert reader.wait().outcome == "cancelled"


def test_a_turn_has_one_trace_with_every_agent(tmp_path: Path) -> None:
    with scripted_export(tmp_path, "letters", CRITIQUE, [Say("Short.")]) as (chat, _):
        turn = chat.create("My letter")
        assert [line for line in Records(tmp_path).tree(turn.run_id) if "invoke_agent" in line] == [
            "invoke_agent Router", "invoke_agent Critic",
        ]  # fmt: skip


def test_a_thread_that_was_moved_over_goes_on_from_its_items(tmp_path: Path) -> None:
    path = placed(tmp_path, "letters")

    async def before(turn: WorkflowTurn) -> Script:
        yield "It was short."

    with serving(tmp_path, [workflow("wf_test")(before)]) as server:
        chat = server.backend.chat()
        turn = chat.create("My letter")
    with model_endpoint(CRITIQUE, [Say("Still.")]) as endpoint, export_server(tmp_path, endpoint.url, path) as server:
        server.backend.chat_with(chat.secret).send(turn.thread_id, "And now?")
    assert given(endpoint) == [("user", "My letter"), ("assistant", "It was short."), ("user", "And now?")]
