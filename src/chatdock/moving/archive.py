"""Threads as JSON Lines: the format that `chatdock export` writes and `chatdock import` reads.

    {"type":"header","format":"chatdock threads","version":1}
    {"type":"thread","id":"cthr_…","user":"user_1",…}        a thread, followed by what belongs to it
    {"type":"item","position":1,"data":{…}}                   its items, hidden ones too, as they are on the wire
    {"type":"feedback","item":"cti_…",…}
    {"type":"attachment","id":"cfile_…",…}
    {"type":"hosted","last_item_id":"cti_…",…}                how far it was read, if it came from hosted ChatKit
    {"type":"check","items":1,"sha256":"…"}                   its end
    {"type":"end","threads":1,"items":1,"sha256":"…"}         the file's end

A check holds the SHA-256 of every byte before it. So a thread is known to be whole before it can be seen, however long
the file is, and what comes after a cut or a changed byte is not stored. Times are microseconds since 1970 in UTC.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from chatdock.protocol.frames import ITEM

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = 1
HEADER = {"type": "header", "format": "chatdock threads", "version": VERSION}

_ITEM_LINE = re.compile(rb'\{"type":"item","position":(\d+),"data":(\{.*\})\}\n')


class Unusable(Exception):
    """The file ends too early, was changed, or is something else; the message names the line."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ThreadRecord(_Record):
    """A thread; metadata and state are what workflows keep."""

    type: Literal["thread"] = "thread"
    id: str
    user: str
    session: str
    created_at: int
    title: str | None
    status: Literal["active", "locked", "closed"]
    status_reason: str | None
    allowed_image_domains: list[str] | None
    metadata: dict[str, Any]
    state: dict[str, Any]
    next_position: int


class ItemRecord(_Record):
    """An item of the thread before it; `data` is its JSON on the wire, byte for byte."""

    position: int
    id: str
    kind: str
    data: str


class FeedbackRecord(_Record):
    """A verdict on an item."""

    type: Literal["feedback"] = "feedback"
    item: str
    user: str
    kind: Literal["positive", "negative"]
    created_at: int


class AttachmentRecord(_Record):
    """What is known about a file beside its bytes."""

    type: Literal["attachment"] = "attachment"
    id: str
    user: str
    data: dict[str, Any]
    created_at: int


class HostedRecord(_Record):
    """How far an import has read the thread at hosted ChatKit; the columns of `imported_thread`."""

    type: Literal["hosted"] = "hosted"
    last_item_id: str | None
    next_position: int
    left_out: dict[str, int]


class CheckRecord(_Record):
    """The end of a thread."""

    type: Literal["check"] = "check"
    items: int
    sha256: str


class EndRecord(_Record):
    """The end of the file."""

    type: Literal["end"] = "end"
    threads: int
    items: int
    sha256: str


Record = ThreadRecord | ItemRecord | FeedbackRecord | AttachmentRecord | HostedRecord | CheckRecord

_Other = ThreadRecord | FeedbackRecord | AttachmentRecord | HostedRecord | CheckRecord | EndRecord
_OTHERS: TypeAdapter[_Other] = TypeAdapter(Annotated[_Other, Field(discriminator="type")])


class Writer:
    """Writes the lines and counts them. What it holds is never more than one line."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._digest = hashlib.sha256()
        self._of_thread = 0
        self.threads = 0
        self.items = 0
        self._line(orjson.dumps(HEADER))

    def item(self, position: int, data: str) -> None:
        """One item of the thread that was begun last."""
        self._line(b'{"type":"item","position":%d,"data":%b}' % (position, data.encode()))
        self._of_thread += 1

    def record(self, record: ThreadRecord | FeedbackRecord | AttachmentRecord | HostedRecord) -> None:
        """A thread, or what belongs to it."""
        self._line(orjson.dumps(record.model_dump()))

    def end_thread(self) -> None:
        """All of the thread has been written."""
        self._line(orjson.dumps(CheckRecord(items=self._of_thread, sha256=self._digest.hexdigest()).model_dump()))
        self.threads += 1
        self.items += self._of_thread
        self._of_thread = 0

    def end(self) -> None:
        """All threads have been written."""
        record = EndRecord(threads=self.threads, items=self.items, sha256=self._digest.hexdigest())
        self._line(orjson.dumps(record.model_dump()))

    def _line(self, line: bytes) -> None:
        line += b"\n"
        self._digest.update(line)
        self._sink.write(line)


def read(source: BinaryIO) -> Iterator[Record]:
    """The records of a file after its header. A thread is whole once its check has come; `Unusable` when none comes."""
    return _Reader(source).records()


class _Reader:
    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._digest = hashlib.sha256()
        self._number = 0
        self._threads = 0
        self._items = 0

    def records(self) -> Iterator[Record]:
        lines = self._lines()
        self._header(next(lines, b""))
        thread: ThreadRecord | None = None
        of_thread = last = 0
        for line in lines:
            before = self._digest.hexdigest() if line.startswith((b'{"type":"check"', b'{"type":"end"')) else ""
            self._digest.update(line)
            record = self._parse(line)
            match record:
                case EndRecord():
                    if thread is not None or (record.threads, record.items) != (self._threads, self._items):
                        raise Unusable(f"line {self._number}: the file's end does not fit what came before it")
                    self._compare(record.sha256, before)
                    if next(lines, None) is not None:
                        raise Unusable(f"line {self._number}: something stands behind the file's end")
                    return
                case ThreadRecord():
                    if thread is not None:
                        raise Unusable(f"line {self._number}: a thread begins before the last one has ended")
                    thread, of_thread, last = record, 0, -1
                case _ if thread is None:
                    raise Unusable(f"line {self._number}: a thread should begin here")
                case ItemRecord():
                    if not last < record.position < thread.next_position:
                        raise Unusable(f"line {self._number}: the item's position is out of order")
                    of_thread, last = of_thread + 1, record.position
                case CheckRecord():
                    self._compare(record.sha256, before)
                    if record.items != of_thread:
                        raise Unusable(f"line {self._number}: the thread had {record.items} items, not {of_thread}")
                    thread = None
                    self._threads += 1
                    self._items += of_thread
                case _:
                    pass
            yield record
        raise Unusable(f"the file was cut after line {self._number}")

    def _lines(self) -> Iterator[bytes]:
        while True:
            try:
                line = self._source.readline()
            except (EOFError, OSError, zlib.error) as error:  # a compressed file that was cut or damaged
                raise Unusable(f"the file cannot be read beyond line {self._number}: {error}") from error
            if not line:
                return
            if not line.endswith(b"\n"):
                raise Unusable(f"the file was cut in line {self._number + 1}")
            self._number += 1
            yield line

    def _header(self, line: bytes) -> None:
        try:
            header = orjson.loads(line)
        except orjson.JSONDecodeError:
            header = None
        if not isinstance(header, dict) or header.get("format") != HEADER["format"]:
            raise Unusable("this is not a file that `chatdock export` wrote")
        if header != HEADER:
            raise Unusable(
                f"the file has format version {header.get('version')}; this version of Chatdock reads {VERSION}"
            )
        self._digest.update(line)

    def _parse(self, line: bytes) -> Record | EndRecord:
        try:
            if match := _ITEM_LINE.fullmatch(line):
                item = ITEM.validate_json(match[2])
                return ItemRecord(position=int(match[1]), id=item.id, kind=item.type, data=match[2].decode())
            return _OTHERS.validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            told = f"{where}: {first['msg']}" if where else "it is not as `chatdock export` writes it"
            raise Unusable(f"line {self._number}: {told}") from error

    def _compare(self, told: str, found: str) -> None:
        if told != found:
            raise Unusable(f"line {self._number}: a line before it was changed")
