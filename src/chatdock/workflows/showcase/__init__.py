"""`wf_showcase`: every item, widget, event and update on request, without a model and the same each time.

The first word of a message is the command; see `COMMANDS`, or say `help`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

from chatdock.workflows.registry import workflow
from chatdock.workflows.showcase import items, messages, turns, widgets
from chatdock.workflows.showcase.arguments import Arguments
from chatdock.workflows.turn import Turn
from chatdock.workflows.workflow import Emitted

if TYPE_CHECKING:
    from chatkit.types import AudioInput, ThreadItem

__all__ = ["COMMANDS", "Command", "showcase"]


class Command(NamedTuple):
    """What answers to a command word, what may follow the word, and what it shows."""

    answer: Callable[[Turn, Arguments], AsyncGenerator[Emitted, None]]
    usage: str
    help: str


async def list_commands(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Every command with its arguments."""
    yield "I am the showcase: no model, but everything a chat can show. Send one of these words:\n\n"
    for word, command in COMMANDS.items():
        yield f"- `{word}{' ' if command.usage else ''}{command.usage}`: {command.help}\n"
    yield "\nA pace such as `5ms` or `0.2s` sets the time between two chunks."


COMMANDS: dict[str, Command] = {
    "help": Command(list_commands, "", "this list"),
    "text": Command(messages.text, "[words] [pace]", "text, word by word"),
    "count": Command(messages.count, "[numbers] [pace]", "numbers from 1, so that a gap shows"),
    "markdown": Command(messages.markdown, "[pace]", "a long document with everything that Markdown can do"),
    "annotations": Command(messages.sources, "[pace]", "a message with file, link and entity sources"),
    "parts": Command(messages.parts, "", "one message of two parts"),
    "progress": Command(turns.progress, "[pace]", "progress while something takes time"),
    "notice": Command(turns.notice, "[info|warning|danger]", "notices"),
    "effect": Command(turns.effect, "[name] [{json}]", "a client effect"),
    "reasoning": Command(items.reasoning, "[pace]", "thoughts, then an answer"),
    "workflow": Command(items.workflow, "[expanded] [pace]", "a workflow with every kind of task"),
    "task": Command(items.task, "[custom|web_search|thought|file|image]", "tasks that stand alone"),
    "image": Command(items.image, "[pace]", "a picture that is generated in steps"),
    "widget": Command(widgets.widget, "", "a card"),
    "widgets": Command(widgets.widgets, "[name…]", "every widget component"),
    "template": Command(widgets.template, "[name]", "a widget from a template"),
    "form": Command(widgets.form, "[card]", "a form with every kind of field"),
    "stream-widget": Command(widgets.stream_widget, "[pace]", "a widget that is filled while it streams"),
    "actions": Command(widgets.actions, "", "buttons for each way in which an action can go"),
    "mixed": Command(items.mixed, "", "text and items by turns"),
    "tool": Command(items.tool, "[name] [calls] [{json}]", "a client tool call, and what the page answered"),
    "input": Command(items.structured_input, "[short]", "questions to the user, and the answers"),
    "title": Command(turns.title, "[text]", "a title for this thread"),
    "images": Command(turns.images, "[domain…]", "where this thread's images may come from"),
    "lock": Command(turns.lock, "[reason]", "lock this thread"),
    "close": Command(turns.close, "[reason]", "close this thread"),
    "hidden": Command(items.hidden, "", "context that no client sees"),
    "replace": Command(items.replace, "[pace]", "a message that is replaced"),
    "remove": Command(items.remove, "[pace]", "a message that is removed"),
    "end": Command(items.end, "", "the end-of-turn item"),
    "error": Command(turns.error, "[custom|stream|event] [retry|no-retry] [partial]", "an error that is shown"),
    "crash": Command(turns.crash, "[partial]", "a fault in the workflow"),
    "hang": Command(turns.hang, "", "no end until you press stop"),
    "nocancel": Command(turns.nocancel, "[words] [pace]", "text without a stop button"),
    "slow": Command(messages.slow, "[seconds]", "an answer that begins late"),
    "long": Command(messages.long, "[kilobytes] [pace]", "a very long message"),
    "empty": Command(messages.empty, "[message]", "no answer, or a message without content"),
    "unicode": Command(messages.unicode_text, "[pace]", "scripts, directions, emoji and combining marks"),
    "hostile": Command(messages.hostile, "", "content that tries to do harm"),
    "echo": Command(messages.echo, "<text>", "your own text"),
    "message": Command(messages.message, "", "what your message holds beside its text"),
    "options": Command(messages.options, "", "the model and the tool that you chose"),
    "state": Command(messages.state, "", "a count kept between turns, and the names of state variables"),
    "whoami": Command(messages.whoami, "", "your user id and locale"),
    "history": Command(messages.history, "", "the number of items in this thread"),
}


@workflow("wf_showcase")
async def showcase(turn: Turn) -> AsyncGenerator[Emitted, None]:
    """Answer a command, a tool's output or structured input."""
    if turn.tool_output is not None:
        answer = items.tool_answered(turn, turn.tool_output)
    elif turn.answers is not None:
        answer = items.input_answered(turn, turn.answers)
    else:
        answer = perform(turn, turn.text)
    async with aclosing(answer):
        async for event in answer:
            yield event


def perform(turn: Turn, text: str) -> AsyncGenerator[Emitted, None]:
    """The answer to a command; to anything else, the list of commands."""
    word, rest = [*text.split(maxsplit=1), "", ""][:2]
    command = COMMANDS.get(word.lower(), COMMANDS["help"])
    return command.answer(turn, Arguments(rest.strip()))


@showcase.action
async def act(turn: Turn) -> AsyncGenerator[Emitted, None]:
    """Widget actions that stream: run a command, change the widget, or say what arrived."""
    assert turn.action is not None
    payload = turn.action.payload
    if turn.action.type == "showcase.run":
        answer = perform(turn, payload["text"])
        async with aclosing(answer):
            async for event in answer:
                yield event
    elif turn.action.type == "showcase.replace" and (changed := widgets.changed_in_place(turn)):
        yield changed
    else:
        yield f"Action {turn.action.type}: {messages.as_json(payload)}"


@showcase.sync_action
async def act_at_once(turn: Turn) -> ThreadItem | None:
    """Widget actions that do not stream: the widget changes."""
    assert turn.action is not None
    if turn.action.type == "showcase.crash":
        raise RuntimeError("The showcase's action crashed, as it was told to.")
    return widgets.pressed(turn)


@showcase.transcriber
async def transcribe(audio: AudioInput) -> str:
    """What dictation hears."""
    return f"heard {len(audio.data)} bytes of {audio.mime_type}"
