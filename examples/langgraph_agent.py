"""A LangGraph agent with a tool that shows what it does.

    pip install 'chatdock[langgraph]' langchain-openai
    chatdock serve --demo examples/langgraph_agent.py

`OPENAI_API_KEY`, `OPENAI_BASE_URL` and `OPENAI_DEFAULT_MODEL` say which model answers. Then ask for the tide.
"""

from __future__ import annotations

import os
from typing import Any

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from chatdock import current_turn, workflow

TIDES = {"monday": "04:10 and 16:35", "tuesday": "05:00 and 17:25", "wednesday": "05:55 and 18:20"}


@tool
async def high_water(day: str) -> str:
    """The times of high water on a day of the week."""
    turn = current_turn()
    await turn.emit(turn.progress(f"Looking up {day} in the tide table…", icon="book-open"))
    return TIDES.get(day.lower(), "not in the table")


model = ChatOpenAI(model=os.environ.get("OPENAI_DEFAULT_MODEL", "gpt-5-mini"), streaming=True).bind_tools([high_water])


async def ask(state: MessagesState) -> dict[str, Any]:
    """Let the model answer, or call a tool."""
    return {"messages": [await model.ainvoke(state["messages"])]}


graph = (
    StateGraph(MessagesState)
    .add_node("model", ask)
    .add_node("tools", ToolNode([high_water]))
    .add_edge(START, "model")
    .add_conditional_edges("model", tools_condition)
    .add_edge("tools", "model")
    .compile()
)
workflow("wf_tides")(graph)
