"""What an import did, in words for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chatdock.moving import file_import, hosted_import
    from chatdock.moving.previews import Previews

_HOSTED: dict[hosted_import.Outcome, str] = {
    "new": "new",
    "newer": "had newer items",
    "unchanged": "had nothing new",
    "read": "had been read already",
    "continued": "left alone: continued here since they were imported",
    "parted": "left alone: continued here since they were imported, and at the source too",
    "deleted": "left alone: deleted here since they were imported",
    "other": "left alone: here already, from elsewhere",
    "elsewhere": "left alone: here already, in another project",
    "gone": "deleted at the source meanwhile",
}
_FILE: dict[file_import.Outcome, str] = {
    "new": "new",
    "here": "left alone: here already",
    "elsewhere": "left alone: here already, in another project",
}


def hosted(tally: hosted_import.Tally, *, dry_run: bool) -> Iterator[str]:
    """Lines about an import from hosted ChatKit."""
    done = "Read, and stored nothing" if dry_run else "Imported"
    yield f"{done}: {tally.items:,} items of {tally.threads['new'] + tally.threads['newer']:,} threads."
    for outcome, words in _HOSTED.items():
        if count := tally.threads[outcome]:
            yield f"  {count:,} threads {words}"
            if outcome == "parted":
                yield from (f"    {thread_id}" for thread_id in tally.parted)
    if tally.left_out:
        yield "Could not be carried over:" if dry_run else "Could not be carried over, all imports taken together:"
        for kind, count in tally.left_out.most_common():
            yield f"  {count:,} {kind}"
    if tally.failed:
        yield f"{len(tally.failed):,} threads could not be read to their end:"
        for thread_id, reason in tally.failed.items():
            yield f"  {thread_id}: {reason}"
    if tally.stopped is not None:
        yield f"Stopped: {tally.stopped}"
    if not tally.complete and not dry_run:
        yield "Start it again: it goes on where it is now."


def previews(previews: Previews, folder: Path) -> Iterator[str]:
    """Lines about the previews of attachments."""
    yield f"Previews: {previews.kept:,} kept in {folder}."
    for reason, count in previews.missing.most_common():
        yield f"  {count:,} attachments without one: {reason}"
    for name, reason in previews.failed.items():
        yield f"  {name} could not be read: {reason}"
    if previews.stopped is not None:
        yield f"Stopped: {previews.stopped}"
    if not previews.complete:
        yield "Start it again: what is kept is not fetched again."


def file(tally: file_import.Tally) -> Iterator[str]:
    """Lines about an import from a file."""
    yield f"Imported: {tally.items:,} items of {tally.threads['new']:,} threads."
    for outcome, words in _FILE.items():
        if count := tally.threads[outcome]:
            yield f"  {count:,} threads {words}"
    if tally.stopped is not None:
        yield f"Stopped: {tally.stopped.removesuffix('.')}. What is counted above was whole, and is stored."
