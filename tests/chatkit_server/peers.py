"""The same server twice: run by chatkit-python's own `process()`, and hosted by Chatdock. It has to do the same."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.reference import MemoryStore
from chatkit.server import ChatKitServer, StreamingResult
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from chatdock import Turn as HostedTurn
from chatdock import workflow
from chatdock.protocol.frames import ITEM
from chatdock.storage import items
from tests.harness.asgi import running
from tests.harness.client import Chat, Json, Turn
from tests.harness.server import ThreadServer, serving

Context = dict[str, Any]
Server = type[ChatKitServer[Context]]
Play = Callable[[Chat], list[Turn]]
UNTITLED: Json = {"chatkit_configuration": {"automatic_thread_titling": {"enabled": False}}}
"""Titling is Chatdock's own; chatkit-python leaves threads untitled unless the server titles them."""


def context_of(turn: HostedTurn) -> Context:
    """What the servers of these tests were written for."""
    return {"user_id": turn.user}


@contextmanager
def hosted(tmp_path: Path, server: Any, **options: Any) -> Iterator[ThreadServer]:
    """Chatdock with the server as `wf_test`; `options` are those of `workflow()`."""
    with serving(tmp_path, [workflow("wf_test", **{"context": context_of, **options})(server)]) as running_server:
        yield running_server


@contextmanager
def stock(server: ChatKitServer[Context]) -> Iterator[Chat]:
    """chatkit-python's own endpoint around a server, as its documentation writes it."""

    async def endpoint(request: Request) -> Response:
        result = await server.process(await request.body(), {"user_id": "ada"})
        if isinstance(result, StreamingResult):
            return StreamingResponse(result, media_type="text/event-stream")
        return Response(result.json, media_type="application/json")

    app = Starlette(routes=[Route("/v1/chatkit/conversation", endpoint, methods=["POST"])])
    with running(app) as url:
        chat = Chat(url, "unused")
        yield chat
        chat.http.close()


def played_twice(tmp_path: Path, server: Server, play: Play, *, same_events: bool = True) -> list[Turn]:
    """Play against both; the turns under Chatdock. Items, titles and events were the same, ids and times aside."""
    takes_store = "store" in inspect.signature(server).parameters
    own = server(MemoryStore()) if takes_store else server()  # type: ignore[call-arg]
    with stock(own) as chat:
        expected = play(chat)
    assert isinstance(own.store, MemoryStore)
    thread_id = expected[0].thread_id
    kept = [as_read(ITEM.dump_json(item)) for item in own.store.items[thread_id].values()]
    title = own.store.threads[thread_id].title

    with hosted(tmp_path, server) as hosting:
        played = play(hosting.backend.chat("ada", **UNTITLED))
        hosting_id = played[0].thread_id
        stored = stored_items(hosting, hosting_id)
        assert hosting.backend.get(f"threads/{hosting_id}")["title"] == title

    assert without_ids(stored) == without_ids(kept)
    for turn, wanted in zip(played, expected, strict=True):
        assert turn.text == wanted.text
        assert not same_events or shown(turn) == shown(wanted)
    return played


def stored_items(server: ThreadServer, thread_id: str) -> list[Json]:
    """Every item of a thread as it lies in Chatdock's database, hidden ones too."""

    async def load() -> list[Json]:
        rows = await server.world.database.read(lambda tx: items.page(tx, thread_id, order="asc", count=1000))
        return [as_read(row["data"]) for row in rows]

    return server.call(load)


def as_read(item: bytes | str) -> Json:
    """An item as it is read from a store, with every field's default."""
    read: Json = ITEM.dump_python(ITEM.validate_json(item), mode="json", exclude_none=True)
    return read


def shown(turn: Turn) -> list[str]:
    """The kinds of events in their order. Text may come in other pieces, and a thread's news a moment later."""
    return [kind for kind, _ in groupby(turn.types) if kind != "thread.updated"]


def without_ids(tree: Any) -> Any:
    """The same with ids numbered by their first appearance and without times."""
    numbers: dict[str, int] = {}

    def walk(node: Any, name: str = "") -> Any:
        if isinstance(node, dict):
            return {key: walk(value, key) for key, value in node.items() if key != "created_at"}
        if isinstance(node, list):
            return [walk(entry) for entry in node]
        if name in {"id", "thread_id"} and re.fullmatch(
            r"(thr|msg|wf|tc|tsk|shcx|cthr|cti)_[0-9a-f]{8,}|__fake_id__", str(node)
        ):
            return numbers.setdefault(node, len(numbers))
        return node

    return walk(tree)
