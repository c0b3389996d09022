"""Turns that take several steps: what waits, breaks off, runs beside each other or is tried again.

Those that need no restart share a server, which has each workflow of this file.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chatdock import workflow
from chatdock.model.endpoint import ModelEndpoint as Address
from chatdock.workflows.agent_builder.export import load_export
from tests.exports.serving import export_server, journey
from tests.exports.test_approvals import badge
from tests.exports.test_turns import given, said, variables
from tests.harness.client import ApiFailure, Chat, Json, Turn
from tests.harness.model_endpoint import (
    Hold,
    Hosted,
    ModelEndpoint,
    Refuse,
    Say,
    Status,
    Step,
    Think,
    Use,
    Wait,
    model_endpoint,
)
from tests.harness.server import ProcessServer, ThreadServer, eventually, serving
from tests.workflows.agents import KEY, give, press

TRIED: list[Nodes] = []


@dataclass(frozen=True)
class Nodes:
    """The nodes of a workflow, and what stands before its function."""

    id: str
    text: str
    before: str
    sidecar: str

    def placed(self, folder: Path) -> Path:
        """The export, in this folder."""
        folder.mkdir(exist_ok=True)
        return journey(folder, self.text, self.before, self.sidecar)


def nodes(text: str, before: str = "", sidecar: str = "") -> Nodes:
    TRIED.append(Nodes(f"wf_journey_{len(TRIED)}", text, before, sidecar))
    return TRIED[-1]


@dataclass
class Desk:
    """A server of all of them."""

    server: ThreadServer
    endpoint: ModelEndpoint

    def chat(self, nodes: Nodes, *steps: Step, user: str = "user_1", **members: Any) -> Chat:
        """A user of one, and what the model says to them."""
        self.endpoint.steps += steps
        return self.server.backend.chat(user, nodes.id, **members)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("journeys")
    made = [workflow(each.id)(load_export(each.placed(folder / each.id))) for each in TRIED]
    for one in made:
        one.titler(lambda turn: None)
    with model_endpoint() as endpoint:
        address = Address(endpoint.url, KEY, None, False)
        with serving(folder, made, model=address, model_api="responses") as server:
            yield Desk(server, endpoint)


@pytest.fixture
def desk(server: Desk) -> Iterator[Desk]:
    server.endpoint.steps.clear()
    server.endpoint.requests.clear()
    yield server
    assert server.endpoint.steps == []


def retried(chat: Chat, turn: Turn) -> Turn:
    """The answer to a turn's message, once more."""
    [question] = turn.done("user_message")
    return Turn(chat.stream("threads.retry_after_item", thread_id=turn.thread_id, item_id=question["id"]))


def card(turn: Turn) -> Json:
    [asked] = turn.done("widget")
    return asked


def tasks(server: ThreadServer) -> list[str]:
    """What the server's loop has to do."""

    async def names() -> list[str]:
        return [repr(task.get_coro()) for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    return server.call(names)


def at_rest(server: ThreadServer) -> bool:
    """Whether nothing but the server itself runs."""
    return not any("Runner" in name or "_await_data" in name or "Execution" in name for name in tasks(server))


# What waits

LOOP = nodes(
    """
    rounds = 0
    while rounds < 3:
      rounds = rounds + 1
      await ask(writer, conversation_history)
      if not approval_request("Keep it?"):
        return {"message": f"Stopped in round {rounds}"}
    return {"message": f"Done, turn {state['n']}"}
    """
)


def test_three_approvals_in_a_loop_survive_a_restart_between_each(tmp_path: Path) -> None:
    path = LOOP.placed(tmp_path)
    with model_endpoint([Say("One.")], [Say("Two.")], [Say("Three.")], [Say("Four.")]) as endpoint:
        with export_server(tmp_path, endpoint.url, path) as server:
            chat = server.backend.chat()
            turn = chat.create("Go")
            thread_id = turn.thread_id
        for _ in range(3):
            with export_server(tmp_path, endpoint.url, path) as server:
                chat = server.backend.chat_with(chat.secret)
                turn = press(chat, card(turn), "confirm")
                if turn.done("assistant_message")[-1]["content"][0]["text"].startswith("Done"):
                    assert said(turn) == ["Done, turn 1"]
                    turn = chat.send(thread_id, "Again")
                    assert said(press(chat, card(turn), "cancel")) == ["Stopped in round 1"]
    assert [text for _, text in given(endpoint)] == ["Go", "One.", "Two.", "Three.", "Again"]
    assert len(endpoint.requests) == 4


ASKS = {
    "type": "mcp_approval_request", "id": "mcpr_1", "name": "sink_ship", "server_label": "ships",
    "arguments": '{"ship": "Erna"}',
}  # fmt: skip
EVERYTHING = nodes(
    """
    if not approval_request("Begin?"):
      return {"message": "No."}
    await ask(clerk, conversation_history)
    await ask(harbour, conversation_history)
    await ask(writer, conversation_history)
    """
)


def test_an_approval_a_client_tool_and_an_mcp_call_wait_in_one_turn(tmp_path: Path) -> None:
    path = EVERYTHING.placed(tmp_path)
    steps: list[Step] = [
        [Use("current_city", {"precise": True}), Use("count_lamps", {"room": "hall"}, "call_2")],
        [Say("In Oslo.")],
        [Hosted(ASKS)],
        [Say("Sunk.")],
        [Say("The end.")],
    ]
    with model_endpoint(*steps) as endpoint:
        with export_server(tmp_path, endpoint.url, path) as server:
            chat = server.backend.chat()
            turn = chat.create("Go")
            thread_id = turn.thread_id
        with export_server(tmp_path, endpoint.url, path) as server:
            assert press(server.backend.chat_with(chat.secret), card(turn), "confirm").outcome == "waiting"
        with export_server(tmp_path, endpoint.url, path) as server:
            chat = server.backend.chat_with(chat.secret)
            turn = give(chat, thread_id, {"city": "Oslo"})
            assert turn.text == "In Oslo."
            with pytest.raises(ApiFailure, match="no pending client tool call"):
                give(chat, thread_id, {"city": "Rome"})
        with export_server(tmp_path, endpoint.url, path) as server:
            assert press(server.backend.chat_with(chat.secret), card(turn), "confirm").text == "Sunk.The end."
    assert len(endpoint.requests) == 5
    sent = json.dumps(endpoint.requests[-1]["input"])
    assert [sent.count(each) for each in ("3 lamps in the hall", "city", "mcp_approval_response")] == [1, 2, 1]


def test_all_of_it_works_with_a_model_of_chat_completions(tmp_path: Path) -> None:
    plan: Step = [Think("Hm."), Say('{"plan": "look"}')]
    steps: list[Step] = [
        plan,
        [
            Think("Hm."),
            Use("current_city", {"precise": True}, "call_1"),
            Use("count_lamps", {"room": "hall"}, "call_2"),
        ],
        [Think("Ah."), Say("In Oslo.")],
        [Say("Bye.")],
        plan,
        [Say("Still there.")],
    ]
    text = """
    plan = await ask(planner, conversation_history)
    await ask(clerk, conversation_history)
    if approval_request(f"{plan.final_output.plan}?"):
      await ask(writer, conversation_history)
    """
    path = journey(tmp_path, text)
    with model_endpoint(*steps) as endpoint:
        with export_server(tmp_path, endpoint.url, path, api="chat") as server:
            chat = server.backend.chat()
            turn = chat.create("Go")
        with export_server(tmp_path, endpoint.url, path, api="chat") as server:
            chat = server.backend.chat_with(chat.secret)
            asked = give(chat, turn.thread_id, "Oslo")
            assert said(press(chat, card(asked), "confirm")) == ["Bye."]
            chat.send(turn.thread_id, "More")
            messages = [item for item in chat.items(turn.thread_id) if item["type"] == "assistant_message"]
            assert len({item["id"] for item in messages}) == 3
    roles = [each["role"] for each in endpoint.requests[-1]["messages"]]
    assert roles == [
        "system",
        "user",
        "assistant",
        "assistant",
        "tool",
        "tool",
        *["assistant"] * 2,
        "user",
        "assistant",
    ]


SAME = nodes(
    """
    answers = [approval_request("Sure?"), approval_request("Sure?"), approval_request("Sure?")]
    return {"message": str(answers)}
    """
)


def test_the_same_question_may_be_asked_again(desk: Desk) -> None:
    chat = desk.chat(SAME)
    turn = chat.create("Go")
    for button in ("confirm", "cancel", "confirm"):
        turn = press(chat, card(turn), button)
    assert said(turn) == ["[True, False, True]"]


REJECTED = nodes(
    """
    if workflow["input_as_text"] == "Draft":
      await ask(writer, conversation_history)
      if approval_request("Keep it?"):
        return {"message": "Kept."}
      return {"message": "Dropped."}
    await ask(reviewer, conversation_history)
    return {"message": f"Turn {state['n']}"}
    """
)


def test_a_new_message_leaves_state_and_history_as_if_the_rejected_turn_had_broken_off(desk: Desk) -> None:
    chat = desk.chat(REJECTED, [Say("A.")], [Say("Dear Ann.")], [Say("B.")], [Say("C.")])
    first = chat.create("One")
    asked = chat.send(first.thread_id, "Draft")
    second = chat.send(first.thread_id, "Two")
    assert (said(first), said(second)) == (["A.", "Turn 1"], ["B.", "Turn 2"])
    [replaced] = [event["item"] for event in second.of("thread.item.replaced")]
    assert (replaced["id"], badge(replaced)) == (card(asked)["id"], "Rejected by a new message")
    assert said(chat.send(first.thread_id, "Three")) == ["C.", "Turn 3"]
    known = [text for _, text in given(desk.endpoint)]
    assert [text for text in known if "widget" not in text] == ["One", "A.", "Draft", "Dear Ann.", "Two", "B.", "Three"]


def test_of_several_tabs_that_approve_at_once_one_does(desk: Desk) -> None:
    chat = desk.chat(LOOP, [Say("One.")], [Say("Two.")])
    asked = chat.create("Go")
    tabs = [desk.server.backend.chat_with(chat.secret) for _ in range(5)]
    barrier = threading.Barrier(len(tabs))

    def click(tab: Chat) -> list[str]:
        barrier.wait()
        try:
            return said(press(tab, card(asked), "confirm"))
        except ApiFailure as refused:  # while the first one's turn lasts
            return [refused.response.json()["error"]["code"]]

    with ThreadPoolExecutor(len(tabs)) as pool:
        answers = [answer for answer in pool.map(click, tabs) if answer not in ([], ["thread_busy"])]
    assert answers == [["Two."]]
    assert [item["type"] for item in chat.items(asked.thread_id)].count("widget") == 2


def test_a_card_of_a_turn_that_was_retried_does_nothing(desk: Desk) -> None:
    chat = desk.chat(LOOP, [Say("One.")], [Say("Two.")], [Say("Three.")])
    asked = chat.create("Go")
    again = retried(chat, asked)
    with pytest.raises(ApiFailure, match="not found"):
        press(chat, card(asked), "confirm")
    assert said(press(chat, card(again), "confirm")) == ["Three."]


def test_what_waits_is_hidden_from_rest_too(desk: Desk) -> None:
    chat = desk.chat(LOOP, [Say("One.")])
    asked = chat.create("Go")
    listed = desk.server.backend.get(f"threads/{asked.thread_id}/items", limit=100)["data"]
    assert [item["type"] for item in reversed(listed)] == [
        "chatkit.user_message", "chatkit.assistant_message", "chatkit.widget",
    ]  # fmt: skip
    assert "kept" not in json.dumps(listed)


CAUGHT = nodes(
    """
    try:
      await ask(writer, conversation_history)
      await ask(reviewer, conversation_history)
      return {"message": "Fine."}
    except Exception:
      await ask(writer, conversation_history)
      if approval_request("Go on?"):
        return {"message": "Went on."}
    """
)


def test_a_step_that_failed_and_was_caught_fails_again_after_an_approval(desk: Desk) -> None:
    chat = desk.chat(CAUGHT, [Say("A letter.")], Status(400), [Say("Sorry.")])
    asked = chat.create("Go")
    assert said(asked) == ["A letter.", "Sorry."]
    assert said(press(chat, card(asked), "confirm")) == ["Went on."]


SWALLOWED = nodes(
    """
    try:
      if approval_request("Sure?"):
        await ask(writer, conversation_history)
    except:
      return {"message": "Nothing else may happen."}
    """
)


def test_a_workflow_waits_also_where_the_file_catches_everything(desk: Desk) -> None:
    chat = desk.chat(SWALLOWED, [Say("A letter.")])
    asked = chat.create("Go")
    assert said(asked) == []
    assert said(press(chat, card(asked), "confirm")) == ["A letter."]


PAID = nodes(
    "await ask(payer, conversation_history)",
    """
    @function_tool
    def pay(amount: float) -> str:
      return "paid" if approval_request("Pay?") else "not paid"
    payer = Agent(name="Payer", instructions="Pay.", model="gpt-4.1", tools=[pay])
    """,
)


def test_an_approval_inside_a_tool_is_no_approval(desk: Desk) -> None:
    chat = desk.chat(PAID, [Use("pay", {"amount": 3})], [Say("I could not.")])
    assert said(chat.create("Pay")) == ["I could not."]
    output = desk.endpoint.requests[-1]["input"][-1]["output"]
    assert output.startswith("An error occurred")


# What runs beside each other

BOTH = nodes(
    """
    one, two = await asyncio.gather(Runner.run(clerk, input="One"), Runner.run(helper, input="Two"))
    return {"message": f"{one.final_output} {two.final_output}"}
    """,
    'helper = Agent(name="Helper", instructions="Help.", model="gpt-4.1", tools=[current_city])\n',
)


def test_agents_beside_each_other_that_both_wait_are_asked_about_one_after_the_other(tmp_path: Path) -> None:
    path = BOTH.placed(tmp_path)
    calls = [Use("current_city", {"precise": True}, f"call_{n}") for n in (1, 2)]
    with model_endpoint([calls[0]], [calls[1]], [Say("Oslo.")], [Say("Rome.")]) as endpoint:
        with export_server(tmp_path, endpoint.url, path) as server:
            chat = server.backend.chat()
            asked = chat.create("Go")
        with export_server(tmp_path, endpoint.url, path) as server:
            chat = server.backend.chat_with(chat.secret)
            turn = give(chat, asked.thread_id, "Oslo")
            assert (turn.outcome, said(turn)) == ("waiting", ["Oslo."])
        with export_server(tmp_path, endpoint.url, path) as server:
            turn = give(server.backend.chat_with(chat.secret), asked.thread_id, "Rome")
    assert said(turn) == ["Rome.", "Oslo. Rome."]
    assert len(endpoint.requests) == 4
    answered = [request["instructions"] for request in endpoint.requests[2:]]
    assert answered == ["Look it up.", "Help."]


def test_what_runs_beside_an_agent_that_waits_comes_to_its_end(desk: Desk) -> None:
    gate = threading.Event()
    steps: list[Step] = [[Use("current_city", {"precise": True})], [Say("It"), Hold(gate), Say(" is.")], [Say("Oslo.")]]
    chat = desk.chat(BOTH, *steps)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(chat.create, "Go")
        eventually(lambda: len(desk.endpoint.requests) == 2, what="both questions to the model")
        gate.set()
        asked = asking.result()
    assert (asked.outcome, said(asked)) == ("waiting", ["It", " is."])
    turn = give(chat, asked.thread_id, "Oslo")
    assert sorted(said(turn)[-1].split()) == ["Oslo.", "is."]
    assert len(desk.endpoint.requests) == 3


def test_what_runs_beside_an_agent_that_fails_is_stopped(desk: Desk) -> None:
    chat = desk.chat(BOTH, Status(400), [Say("On and on"), Wait()])
    turn = chat.create("Go")
    assert (turn.outcome, turn.events[-1]["allow_retry"]) == ("failed", True)
    eventually(lambda: at_rest(desk.server), what="the end of all tasks")


GROUP = nodes(
    """
    async def sure():
      return approval_request("Sure?")
    async with asyncio.TaskGroup() as group:
      answer = group.create_task(sure())
    return {"message": str(answer.result())}
    """
)


def test_a_task_group_may_wait(desk: Desk) -> None:
    chat = desk.chat(GROUP)
    assert said(press(chat, card(chat.create("Go")), "confirm")) == ["True"]


LEFT = nodes(
    """
    later = asyncio.create_task(Runner.run(reviewer, input="Later"))
    await asyncio.sleep(0)
    return {"message": "Done."}
    """
)


def test_what_a_file_begins_and_does_not_wait_for_ends_with_the_turn(desk: Desk) -> None:
    assert said(desk.chat(LEFT).create("Go")) == ["Done."]
    eventually(lambda: at_rest(desk.server), what="the end of all tasks")


TURNS = nodes(
    """
    await ask(writer, conversation_history)
    return {"message": f"Turn {state['n']}, {state['tone']}"}
    """
)


def test_two_threads_that_take_turns_share_nothing(desk: Desk) -> None:
    turns = 12
    desk.endpoint.steps += [[Say("Yes.")] for _ in range(2 * turns)]

    def talk(user: str) -> list[list[str]]:
        chat = desk.chat(TURNS, user=user, **variables(tone=user))
        first = chat.create(user)
        return [said(first), *(said(chat.send(first.thread_id, user)) for _ in range(turns - 1))]

    users = ["ann", "bob"]
    with ThreadPoolExecutor(2) as pool:
        for user, answers in zip(users, pool.map(talk, users), strict=True):
            assert answers == [["Yes.", f"Turn {n}, {user}"] for n in range(1, turns + 1)]
    for request in desk.endpoint.requests:
        texts = {item["content"][0]["text"] for item in request["input"] if item["role"] == "user"}
        assert len(texts) == 1


# What breaks off, and is tried again

TWO = nodes(
    """
    state["notes"].append(workflow["input_as_text"])
    await ask(writer, conversation_history)
    await ask(reviewer, conversation_history)
    return {"message": f"{state['n']} {state['notes']}"}
    """
)


def test_a_retry_doubles_neither_state_nor_history(desk: Desk) -> None:
    steps: list[Step] = [[Say("A.")], [Say("B.")], [Say("Draft.")], Status(400), [Say("C.")], [Say("D.")]]
    chat = desk.chat(TWO, *steps, [Say("E.")], [Say("F.")], [Say("G.")], [Say("H.")])
    first = chat.create("One")
    failed = chat.send(first.thread_id, "Two")
    assert (failed.outcome, said(failed), failed.events[-1]["allow_retry"]) == ("failed", ["Draft."], True)
    again = retried(chat, failed)
    assert said(again) == ["C.", "D.", "2 ['One', 'Two']"]
    third = chat.send(first.thread_id, "Three")
    assert [text for _, text in given(desk.endpoint)] == ["One", "A.", "B.", "Two", "C.", "D.", "Three", "E."]
    assert said(retried(chat, third)) == ["G.", "H.", "3 ['One', 'Two', 'Three']"]


NESTED = nodes(
    """
    await ask(front, conversation_history)
    return {"message": f"Turn {state['n']}"}
    """,
    'front = Agent(name="Front", instructions="Welcome.", model="gpt-4.1", tools=[clerk.as_tool("ask_clerk", "Ask.")])',
)


def test_stopping_while_an_agent_that_is_a_tool_works_leaves_nothing_behind(desk: Desk) -> None:
    steps: list[Step] = [[Say("Wait."), Use("ask_clerk", {"input": "Hm"})], [Say("Unseen"), Wait()], [Say("Yes.")]]
    chat = desk.chat(NESTED, *steps, user="user_stops")
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(chat.create, "Go")
        eventually(lambda: len(desk.endpoint.requests) == 2, what="the tool's question to the model")
        [thread] = desk.server.backend.chat_with(chat.secret).call("threads.list", limit=1)["data"]
        chat.call("threads.cancel", thread_id=thread["id"])
        turn = asking.result()
    assert (turn.outcome, said(turn)) == ("cancelled", ["Wait."])
    assert "Unseen" not in json.dumps(turn.events)
    eventually(lambda: at_rest(desk.server), what="the end of all tasks")
    assert said(chat.send(thread["id"], "More")) == ["Yes.", "Turn 1"]


ENDLESS = nodes(
    """
    def count():
      while state["n"] % 10:
        state["n"] += 1
    count()
    while state["n"] > 0:
      while state["n"] < 0:
        pass
    """
)


def test_a_loop_without_an_end_keeps_nobody_from_the_server_and_can_be_stopped(desk: Desk) -> None:
    loops, beside = desk.chat(ENDLESS, user="user_loops"), desk.chat(NESTED, [Say("Yes.")], user="user_beside")
    with ThreadPoolExecutor(1) as pool:
        looping = pool.submit(loops.create, "Go")
        there = desk.server.backend.chat_with(loops.secret)
        eventually(lambda: there.call("threads.list", limit=1)["data"], what="the turn that loops")
        assert said(beside.create("Are you there?")) == ["Yes.", "Turn 1"]
        [thread] = there.call("threads.list", limit=1)["data"]
        there.call("threads.cancel", thread_id=thread["id"])
        assert looping.result().outcome == "cancelled"


def test_a_stub_of_an_agent_that_is_a_tool_is_the_pages(desk: Desk) -> None:
    call = Use("current_city", {"precise": True}, "call_2")
    chat = desk.chat(NESTED, [Use("ask_clerk", {"input": "Hm"})], [call], [Say("Unseen: Oslo.")], [Say("Oslo.")])
    asked = chat.create("Where?")
    assert asked.done("client_tool_call")[0]["name"] == "current_city"
    assert said(give(chat, asked.thread_id, "Oslo")) == ["Oslo.", "Turn 1"]


CONSULTING = nodes(
    """
    await ask(front, conversation_history)
    if approval_request("Enough?"):
      return {"message": "Enough."}
    """,
    """
    @function_tool
    async def consult(question: str) -> str:
      return (await Runner.run(reviewer, input=question)).final_output
    front = Agent(name="Front", instructions="Welcome.", model="gpt-4.1", tools=[consult])
    """,
)


def test_an_agent_that_a_tool_runs_works_unseen_and_is_no_step_of_the_workflow(desk: Desk) -> None:
    chat = desk.chat(CONSULTING, [Use("consult", {"question": "Hm"})], [Say("Unseen.")], [Say("An answer.")])
    asked = chat.create("Go")
    assert said(asked) == ["An answer."]
    assert "Unseen" not in json.dumps(asked.events)
    assert said(press(chat, card(asked), "confirm")) == ["Enough."]


KILLED = nodes(
    """
    await ask(writer, conversation_history)
    if approval_request("Send it?"):
      await ask(reviewer, conversation_history)
      return {"message": f"Turn {state['n']}"}
    """,
    sidecar='[workflow]\nid = "wf_test"\n',
)


@pytest.mark.slow
def test_a_turn_in_which_the_server_was_killed_goes_on_where_it_stood_when_the_question_is_tried_again(
    tmp_path: Path,
) -> None:
    path = KILLED.placed(tmp_path)
    steps: list[Step] = [[Say("A letter.")], [Say("It is"), Wait()], [Say("It is sent.")]]
    with model_endpoint(*steps) as endpoint:
        environment = {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": KEY, "CHATDOCK_MODEL_API": "responses"}
        with ProcessServer(tmp_path, str(path), environment=environment) as server:
            untitled = {"automatic_thread_titling": {"enabled": False}}
            chat = server.backend.chat(chatkit_configuration=untitled)
            asked = chat.create("Go")
            action = card(asked)["widget"]["confirm"]["action"]
            params = {"thread_id": asked.thread_id, "item_id": card(asked)["id"], "action": action}
            with chat.open("threads.custom_action", params) as frames:
                next(frame for frame in frames if "It is" in json.dumps(frame.event))
                server.kill()
            server.start()
            chat = server.backend.chat_with(chat.secret)
            assert press(chat, card(asked), "confirm").types == ["stream_options"]
            assert said(retried(chat, asked)) == ["A letter.", "It is sent.", "Turn 1"]


LIMITED = nodes(
    """
    try:
      await ask(clerk, conversation_history)
    except Exception:
      await ask(writer, conversation_history)
    """
)


def test_a_limit_ends_the_turn_whatever_the_file_catches(desk: Desk) -> None:
    calls: Step = [Use("count_lamps", {"room": "hall"}, f"call_{n}") for n in range(101)]
    turn = desk.chat(LIMITED, calls).create("Go")
    assert (turn.outcome, said(turn)) == ("failed", [])
    assert turn.events[-1]["message"] == "The answer needed more than 100 tool calls, which is the limit."


EXITS = nodes("raise SystemExit('enough')")


def test_a_file_that_exits_ends_its_turn_and_not_the_server(desk: Desk) -> None:
    chat = desk.chat(EXITS)
    turn = chat.create("Go")
    assert (turn.outcome, turn.events[-1]["allow_retry"]) == ("failed", True)
    assert chat.send(turn.thread_id, "Go").outcome == "failed"


REFUSED = nodes("await ask(writer, conversation_history)")


def test_an_agent_that_refuses_in_words_of_its_own_is_not_spoken_for(desk: Desk) -> None:
    chat = desk.chat(REFUSED, [Refuse("Not that.")], [Say("Hello.")])
    refused = chat.create("Something bad")
    assert (refused.outcome, said(refused)) == ("completed", ["Not that."])
    chat.send(refused.thread_id, "Hello")
    assert given(desk.endpoint) == [("user", "Hello")]


# What is shown, and what is kept

ENDS = nodes("return eval(workflow['input_as_text'])")


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        ('{"message": "Hello"}', ["Hello"]),
        ('{"first": "Hello", "second": "there"}', ["- **First**: Hello\n- **Second**: there"]),
        ('{"title": "Hello", "count": 3}', ["Hello"]),
        ('{"count": 3.0, "sure": True}', ["- **Count**: 3\n- **Sure**: yes"]),
        ('"Hello"', ["Hello"]),
        ('["one", "two"]', ["- one\n- two"]),
        ('{"message": workflow["input_as_text"]}', ['{"message": workflow["input_as_text"]}']),
        ('{"city": planner.output_type(plan="Rest.")}', ["- **City**\n  - **Plan**: Rest."]),
        ("{}", []),
        ("None", []),
        ("planner", []),
    ],
)
def test_an_end_alone_shows_what_it_returns(desk: Desk, end: str, shown: list[str]) -> None:
    turn = desk.chat(ENDS).create(end)
    assert (turn.outcome, said(turn)) == ("completed", shown)


UNSEEN = nodes(
    """
    result = await ask(writer, conversation_history)
    if workflow["input_as_text"] == "End":
      return {"message": result.final_output}
    return {"output_text": result.final_output}
    """,
    sidecar="[agents.writer]\nshow = false\n",
)


@pytest.mark.parametrize(("text", "shown"), [("End", ["A letter."]), ("Agent", [])])
def test_text_that_the_sidecar_hides_is_shown_by_an_end_alone(desk: Desk, text: str, shown: list[str]) -> None:
    assert said(desk.chat(UNSEEN, [Say("A letter.")]).create(text)) == shown


HANDED = nodes(
    """
    result = await ask(planner, conversation_history)
    if approval_request("Enough?"):
      return {"output_text": result.final_output_as(str)}
    """
)


def test_an_agent_of_data_may_hand_over_to_one_of_text(desk: Desk) -> None:
    chat = desk.chat(HANDED, [Use("transfer_to_writer")], [Say("Written.")])
    asked = chat.create("Go")
    assert said(asked) == ["Written."]
    assert [event["text"] for event in asked.of("progress_update")] == ["Planner"]
    assert (press(chat, card(asked), "confirm").outcome, said(asked)) == ("completed", ["Written."])


ASKING = nodes(
    "await ask(planner, conversation_history)",
    "planner.handoffs = [clerk]\n",
)


def test_an_agent_that_was_handed_the_conversation_is_shown_after_it_waited_too(desk: Desk) -> None:
    call: Step = [Say("A moment."), Use("current_city", {"precise": True}, "call_2")]
    chat = desk.chat(ASKING, [Use("transfer_to_clerk")], call, [Say("In Oslo.")])
    asked = chat.create("Where?")
    assert (asked.outcome, said(asked)) == ("waiting", ["A moment."])
    assert said(give(chat, asked.thread_id, "Oslo")) == ["In Oslo."]


RESULT = nodes(
    """
    first = await Runner.run(writer, input=[*conversation_history])
    if approval_request("Enough?"):
      await Runner.run(reviewer, input=first.to_input_list() + [{"role": "user", "content": "Well?"}])
    """
)


def test_a_result_is_the_same_after_an_approval(desk: Desk) -> None:
    chat = desk.chat(RESULT, [Say("A letter.")], [Say("Good.")])
    press(chat, card(chat.create("Go")), "confirm")
    assert [text for _, text in given(desk.endpoint)] == ["Go", "A letter.", "Well?"]


LOCAL = nodes(
    """
    inner = Agent(name="Inner", instructions="Plan.", model="gpt-4.1", output_type=PlanSchema)
    outer = Agent(name="Outer", instructions="Hand over.", model="gpt-4.1", handoffs=[inner])
    result = await ask(outer, conversation_history)
    if approval_request("Enough?"):
      return {"message": result.final_output.plan}
    """
)


def test_agents_may_be_made_while_the_workflow_runs(desk: Desk) -> None:
    chat = desk.chat(LOCAL, [Use("transfer_to_inner")], [Say('{"plan": "Rest."}')])
    assert said(press(chat, card(chat.create("Go")), "confirm")) == ["Rest."]


HOOKED = nodes(
    """
    seen = Seen()
    await ask(clerk, conversation_history, hooks=seen)
    return {"message": ", ".join(seen.calls)}
    """,
    """
    class Seen(RunHooks):
      def __init__(self):
        self.calls = []
      async def on_llm_end(self, context, agent, response):
        self.calls.append("answered")
      async def on_tool_start(self, context, agent, tool):
        self.calls.append(tool.name)
    """,
)


def test_hooks_of_the_file_are_called_too(desk: Desk) -> None:
    chat = desk.chat(HOOKED, [Use("count_lamps", {"room": "hall"})], [Say("Three.")])
    assert said(chat.create("How many?")) == ["Three.", "answered, count_lamps, answered"]


SHIPS = nodes("await ask(harbour, conversation_history)")


def test_later_turns_know_what_an_mcp_server_said(desk: Desk) -> None:
    call = {
        "type": "mcp_call", "id": "mcp_" + "1" * 80, "name": "ships.list", "server_label": "ships", "arguments": "{}",
        "output": "Erna, Olga",
    }  # fmt: skip
    chat = desk.chat(SHIPS, [Hosted(call), Say("There are two.")], [Say("Olga.")])
    turn = chat.create("Which ships?")
    chat.send(turn.thread_id, "The second?")
    _, called, output, *_ = desk.endpoint.requests[-1]["input"]
    assert (called["type"], called["name"], output["output"]) == ("function_call", "ships_list", "Erna, Olga")
    assert called["call_id"] == output["call_id"] == call["id"][:64]


SHOWN = nodes("return {'message': f\"{state['n']} {state['tone']} {state.get('extra')}\"}")


def test_a_variable_that_no_turn_has_changed_goes_by_the_session_and_the_file(tmp_path: Path) -> None:
    path = SHOWN.placed(tmp_path)
    with model_endpoint() as endpoint:
        with export_server(tmp_path, endpoint.url, path) as server:
            first = server.backend.chat(**variables(extra="a")).create("Go")
            later = server.backend.chat(**variables(tone="cold", n=40))
            assert (said(first), said(later.send(first.thread_id, "Go"))) == (["1 plain a"], ["2 cold None"])
        path.write_text(path.read_text().replace('"tone": "plain"', '"tone": "bright"'))
        with export_server(tmp_path, endpoint.url, path) as server:
            assert said(server.backend.chat().send(first.thread_id, "Go")) == ["3 bright None"]
