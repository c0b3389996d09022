"""The REST resources, member for member as the public API describes them, and how wire items map onto them."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

MAX_STATE_TEXT = 10_485_760


def _storable(value: object) -> object:
    # Before the union is tried, so that an error names the variable and not a branch of the union.
    whole = isinstance(value, int) and -(2**63) <= value < 2**63
    if whole or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, str) and len(value) <= MAX_STATE_TEXT:
        return value
    raise PydanticCustomError(
        "state_value",
        f"must be a text of at most {MAX_STATE_TEXT} characters, a finite number, an integer of 64 bits or a boolean",
    )


StateValue = Annotated[
    Annotated[str, StringConstraints(max_length=MAX_STATE_TEXT)] | StrictBool | StrictInt | StrictFloat,
    BeforeValidator(_storable),
]
StateKey = Annotated[str, StringConstraints(max_length=64)]


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[StrictInt, BeforeValidator(_whole)]
"""An integer as JSON Schema has it: 600.0 is one."""


class _Param(BaseModel):
    model_config = ConfigDict(extra="ignore")


class ExpiresAfterParam(_Param):
    """When the session ends, counted from its creation."""

    anchor: Literal["created_at"] = "created_at"
    seconds: Whole | None = Field(default=None, ge=1, description="Lifetime in seconds.")


class RateLimitsParam(_Param):
    """Request limits of a session."""

    max_requests_per_1_minute: Whole | None = Field(default=None, ge=1)


class TracingParam(_Param):
    """Tracing of the session's runs."""

    enabled: StrictBool | None = None


class WorkflowParam(_Param):
    """Which workflow answers, and what it is told."""

    id: str
    version: str | None = None
    state_variables: dict[StateKey, StateValue] | None = Field(default=None, max_length=64)
    tracing: TracingParam | None = None


class TitlingParam(_Param):
    """Automatic titles."""

    enabled: StrictBool | None = None


class FileUploadParam(_Param):
    """Uploads."""

    enabled: StrictBool | None = None
    max_file_size: Whole | None = Field(default=None, ge=1, le=512, description="Megabytes.")
    max_files: Whole | None = Field(default=None, ge=1)


class HistoryParam(_Param):
    """Which earlier threads the session's user can open."""

    enabled: StrictBool | None = None
    recent_threads: Whole | None = Field(default=None, ge=1)


class ConfigurationParam(_Param):
    """Features of the session."""

    automatic_thread_titling: TitlingParam | None = None
    file_upload: FileUploadParam | None = None
    history: HistoryParam | None = None


class CreateSession(_Param):
    """Body of `POST /v1/chatkit/sessions`."""

    workflow: WorkflowParam
    user: str = Field(min_length=1, max_length=512)
    expires_after: ExpiresAfterParam | None = None
    rate_limits: RateLimitsParam | None = None
    chatkit_configuration: ConfigurationParam | None = None


class Tracing(BaseModel):
    """Whether runs are traced."""

    enabled: bool


class SessionWorkflow(BaseModel):
    """The workflow of a session."""

    id: str
    version: str | None
    state_variables: dict[str, str | bool | int | float] | None
    tracing: Tracing


class RateLimits(BaseModel):
    """Request limits of a session."""

    max_requests_per_1_minute: int


class Titling(BaseModel):
    """Automatic titles."""

    enabled: bool


class FileUpload(BaseModel):
    """Uploads: size in megabytes."""

    enabled: bool
    max_file_size: int | None
    max_files: int | None


class History(BaseModel):
    """Which earlier threads the session's user can open."""

    enabled: bool
    recent_threads: int | None


class Configuration(BaseModel):
    """Features of the session."""

    automatic_thread_titling: Titling
    file_upload: FileUpload
    history: History


class Session(BaseModel):
    """A ChatKit session; the client secret is shown once, at create."""

    id: str
    object: Literal["chatkit.session"] = "chatkit.session"
    expires_at: int = Field(description="Unix seconds.")
    client_secret: str
    workflow: SessionWorkflow
    user: str
    rate_limits: RateLimits
    max_requests_per_1_minute: int
    status: Literal["active", "expired", "cancelled"]
    chatkit_configuration: Configuration


class ActiveStatus(BaseModel):
    """The thread takes input."""

    type: Literal["active"] = "active"


class LockedStatus(BaseModel):
    """The thread takes no input for now."""

    type: Literal["locked"] = "locked"
    reason: str | None


class ClosedStatus(BaseModel):
    """The thread takes no more input."""

    type: Literal["closed"] = "closed"
    reason: str | None


class Thread(BaseModel):
    """A thread, without its items."""

    id: str
    object: Literal["chatkit.thread"] = "chatkit.thread"
    created_at: int = Field(description="Unix seconds.")
    title: str | None
    status: ActiveStatus | LockedStatus | ClosedStatus = Field(discriminator="type")
    user: str


class DeletedThread(BaseModel):
    """What is left of a thread."""

    id: str
    object: Literal["chatkit.thread.deleted"] = "chatkit.thread.deleted"
    deleted: Literal[True] = True


class ThreadList(BaseModel):
    """A page of threads."""

    object: Literal["list"] = "list"
    data: list[Thread]
    first_id: str | None
    last_id: str | None
    has_more: bool


class _Item(BaseModel):
    id: str
    object: Literal["chatkit.thread_item"] = "chatkit.thread_item"
    created_at: int = Field(description="Unix seconds.")
    thread_id: str


class InputText(BaseModel):
    """Text of a user message."""

    type: Literal["input_text"] = "input_text"
    text: str


class QuotedText(BaseModel):
    """What the user quoted."""

    type: Literal["quoted_text"] = "quoted_text"
    text: str


class Attachment(BaseModel):
    """A file that came with a message."""

    type: Literal["image", "file"]
    id: str
    name: str
    mime_type: str
    preview_url: str | None


class ToolChoice(BaseModel):
    """The tool that the user picked."""

    id: str


class InferenceOptions(BaseModel):
    """The tool and model that the user picked."""

    tool_choice: ToolChoice | None
    model: str | None


class UserMessage(_Item):
    """A message of the user."""

    type: Literal["chatkit.user_message"] = "chatkit.user_message"
    content: list[Annotated[InputText | QuotedText, Field(discriminator="type")]]
    attachments: list[Attachment]
    inference_options: InferenceOptions | None


class FileSource(BaseModel):
    """A cited file."""

    type: Literal["file"] = "file"
    filename: str


class UrlSource(BaseModel):
    """A cited address."""

    type: Literal["url"] = "url"
    url: str


class FileAnnotation(BaseModel):
    """A citation of a file."""

    type: Literal["file"] = "file"
    source: FileSource


class UrlAnnotation(BaseModel):
    """A citation of an address."""

    type: Literal["url"] = "url"
    source: UrlSource


class OutputText(BaseModel):
    """Text of an assistant message."""

    type: Literal["output_text"] = "output_text"
    text: str
    annotations: list[Annotated[FileAnnotation | UrlAnnotation, Field(discriminator="type")]]


class AssistantMessage(_Item):
    """A message of the assistant."""

    type: Literal["chatkit.assistant_message"] = "chatkit.assistant_message"
    content: list[OutputText]


class Widget(_Item):
    """A widget, as JSON."""

    type: Literal["chatkit.widget"] = "chatkit.widget"
    widget: str


class ClientToolCall(_Item):
    """A call that the browser answers; arguments and output are JSON."""

    type: Literal["chatkit.client_tool_call"] = "chatkit.client_tool_call"
    status: Literal["in_progress", "completed"]
    call_id: str
    name: str
    arguments: str
    output: str | None


class Task(_Item):
    """A step that the assistant took."""

    type: Literal["chatkit.task"] = "chatkit.task"
    task_type: Literal["custom", "thought"]
    heading: str | None
    summary: str | None


class GroupedTask(BaseModel):
    """One step of a group."""

    type: Literal["custom", "thought"]
    heading: str | None
    summary: str | None


class TaskGroup(_Item):
    """Steps that belong together."""

    type: Literal["chatkit.task_group"] = "chatkit.task_group"
    tasks: list[GroupedTask]


Item = Annotated[
    UserMessage | AssistantMessage | Widget | ClientToolCall | Task | TaskGroup, Field(discriminator="type")
]


class ItemList(BaseModel):
    """A page of items."""

    object: Literal["list"] = "list"
    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ErrorBody(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class Error(BaseModel):
    """The envelope of every error."""

    error: ErrorBody


def item_from_wire(wire: dict[str, Any]) -> Item:
    """The REST item of a stored wire item of a kind that REST shows."""
    common = {
        "id": wire["id"],
        "thread_id": wire["thread_id"],
        "created_at": int(datetime.fromisoformat(wire["created_at"]).timestamp()),
    }
    match wire["type"]:
        case "user_message":
            return _user_message(common, wire)
        case "assistant_message":
            return AssistantMessage(**common, content=[_output_text(part) for part in wire["content"]])
        case "widget":
            return Widget(**common, widget=_json(wire["widget"]))
        case "client_tool_call":
            done = wire["status"] == "completed"
            return ClientToolCall(
                **common,
                status="completed" if done else "in_progress",
                call_id=wire["call_id"],
                name=wire["name"],
                arguments=_json(wire["arguments"]),
                output=_json(wire.get("output")) if done else None,
            )
        case "task":
            task = _task(wire["task"])
            return Task(**common, task_type=task.type, heading=task.heading, summary=task.summary)
        case "workflow":
            return TaskGroup(**common, tasks=[_task(task) for task in wire["workflow"]["tasks"]])
        case other:
            raise ValueError(f"items of type {other!r} have no REST shape")


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _user_message(common: dict[str, Any], wire: dict[str, Any]) -> UserMessage:
    content: list[InputText | QuotedText] = [InputText(text=part["text"]) for part in wire["content"]]
    if quoted := wire.get("quoted_text"):
        content.insert(0, QuotedText(text=quoted))
    options = wire.get("inference_options") or {}
    return UserMessage(
        **common,
        content=content,
        attachments=[
            Attachment(
                type=a["type"], id=a["id"], name=a["name"], mime_type=a["mime_type"], preview_url=a.get("preview_url")
            )
            for a in wire.get("attachments", ())
        ],
        inference_options=InferenceOptions(tool_choice=options.get("tool_choice"), model=options.get("model"))
        if options
        else None,
    )


def _output_text(part: dict[str, Any]) -> OutputText:
    annotations: list[FileAnnotation | UrlAnnotation] = []
    for annotation in part.get("annotations", ()):
        source = annotation["source"]
        if source["type"] == "file":
            annotations.append(FileAnnotation(source=FileSource(filename=source["filename"])))
        elif source["type"] == "url":
            annotations.append(UrlAnnotation(source=UrlSource(url=source["url"])))
    return OutputText(text=part["text"], annotations=annotations)


def _task(task: dict[str, Any]) -> GroupedTask:
    sources = [source["title"] for source in task.get("sources", ())]
    return GroupedTask(
        type="thought" if task["type"] == "thought" else "custom",
        heading=task.get("title") or task.get("title_query"),
        summary=task.get("content") or ", ".join(task.get("queries", ()) or sources) or None,
    )
