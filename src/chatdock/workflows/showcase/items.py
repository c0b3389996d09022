"""Commands that answer with items other than text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ClientToolCallItem,
    CustomSummary,
    CustomTask,
    DurationSummary,
    EndOfTurnItem,
    FileSource,
    FileTask,
    GeneratedImage,
    GeneratedImageItem,
    GeneratedImageUpdated,
    HiddenContextItem,
    ImageTask,
    ProgressUpdateEvent,
    SDKHiddenContextItem,
    SearchTask,
    StructuredInputFreeform,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
    TaskItem,
    ThoughtTask,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    URLSource,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)

from chatdock.workflows.showcase.arguments import pause
from chatdock.workflows.showcase.gallery import GALLERY
from chatdock.workflows.showcase.messages import as_json
from chatdock.workflows.showcase.picture import picture
from chatdock.workflows.showcase.widgets import shown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from chatkit.types import StructuredInput, Task

    from chatdock.workflows.showcase.arguments import Arguments
    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted

TASKS: dict[str, Task] = {
    "custom": CustomTask(title="Opened the logbook", icon="book-open", content="Two entries, **both** signed."),
    "web_search": SearchTask(
        title="Searched the web",
        title_query="ships in port",
        queries=["ships in port today", "harbour arrivals"],
        sources=[
            URLSource(title="Arrivals", url="https://example.com/arrivals", attribution="example.com"),
            URLSource(title="Departures", url="https://example.com/departures", description="Today"),
        ],
    ),
    "thought": ThoughtTask(title="Compared the lists", content="The lists differ in *one* ship."),
    "file": FileTask(
        title="Read two files",
        sources=[FileSource(title="Ships", filename="ships.pdf"), FileSource(title="Tides", filename="tides.csv")],
    ),
    "image": ImageTask(title="Looked at the chart"),
}
"""One task of each kind."""

THOUGHTS = (
    ("**Counting the ships**", "Nine ships are in the list, but one of them left yesterday."),
    ("**Checking the tide**", "The tide turns at nine, so nobody sails before that."),
)


async def reasoning(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Thoughts that grow while they stream, then an answer."""
    pace = given.pace(0.04)
    item = WorkflowItem(**_base(turn), workflow=Workflow(type="reasoning", tasks=[]))
    yield ThreadItemAddedEvent(item=item)
    tasks: list[Task] = []
    for n, (heading, body) in enumerate(THOUGHTS):
        said = f"{heading}\n\n{body}"
        task = ThoughtTask(content="", status_indicator="loading")
        yield ThreadItemUpdatedEvent(item_id=item.id, update=WorkflowTaskAdded(task_index=n, task=task))
        for end in [*range(12, len(said), 12), len(said)]:
            task = ThoughtTask(content=said[:end], status_indicator="loading")
            yield ThreadItemUpdatedEvent(item_id=item.id, update=WorkflowTaskUpdated(task_index=n, task=task))
            await pause(pace)
        task = ThoughtTask(content=said, status_indicator="complete")
        yield ThreadItemUpdatedEvent(item_id=item.id, update=WorkflowTaskUpdated(task_index=n, task=task))
        tasks.append(task)
    done = Workflow(type="reasoning", tasks=tasks, summary=DurationSummary(duration=7))
    yield ThreadItemDoneEvent(item=item.model_copy(update={"workflow": done}))
    yield "Eight ships, and none of them sails before nine."


async def workflow(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """One task of each kind, loading and then complete, and one that has no status."""
    pace = given.pace(0.3)
    expanded = "expanded" in given.words
    summary = CustomSummary(title="Working on it", icon="agent")
    item = WorkflowItem(**_base(turn), workflow=Workflow(type="custom", tasks=[], summary=summary, expanded=expanded))
    yield ThreadItemAddedEvent(item=item)
    tasks: list[Task] = []
    for n, task in enumerate(TASKS.values()):
        loading = task.model_copy(update={"status_indicator": "loading"})
        yield ThreadItemUpdatedEvent(item_id=item.id, update=WorkflowTaskAdded(task_index=n, task=loading))
        await pause(pace)
        complete = task.model_copy(update={"status_indicator": "complete"})
        yield ThreadItemUpdatedEvent(item_id=item.id, update=WorkflowTaskUpdated(task_index=n, task=complete))
        tasks.append(complete)
    last = CustomTask(title="Wrote it all down")
    yield ThreadItemUpdatedEvent(item_id=item.id, update=WorkflowTaskAdded(task_index=len(tasks), task=last))
    done = Workflow(
        type="custom",
        tasks=[*tasks, last],
        summary=CustomSummary(title="Checked six things", icon="check-circle"),
        expanded=expanded,
    )
    yield ThreadItemDoneEvent(item=item.model_copy(update={"workflow": done}))


async def task(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Tasks that stand alone: one kind, or each."""
    for kind, each in TASKS.items():
        if not given.words or kind in given.words:
            yield ThreadItemDoneEvent(item=TaskItem(**_base(turn), task=each))


async def image(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """A picture that is painted from top to bottom."""
    pace = given.pace(0.3)
    item = GeneratedImageItem(**_base(turn))
    image_id = turn.new_id()
    yield ThreadItemAddedEvent(item=item)
    for progress in (0.25, 0.5, 0.75, 1.0):
        await pause(pace)
        painted = GeneratedImage(id=image_id, url=picture(progress))
        update = GeneratedImageUpdated(image=painted, progress=progress)
        yield ThreadItemUpdatedEvent(item_id=item.id, update=update)
    done = GeneratedImage(id=image_id, url=picture())
    yield ThreadItemDoneEvent(item=item.model_copy(update={"image": done}))


async def tool(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """A call that the page answers; with a number, so many calls one after another."""
    arguments = given.data({"source": "showcase"})
    yield _call(turn, given.name("showcase_tool"), arguments, int(given.number(1, 10, "calls")))


async def tool_answered(turn: Turn, call: ClientToolCallItem) -> AsyncGenerator[Emitted, None]:
    """What the page answered, and the next call if there is to be one."""
    yield f"The tool {call.name} returned {as_json(call.output)}."
    left = call.arguments.get("calls_left", 0)
    if left:
        arguments = {name: value for name, value in call.arguments.items() if name != "calls_left"}
        yield _call(turn, call.name, arguments, left)


async def structured_input(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Three questions: one choice, several choices, free text."""
    yield "Three questions:"
    questions: list[StructuredInput] = [
        StructuredInputMultipleChoice(id="berth", question="Which berth?", options=_options("North", "South", "Any")),
        StructuredInputMultipleChoice(
            id="services", question="Which services?", options=_options("Water", "Power", "Fuel"), multiple=True
        ),
        StructuredInputFreeform(id="wishes", question="Anything else?", description="In your own words"),
    ]
    if "short" in given.words:
        questions = questions[:1]
    yield ThreadItemDoneEvent(item=StructuredInputItem(**_base(turn), inputs=questions))


async def input_answered(turn: Turn, answered: StructuredInputItem) -> AsyncGenerator[Emitted, None]:
    """What the user answered."""
    yield f"The questions were {answered.status}.\n\n"
    for each in answered.inputs:
        if each.answer is None:
            yield f"- {each.id}: no answer\n"
        elif each.answer.skipped:
            yield f"- {each.id}: skipped\n"
        else:
            yield f"- {each.id}: {', '.join(each.answer.values)}\n"


async def hidden(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Context that no client may see, whichever event carries it."""
    note = HiddenContextItem(**_base(turn), content={"secret": "hidden from clients"})
    yield ThreadItemAddedEvent(item=note)
    yield ThreadItemDoneEvent(item=note)
    yield ThreadItemReplacedEvent(item=note.model_copy(update={"content": "hidden from clients, replaced"}))
    yield ThreadItemDoneEvent(item=SDKHiddenContextItem(**_base(turn), content="hidden from clients, by the SDK"))
    yield "Two items of hidden context were added; you cannot see them."


async def replace(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """A message that becomes another, in its place."""
    before = _text(turn, "This message will be replaced.")
    yield ThreadItemDoneEvent(item=before)
    yield ThreadItemDoneEvent(item=_text(turn, "This message stands below it."))
    await pause(given.pace(0.5))
    after = AssistantMessageContent(text="This message was replaced.")
    yield ThreadItemReplacedEvent(item=before.model_copy(update={"content": [after]}))


async def remove(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """A message that goes away."""
    gone = _text(turn, "This message will be removed.")
    yield ThreadItemDoneEvent(item=gone)
    await pause(given.pace(0.5))
    yield ThreadItemRemovedEvent(item_id=gone.id)
    yield "A message was removed."


async def end(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """The item that marks the end of the assistant's turn."""
    yield "Here my turn ends."
    yield ThreadItemDoneEvent(item=EndOfTurnItem(**_base(turn)))


async def mixed(turn: Turn, given: Arguments) -> AsyncGenerator[Emitted, None]:
    """Text and events by turns: transient events leave a message open, items end it."""
    yield "One message, "
    yield ProgressUpdateEvent(icon="clock", text="Still the same message…")
    yield "interrupted by progress."
    yield ThreadItemDoneEvent(item=TaskItem(**_base(turn), task=TASKS["custom"]))
    yield "A second message."
    yield shown(turn, GALLERY["text"])
    yield "A third message."


def _call(turn: Turn, name: str, arguments: dict[str, Any], calls: int) -> ThreadItemDoneEvent:
    if calls > 1:
        arguments = {**arguments, "calls_left": calls - 1}
    item = ClientToolCallItem(**_base(turn), call_id=turn.new_id(), name=name, arguments=arguments)
    return ThreadItemDoneEvent(item=item)


def _options(*values: str) -> list[StructuredInputMultipleChoiceOption]:
    return [StructuredInputMultipleChoiceOption(value=value) for value in values]


def _text(turn: Turn, text: str) -> AssistantMessageItem:
    return AssistantMessageItem(**_base(turn), content=[AssistantMessageContent(text=text)])


def _base(turn: Turn) -> dict[str, Any]:
    return {"id": turn.new_id(), "thread_id": turn.thread.id, "created_at": turn.now()}
