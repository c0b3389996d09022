"""Which servers can be workflows, and what is said of those that cannot, at start and not at a first message."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from bench.reference import MemoryStore
from chatkit.server import ChatKitServer
from chatkit.store import AttachmentStore, Store
from chatkit.types import ThreadMetadata, ThreadStreamEvent, UserMessageItem
from structlog.testing import capture_logs

from chatdock import workflow
from chatdock.workflows.chatkit_server import ServerAdapter
from chatdock.workflows.workflow import WorkflowError
from tests.chatkit_server.peers import Context
from tests.chatkit_server.shapes import Events


class Silent(ChatKitServer[Context]):
    """Says nothing."""

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> Events:
        for event in list[ThreadStreamEvent]():
            yield event


class WithItsOwn(Silent):
    def __init__(self) -> None:
        super().__init__(MemoryStore())


class Given(Silent):
    def __init__(self, data_store: Store[Context], attachment_store: AttachmentStore[Context] | None) -> None:
        super().__init__(data_store, attachment_store)


class Defaulting(Silent):
    def __init__(self, store: Store[Context] | None = None, **settings: Any) -> None:
        super().__init__(store or MemoryStore())


def server_of(target: Any) -> ChatKitServer[Any]:
    """The server that a registration came to."""
    adapter = workflow("wf_test")(target).adapter
    assert isinstance(adapter, ServerAdapter)
    return adapter.server


@pytest.mark.parametrize("target", [Silent, WithItsOwn, Given, Defaulting, Silent(MemoryStore()), WithItsOwn()])
def test_a_class_or_an_instance_gets_chatdocks_store(target: Any) -> None:
    server = server_of(target)
    with pytest.raises(RuntimeError, match="belongs to the turn"):
        asyncio.run(server.store.load_threads(10, None, "asc", {}))
    assert server.attachment_store is None
    assert server_of(server) is server


class NeedsMore(Silent):
    def __init__(self, store: Store[Context], region: str) -> None:
        super().__init__(store)


class Breaks(Silent):
    def __init__(self) -> None:
        raise KeyError("REGION")


class Unfinished(ChatKitServer[Context]):
    pass


class NoGenerator(ChatKitServer[Context]):
    async def respond(  # type: ignore[override]
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> None:
        return None


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (NeedsMore, r"NeedsMore\(\) needs 'region', .*register an instance: workflow\('wf_…'\)\(NeedsMore\(…\)\)"),
        (Breaks, r"Breaks\(\) fails with KeyError: 'REGION'; register an instance"),
        (Unfinished, r"Unfinished lacks respond\(\)"),
        (NoGenerator, r"NoGenerator.respond\(\) is not an async generator: it needs a `yield`"),
        (MemoryStore, r"MemoryStore is no kind of workflow .*a ChatKitServer"),
    ],
)
def test_a_server_that_cannot_be_made_is_refused_with_its_reason(target: Any, message: str) -> None:
    with pytest.raises(WorkflowError, match=message):
        workflow("wf_test")(target)


class Rewritten(Silent):
    """Overrides what its author's endpoint called, and one method that Chatdock calls."""

    async def process(self, request: Any, context: Context) -> Any:
        raise AssertionError

    async def _process_streaming_impl(self, request: Any, context: Context) -> Any:
        yield await self.process(request, context)

    async def add_feedback(self, *_: Any) -> None:
        return None


def test_methods_that_are_overridden_in_vain_are_named_at_start() -> None:
    patched: Any = Silent(MemoryStore())
    patched._process_events = None
    with capture_logs() as logs:
        workflow("wf_rewritten")(Rewritten)
        workflow("wf_patched")(patched)
        workflow("wf_silent")(Silent)
    assert [(entry["workflow"], entry["server"], entry["methods"]) for entry in logs] == [
        ("wf_rewritten", "Rewritten", "process, _process_streaming_impl"),
        ("wf_patched", "Silent", "_process_events"),
    ]


def test_what_an_instance_is_given_counts_as_overridden() -> None:
    server: Any = Silent(MemoryStore())
    server.action = server.respond
    assert workflow("wf_test")(server).on_action is not None
    assert workflow("wf_test")(Silent).on_action is None


def test_a_server_knows_one_option() -> None:
    with pytest.raises(WorkflowError, match="no option 'contxt' for a ChatKitServer: its options are context"):
        workflow("wf_test", contxt=None)(Silent)


def test_a_plain_workflow_imports_neither_chatkits_server_nor_the_stores() -> None:
    code = (
        "import sys\nfrom chatdock import workflow\n"
        "@workflow('wf_plain')\nasync def plain(turn):\n    yield ''\n"
        "assert not {'chatkit.server', 'agents', 'chatdock.stores.sql'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
