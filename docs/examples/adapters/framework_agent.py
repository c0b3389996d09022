"""An agent of the Microsoft Agent Framework; a real one has a chat client of `agent_framework.openai` or another."""

from agent_framework import Agent, BaseChatClient, ChatResponseUpdate, tool

from chatdock import current_turn, workflow


class Parrot(BaseChatClient):
    """A chat client that repeats what it is told."""

    def _inner_get_response(self, *, messages, stream, options, **kwargs):
        return self._build_response_stream(self._say(messages[-1].text))

    async def _say(self, text):
        for word in text.split():
            yield ChatResponseUpdate(role="assistant", contents=[{"type": "text", "text": f"{word} "}])


@tool
async def my_berth() -> str:
    """Where the user's boat lies."""
    return f"{current_turn().user} lies at berth 4."


workflow("wf_parrot")(Agent(Parrot(), instructions="You help boat owners.", tools=[my_berth]))
