"""What graphs can do beyond what every agent does: remember, ask, write to their stream."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from chatkit import types
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from chatdock import current_turn, workflow
from chatdock.workflows.untrusted import stated
from chatdock.workflows.workflow import WorkflowError
from tests.adapters.conftest import Talk
from tests.adapters.libraries import LIBRARIES, graph_builder
from tests.adapters.script import Call, Fail, Script, Wait
from tests.harness.client import CANARY, Chat, Turn, message
from tests.harness.server import eventually, serving

Node = Any
SYSTEM = ("system", "Be brief.")


def script(*answers: Any) -> Script:
    return LIBRARIES["langgraph"].script(*answers)


def graph(*nodes: Node, **options: Any) -> Any:
    """A compiled graph of these nodes, one after the other."""
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_sequence(list(nodes))
    builder.add_edge(START, nodes[0].__name__)
    return builder.compile(**options)


def retry(chat: Chat, thread_id: str, number: int) -> Turn:
    """Try the thread's nth item again."""
    item_id = chat.items(thread_id)[number]["id"]
    return Turn(chat.stream("threads.retry_after_item", thread_id=thread_id, item_id=item_id))


def test_a_graph_that_is_not_compiled_is_refused() -> None:
    with pytest.raises(WorkflowError, match=r"must be compiled before it can answer: .*graph\.compile\(\)"):
        workflow("wf_test")(graph_builder(script(), []))


def test_a_graph_without_messages_is_refused() -> None:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(dict[str, str])
    builder.add_sequence([("node", lambda _: {})])
    builder.add_edge(START, "node")
    with pytest.raises(WorkflowError, match="needs `messages` in its state"):
        workflow("wf_test")(builder.compile())


def test_a_graph_that_remembers_is_given_what_is_new(talk: Talk) -> None:
    async def note() -> str:
        """Remember something."""
        turn = current_turn()
        await turn.emit(turn.hidden(CANARY))
        return "noted"

    asked = script(["One.", Call("note", {})], ["Noted."], ["Two."], ["Three."])
    chat = talk(graph_builder(asked, [note]).compile(checkpointer=InMemorySaver()))
    thread_id = chat.create("first").thread_id
    chat.send(thread_id, "second")
    chat.send(thread_id, "third")
    hidden = ("user", stated(f"Hidden context, not shown to the user:\n{CANARY}"))
    assert asked.asked[3] == [
        SYSTEM,
        ("user", "first"),
        ("assistant", "One."),
        ("tool", "noted"),
        ("assistant", "Noted."),
        hidden,
        ("user", "second"),
        ("assistant", "Two."),
        ("user", "third"),
    ]


def test_a_graph_that_has_forgotten_is_given_everything(tmp_path: Path) -> None:
    def forgetful(asked: Script) -> Any:
        return graph_builder(asked, []).compile(checkpointer=InMemorySaver())

    with serving(tmp_path, [workflow("wf_test")(forgetful(script(["One."])))]) as server:
        thread_id = server.backend.chat(workflow="wf_test").create("first").thread_id
    again = script(["Two."])
    with serving(tmp_path, [workflow("wf_test")(forgetful(again))]) as server:
        server.backend.chat(workflow="wf_test").send(thread_id, "second")
    assert again.asked == [[SYSTEM, ("user", "first"), ("assistant", "One."), ("user", "second")]]


def test_a_retry_takes_back_what_the_graph_remembers_of_it(talk: Talk) -> None:
    asked = script(["One."], ["Two."], ["Other one."], ["Fine."])
    chat = talk(graph_builder(asked, []).compile(checkpointer=InMemorySaver()))
    thread_id = chat.create("first").thread_id
    chat.send(thread_id, "second")
    assert retry(chat, thread_id, 0).text == "Other one."
    chat.send(thread_id, "third")
    assert asked.asked[2:] == [
        [SYSTEM, ("user", "first")],
        [SYSTEM, ("user", "first"), ("assistant", "Other one."), ("user", "third")],
    ]


def test_a_tool_call_that_a_stop_left_unanswered_is_forgotten(talk: Talk) -> None:
    begun = threading.Event()

    async def works() -> str:
        """Takes for ever."""
        begun.set()
        async for _ in script([Wait(threading.Event())]).play([]):
            pass
        return ""

    asked = script([Call("works", {})], ["Here I am."])
    chat = talk(graph_builder(asked, [works]).compile(checkpointer=InMemorySaver()))
    with chat.open("threads.create", {"input": message("Work")}) as stream:
        first = next(iter(stream))
        assert first.event is not None
        thread_id = first.event["thread"]["id"]
        eventually(begun.is_set, what="the tool")
        chat.call("threads.cancel", thread_id=thread_id)
        list(stream)
    chat.send(thread_id, "Still there?")
    assert [role for role, _ in asked.asked[1]] == ["system", "user", "user", "user"]
    assert asked.asked[1][-1] == ("user", "Still there?")


def test_a_question_of_the_graph_is_answered_by_the_next_message(talk: Talk) -> None:
    fails = [True]

    def ask(state: MessagesState) -> Any:
        answer = interrupt("How many berths?")
        if fails.pop():
            fails.append(False)
            raise RuntimeError(CANARY)
        fails.append(False)
        return {"messages": [AIMessage(f"{answer} berths for {state['messages'][0].text}.")]}

    chat = talk(graph(ask, checkpointer=InMemorySaver()))
    asked = chat.create("the regatta")
    assert (asked.text, asked.outcome) == ("How many berths?", "completed")
    assert chat.send(asked.thread_id, "two").outcome == "failed"
    assert retry(chat, asked.thread_id, 2).text == "two berths for the regatta."
    assert chat.send(asked.thread_id, "the race").text == "How many berths?"


def test_several_questions_are_asked_one_after_the_other(talk: Talk) -> None:
    def boats(state: MessagesState) -> Any:
        return {"messages": [AIMessage(f"{interrupt('How many boats?')} boats")]}

    def crew(state: MessagesState) -> Any:
        return {"messages": [AIMessage(f"{interrupt('How many people?')} people")]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    for node in (boats, crew):
        builder.add_node(node.__name__, node)
        builder.add_edge(START, node.__name__)
    chat = talk(builder.compile(checkpointer=InMemorySaver()))
    asked = chat.create()
    assert asked.text == "How many boats?"
    assert "How many people?" in chat.send(asked.thread_id, "two").text
    assert "five people" in chat.send(asked.thread_id, "five").text


def test_the_question_itself_can_be_tried_again(talk: Talk) -> None:
    def ask(state: MessagesState) -> Any:
        return {"messages": [AIMessage(interrupt("How many?"))]}

    chat = talk(graph(ask, checkpointer=InMemorySaver()))
    thread_id = chat.create("berths").thread_id
    assert retry(chat, thread_id, 0).text == "How many?"
    assert chat.send(thread_id, "two").text == "two"


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ("How many?", {}),
        ({"action": "delete"}, {"checkpointer": InMemorySaver()}),
        (None, {"checkpointer": InMemorySaver(), "interrupt_before": ["ask"]}),
    ],
    ids=["no checkpointer", "no text", "before a node"],
)
def test_a_stop_of_the_graph_that_no_message_can_answer_fails_the_turn(
    talk: Talk, value: Any, options: dict[str, Any]
) -> None:
    def ask(state: MessagesState) -> Any:
        return {"messages": [AIMessage(interrupt(value))]}

    chat = talk(graph(ask, **options))
    assert chat.create().outcome == "failed"


def test_what_nodes_write_to_the_stream_is_shown_if_it_is_text_or_an_event(talk: Talk) -> None:
    def writes(state: MessagesState) -> Any:
        write = get_stream_writer()
        write(types.ProgressUpdateEvent(text="Looking"))
        write("Here: ")
        write({"for": "somebody else"})
        return {"messages": [AIMessage("at nine.")]}

    turn = talk(graph(writes)).create()
    assert [event["text"] for event in turn.of("progress_update")] == ["Looking"]
    assert turn.text == "Here: \n\nat nine."


def test_a_graph_inside_a_graph_streams_and_is_heard_once(talk: Talk) -> None:
    asked = script(["High ", "water."], ["At ", "nine."])
    inner = graph_builder(asked, []).compile()
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("first", inner)
    builder.add_node("second", inner)
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    turn = talk(builder.compile()).create()
    assert turn.text == "High water.\n\nAt nine."


def test_the_model_that_the_user_chose_is_in_the_configuration_if_it_is_offered(talk: Talk) -> None:
    asked = script(["One."], ["Two."])
    chat = talk(graph_builder(asked, []).compile(), models=["fast"])
    for chosen in ("fast", "dear"):
        chat.stream("threads.create", input={**message("hi"), "inference_options": {"model": chosen}})
    assert asked.models == ["fast", None]


def test_a_failing_graph_that_remembers_can_be_tried_again(talk: Talk) -> None:
    asked = script(["Half", Fail()], ["All of it."])
    chat = talk(graph_builder(asked, []).compile(checkpointer=InMemorySaver()))
    thread_id = chat.create("first").thread_id
    assert retry(chat, thread_id, 0).text == "All of it."
    assert asked.asked[1] == [SYSTEM, ("user", "first")]
