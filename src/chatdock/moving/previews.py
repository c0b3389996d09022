"""Previews of the images that users attached at hosted ChatKit: the only bytes of attachments that its API leads to.

A message holds a link to each, signed for a short time, so they are fetched while its thread is read once more.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from chatdock.files.pictures import type_of
from chatdock.moving.hosted import HostedError, Unanswered, Unreadable, first
from chatdock.storage import imports, items, threads
from chatdock.storage.threads import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from chatdock.moving.hosted import Hosted
    from chatdock.storage.database import Database, Tx

THREADS = 100
"""How many threads are looked up at once."""
ITEMS = 500
"""How many items of a thread are held at once."""
PARTIAL = ".partial"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(slots=True)
class Previews:
    """What became of the previews."""

    kept: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    """Attachments of which there is no preview to keep, by reason."""
    failed: dict[str, str] = field(default_factory=dict)
    """Threads and attachments that could not be read now, and why."""
    stopped: str | None = None
    """Why nothing was fetched from there on."""

    @property
    def complete(self) -> bool:
        """Whether every preview was kept that there is."""
        return not self.failed and self.stopped is None


async def fetch_previews(
    database: Database,
    hosted: Hosted,
    folder: Path,
    scope: Scope,
    *,
    concurrency: int = 4,
    report: Callable[[Previews], None] = lambda previews: None,
) -> Previews:
    """Keep each preview as `folder/ATTACHMENT_ID.png`, or `jpeg`, `gif`, `webp`; those that are there stay.

    Of threads of the scope that were imported. What stops it is told in what is returned.
    """
    previews = Previews()
    places = asyncio.Semaphore(concurrency)

    async def fetch(thread_id: str, wanted: set[str]) -> None:
        async with places:
            try:
                await _fetch(hosted, folder, thread_id, wanted, previews)
            except Unreadable as error:
                previews.failed[thread_id] = str(error)
            report(previews)

    after = ""
    try:
        there = await asyncio.to_thread(_there, folder)
        while found := await database.read(lambda tx, after=after: _with_attachments(tx, scope, after)):  # type: ignore[misc]
            async with asyncio.TaskGroup() as group:
                for thread_id, attachments in found.items():
                    if wanted := attachments - there:
                        group.create_task(fetch(thread_id, wanted))
            after = next(reversed(found))
    except* (HostedError, OSError) as errors:
        previews.stopped = str(first(errors))
    return previews


def _there(folder: Path) -> set[str]:
    folder.mkdir(parents=True, exist_ok=True)
    return {path.stem for path in folder.iterdir() if path.suffix != PARTIAL}


async def _fetch(hosted: Hosted, folder: Path, thread_id: str, wanted: set[str], previews: Previews) -> None:
    async for page in hosted.items(thread_id, None):
        for attachment_id, url in _links(page.data):
            if attachment_id not in wanted:
                continue
            try:
                if url is None:
                    raise Unreadable("there is none")
                if not _NAME.fullmatch(attachment_id):
                    raise Unreadable("the attachment's id is no name of a file")
                data = await hosted.download(url)
                kind = type_of(data)
                if kind is None:
                    raise Unreadable("it is no PNG, JPEG, GIF or WebP, whatever it says")
            except Unanswered as error:
                previews.failed[attachment_id] = str(error)
                continue
            except Unreadable as error:
                previews.missing[str(error)] += 1
                continue
            partial = folder / f"{attachment_id}{PARTIAL}"
            partial.write_bytes(data)
            partial.replace(partial.with_suffix(f".{kind.removeprefix('image/')}"))
            previews.kept += 1


def _links(entries: list[dict[str, Any]]) -> Iterator[tuple[str, str | None]]:
    """Attachments and the links to their previews."""
    for entry in entries:
        match entry:
            case {"type": "chatkit.user_message", "attachments": [*attachments]}:
                for attachment in attachments:
                    match attachment:
                        case {"id": str(attachment_id), "preview_url": str(url)}:
                            yield attachment_id, url
                        case {"id": str(attachment_id)}:
                            yield attachment_id, None


async def _with_attachments(tx: Tx, scope: Scope, after: str) -> dict[str, set[str]]:
    """The attachments of some threads that were imported, by the ids of both, beyond the thread with the id `after`."""
    found: dict[str, set[str]] = {}
    for row in await imports.page(tx, scope.project_id, after=after, count=THREADS):
        thread_id = row["thread_id"]
        attachments: set[str] = set()
        found[thread_id] = attachments
        if await threads.by_id(tx, scope, thread_id) is None:
            continue
        last = None
        while page := await items.page(tx, thread_id, order="asc", count=ITEMS, after=last):
            for item in page:
                if item["type"] == "user_message":
                    attachments.update(file["id"] for file in orjson.loads(item["data"]).get("attachments", ()))
            last = page[-1]
    return found
