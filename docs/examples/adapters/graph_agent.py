"""A LangGraph graph that asks before it books, and remembers for as long as the server runs."""

from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from chatdock import current_turn, workflow


async def book(state: MessagesState) -> dict[str, list[AIMessage]]:
    wish = state["messages"][-1].text
    answer = interrupt(f"Shall I book {wish}?")  # the user's next message
    if answer.strip().lower() != "yes":
        return {"messages": [AIMessage("Nothing is booked.")]}
    turn = current_turn()
    await turn.emit(turn.progress("Booking"))
    return {"messages": [AIMessage(f"Booked for {turn.user}: {wish}.")]}


builder = StateGraph(MessagesState)
builder.add_node("book", book)
builder.add_edge(START, "book")
workflow("wf_booking")(builder.compile(checkpointer=InMemorySaver()))
