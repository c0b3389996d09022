"""Chatdock: ChatKit on your own machines.

What a workflow file needs is here: `workflow` registers what answers, `Turn` is what it receives. `SQLStore` and
`FileStore` are for apps with a `ChatKitServer` of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatdock.stores.file import FileStore
    from chatdock.stores.sql import SQLStore
    from chatdock.workflows.registry import workflow
    from chatdock.workflows.turn import Turn
    from chatdock.workflows.workflow import Emitted, Workflow

__all__ = ["Emitted", "FileStore", "SQLStore", "Turn", "Workflow", "__version__", "workflow"]
__version__ = "0.1.0"

_HOMES = {
    "Emitted": "chatdock.workflows.workflow",
    "FileStore": "chatdock.stores.file",
    "SQLStore": "chatdock.stores.sql",
    "Turn": "chatdock.workflows.turn",
    "Workflow": "chatdock.workflows.workflow",
    "workflow": "chatdock.workflows.registry",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: the protocol's types cost 0.3 s, which `chatdock --help` need not pay.
    if home := _HOMES.get(name):
        from importlib import import_module

        return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
