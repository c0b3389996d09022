"""What a tool call looks like: a task with a title that people read. Arguments and outputs are not shown."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from chatkit.types import CustomTask, FileSource, FileTask, SearchTask, Task, URLSource

from chatdock.workflows.wording import readable

HOSTED = {"web_search_call", "file_search_call", "code_interpreter_call", "mcp_call"}
"""Calls that the model's provider executes: they begin and end in the model's own stream."""
QUERY_LENGTH = 200

_NAMES = {
    "computer_call": "Computer",
    "shell_call": "Shell",
    "local_shell_call": "Shell",
    "apply_patch_call": "Apply patch",
}


def local_task(call: Any) -> CustomTask:
    """The task of a `ToolCallItem` that is executed here."""
    raw = call.raw_item
    kind = str(raw.get("type") if isinstance(raw, dict) else raw.type)
    title = call.title or readable(str(call.tool_name or "") or _NAMES.get(kind, kind.removesuffix("_call")))
    return CustomTask(title=title, status_indicator="loading")


def hosted_task(item: Any, *, complete: bool) -> Task:
    """The task of a call of the kinds in `HOSTED`, as it begins or as it ended."""
    status: Any = "complete" if complete else "loading"
    match item.type:
        case "web_search_call":
            return _search(getattr(item, "action", None), status)
        case "file_search_call":
            queries = item.queries or []
            names = dict.fromkeys(result.filename for result in item.results or () if result.filename)
            return FileTask(
                title=queries[0][:QUERY_LENGTH] if queries else None,
                sources=[FileSource(filename=name, title=name) for name in names],
                status_indicator=status,
            )
        case "mcp_call":
            return CustomTask(title=readable(item.name), status_indicator=status)
        case _:
            return CustomTask(title="Code interpreter", icon="square-code", status_indicator=status)


def _search(action: Any, status: Any) -> SearchTask:
    queries, urls = [], []
    match getattr(action, "type", None):
        case "search":
            queries = list(getattr(action, "queries", None) or [getattr(action, "query", None)])
            urls = [source.url for source in getattr(action, "sources", None) or ()]
        case "open_page":
            urls = [action.url]
        case "find_in_page":
            queries, urls = [action.pattern], [action.url]
    asked = [query[:QUERY_LENGTH] for query in queries if query]
    return SearchTask(
        title_query=asked[0] if asked else None,
        queries=asked,
        sources=[URLSource(url=url, title=urlsplit(url).hostname or url) for url in dict.fromkeys(filter(None, urls))],
        status_indicator=status,
    )
