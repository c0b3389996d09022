"""The operations of the conversation endpoint: chatkit's request types, read as leniently as published clients need.

Published clients leave out `quoted_text`, `attachments` and `inference_options`, send `null` for objects and ask for
very large pages; all of these mean the default. Two operations are ours: `threads.resume` and `threads.cancel`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args

from chatkit import types
from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter

PAGE_DEFAULT = 20
PAGE_MAX = 100


def _or_null(kind: Any, default: Callable[[], Any]) -> BeforeValidator:
    """Takes null for the default, and lets the OpenAPI description say so."""
    return BeforeValidator(lambda value: default() if value is None else value, json_schema_input_type=kind | None)


Object = Annotated[dict[str, Any], _or_null(dict[str, Any], dict)]
Cursor = Annotated[str | None, BeforeValidator(lambda value: value or None)]
"""The id of the last record of the page before; an empty one is none."""


class TagContent(types.UserMessageTagContent):
    """A tag whose `data` may be missing."""

    data: Object = Field(default_factory=dict)


Content = Annotated[types.UserMessageTextContent | TagContent, Field(discriminator="type")]


class UserMessageInput(BaseModel):
    """What a user sends: content blocks, ids of attachments, a quote, and the composer's choices."""

    content: list[Content]
    attachments: Annotated[list[str], _or_null(list[str], list)] = Field(default_factory=list)
    quoted_text: str | None = None
    inference_options: Annotated[types.InferenceOptions, _or_null(types.InferenceOptions, types.InferenceOptions)] = (
        Field(default_factory=types.InferenceOptions)
    )


class ThreadCreateParams(BaseModel):
    """Parameters of `threads.create`."""

    input: UserMessageInput


class AddUserMessageParams(BaseModel):
    """Parameters of `threads.add_user_message`."""

    thread_id: str
    input: UserMessageInput


Order = Literal["asc", "desc"]


class PageParams(BaseModel):
    """Parameters of a listing; a `limit` that is missing, zero or too large is brought into 1..100."""

    limit: int | None = None
    order: Annotated[Order, _or_null(Order, lambda: "desc")] = "desc"
    after: Cursor = None

    @property
    def page_size(self) -> int:
        """How many records a page holds."""
        if not self.limit or self.limit < 1:
            return PAGE_DEFAULT
        return min(self.limit, PAGE_MAX)


class ItemsListParams(PageParams):
    """Parameters of `items.list`."""

    thread_id: str


class ThreadUpdateParams(BaseModel):
    """Parameters of `threads.update`."""

    thread_id: str
    title: str = Field(min_length=1, max_length=512)


class FeedbackParams(BaseModel):
    """Parameters of `items.feedback`."""

    thread_id: str
    item_ids: list[str] = Field(min_length=1, max_length=100)
    kind: types.FeedbackKind


class WidgetAction(BaseModel):
    """What a widget's control does: a name and whatever the workflow put with it. Untrusted."""

    type: str = Field(min_length=1, max_length=256)
    payload: Any = None


class CustomActionParams(BaseModel):
    """Parameters of `threads.custom_action` and `threads.sync_custom_action`; `item_id` is the widget's."""

    thread_id: str
    item_id: str | None = None
    action: WidgetAction


class ResumeParams(BaseModel):
    """Parameters of `threads.resume`: the SSE id of the last frame that was received, if any."""

    thread_id: str
    starting_after: str | None = None


class ThreadParams(BaseModel):
    """Parameters of an operation on a thread as a whole."""

    thread_id: str


class Operation(BaseModel):
    """What all operations share."""

    metadata: Object = Field(default_factory=dict)


class ThreadsCreate(Operation):
    """Start a thread with a message; streams the turn."""

    type: Literal["threads.create"]
    params: ThreadCreateParams


class ThreadsAddUserMessage(Operation):
    """Add a message to a thread; streams the turn."""

    type: Literal["threads.add_user_message"]
    params: AddUserMessageParams


class ThreadsAddClientToolOutput(Operation):
    """Give the result of the pending client tool call; streams the turn that goes on with it."""

    type: Literal["threads.add_client_tool_output"]
    params: types.ThreadAddClientToolOutputParams


class ThreadsAddStructuredInput(Operation):
    """Answer or skip a structured input; streams the turn that goes on with it."""

    type: Literal["threads.add_structured_input"]
    params: types.ThreadAddStructuredInputParams


class ThreadsRetryAfterItem(Operation):
    """Remove what came after a user message and answer it again; streams the turn."""

    type: Literal["threads.retry_after_item"]
    params: types.ThreadRetryAfterItemParams


class ThreadsCustomAction(Operation):
    """Run a widget's action; streams the turn."""

    type: Literal["threads.custom_action"]
    params: CustomActionParams


class ThreadsResume(Operation):
    """Follow the thread's live run: what was missed, then live."""

    type: Literal["threads.resume"]
    params: ResumeParams


class ThreadsCancel(Operation):
    """End the thread's live run; the answer so far is kept."""

    type: Literal["threads.cancel"]
    params: ThreadParams


class ThreadsGetById(Operation):
    """One thread with its first page of items."""

    type: Literal["threads.get_by_id"]
    params: ThreadParams


class ThreadsList(Operation):
    """The user's threads."""

    type: Literal["threads.list"]
    params: PageParams = Field(default_factory=PageParams)


class ThreadsUpdate(Operation):
    """Rename a thread."""

    type: Literal["threads.update"]
    params: ThreadUpdateParams


class ThreadsDelete(Operation):
    """Delete a thread and everything in it."""

    type: Literal["threads.delete"]
    params: ThreadParams


class ThreadsSyncCustomAction(Operation):
    """Run a widget's action and answer with at most one changed item; allowed while a run is live."""

    type: Literal["threads.sync_custom_action"]
    params: CustomActionParams


class ItemsList(Operation):
    """A page of a thread's items."""

    type: Literal["items.list"]
    params: ItemsListParams


class ItemsFeedback(Operation):
    """Thumbs up or down on items."""

    type: Literal["items.feedback"]
    params: FeedbackParams


class AttachmentsCreate(Operation):
    """Announce an upload."""

    type: Literal["attachments.create"]
    params: types.AttachmentCreateParams


class AttachmentsDelete(Operation):
    """Remove an upload."""

    type: Literal["attachments.delete"]
    params: types.AttachmentDeleteParams


class InputTranscribe(Operation):
    """Turn recorded speech into text."""

    type: Literal["input.transcribe"]
    params: types.InputTranscribeParams


RunOperation = (
    ThreadsCreate
    | ThreadsAddUserMessage
    | ThreadsAddClientToolOutput
    | ThreadsAddStructuredInput
    | ThreadsRetryAfterItem
    | ThreadsCustomAction
)
"""Operations that start a run and stream it."""

LightOperation = ThreadsResume | ThreadsGetById | ThreadsList | ItemsList | ThreadsCancel
"""Looking at threads, and the stop button, which must always work: counted against a tenfold allowance of their own."""

AnyOperation = Annotated[
    RunOperation
    | LightOperation
    | ThreadsUpdate
    | ThreadsDelete
    | ThreadsSyncCustomAction
    | ItemsFeedback
    | AttachmentsCreate
    | AttachmentsDelete
    | InputTranscribe,
    Field(discriminator="type"),
]

OPERATION: TypeAdapter[AnyOperation] = TypeAdapter(AnyOperation)

NAMES = frozenset(
    name for kind in get_args(get_args(AnyOperation)[0]) for name in get_args(kind.model_fields["type"].annotation)
)
"""What `type` can be."""
