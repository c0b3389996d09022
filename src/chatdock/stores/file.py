"""chatkit-python's `AttachmentStore` on a folder or a bucket."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from chatkit.store import AttachmentStore, NotFoundError, Store, TContext
from chatkit.types import (
    Attachment,
    AttachmentCreateParams,
    AttachmentUploadDescriptor,
    FileAttachment,
    ImageAttachment,
)
from pydantic import AnyUrl
from starlette.exceptions import HTTPException

from chatdock.errors import NotFound
from chatdock.files import name
from chatdock.files.blobs import Blobs
from chatdock.files.links import Grant, Links
from chatdock.files.pictures import RASTER_TYPES
from chatdock.protocol import ids
from chatdock.stores.door import door
from chatdock.stores.sql import SQLStore, named

if TYPE_CHECKING:
    import os

    from starlette.types import ASGIApp

MAX_BYTES = 20 * 1024 * 1024
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_KEY = re.compile(rf"[0-9a-f]{{32}}/{_ID.pattern}")


class FileStore(AttachmentStore[TContext]):
    """Files that come with messages: the browser gets a signed link, sends the bytes there, and the server reads them.

    `location` is a folder's path, or an obstore URL such as `s3://bucket/prefix`. `url` is the public address under
    which the app serves `files.app`. `secret` signs the links; with several, the first one signs and all are accepted.
    `store` keeps the attachments' records and says whose they are; `user` takes the user's id out of the context.

    Upload and download links are good for `link_seconds`. A preview's address is part of the stored message, so it is
    good as long as the file is there, unless `preview_seconds` says otherwise: whoever has it sees the picture.
    """

    def __init__(
        self,
        location: str | os.PathLike[str],
        *,
        url: str,
        secret: str | Sequence[str],
        store: Store[TContext],
        user: Callable[[TContext], str],
        max_bytes: int = MAX_BYTES,
        link_seconds: int = 300,
        preview_seconds: int | None = None,
    ) -> None:
        self._blobs = Blobs(location)
        self._links = Links(url, secret)
        self._store = store
        self._user = user
        self._max_bytes = max_bytes
        self._link_seconds = link_seconds
        self._preview_seconds = preview_seconds
        self.app: ASGIApp = door(self._blobs, self._links, self._uploaded)

    def generate_attachment_id(self, mime_type: str, context: TContext) -> str:
        """`cfile_…`, with 96 random bits."""
        return ids.attachment_id()

    async def create_attachment(self, input: AttachmentCreateParams, context: TContext) -> Attachment:  # noqa: A002
        """The attachment of a file to come, with the link to send it to, by PUT.

        PNG, JPEG, GIF and WebP are images and get a preview; everything else is a file. An `HTTPException` (413, 400)
        when it is too large or its media type is none.
        """
        if not 0 <= input.size <= self._max_bytes:
            raise HTTPException(413, f"The file has {input.size} bytes; at most {self._max_bytes} are allowed.")
        media_type = input.mime_type.partition(";")[0].strip().lower() or "application/octet-stream"
        if not _MEDIA_TYPE.fullmatch(media_type):
            raise HTTPException(400, "mime_type must be a media type, for example text/plain.")
        attachment_id = self.generate_attachment_id(media_type, context)
        file: dict[str, Any] = {
            "key": self._key(attachment_id, context),
            "size": input.size,
            "type": media_type,
            "name": name.clean(input.name),
        }
        upload = self._links.sign(Grant(method="PUT", expires=_in(self._link_seconds), **file))
        shared: dict[str, Any] = {
            "id": attachment_id,
            "name": file["name"],
            "mime_type": media_type,
            "upload_descriptor": AttachmentUploadDescriptor(
                url=AnyUrl(upload), method="PUT", headers={"Content-Type": media_type}
            ),
        }
        if media_type not in RASTER_TYPES:
            return FileAttachment(**shared)
        preview = self._links.sign(Grant(method="GET", inline=True, expires=_in(self._preview_seconds), **file))
        return ImageAttachment(**shared, preview_url=AnyUrl(preview))

    async def read(self, attachment_id: str, context: TContext) -> bytes:
        """A file's bytes; `NotFoundError` when the user has no such attachment, or its bytes never came."""
        await self._store.load_attachment(attachment_id, context)
        try:
            return await self._blobs.read(self._key(attachment_id, context))
        except FileNotFoundError:
            raise NotFoundError(f"Attachment '{attachment_id}' was not uploaded") from None

    async def download_url(self, attachment_id: str, context: TContext) -> str:
        """A link by which a browser saves the file; `NotFoundError` when the user has no such attachment."""
        attachment = await self._store.load_attachment(attachment_id, context)
        grant = Grant(
            method="GET",
            key=self._key(attachment_id, context),
            type=attachment.mime_type,
            name=name.clean(attachment.name),
            expires=_in(self._link_seconds),
        )
        return self._links.sign(grant)

    async def delete_attachment(self, attachment_id: str, context: TContext) -> None:
        """Delete a file's bytes; `NotFoundError` when the user has no such attachment. The record is the store's."""
        await self._store.load_attachment(attachment_id, context)
        await self._blobs.delete(self._key(attachment_id, context))

    async def sweep(self, unsent_after: timedelta = timedelta(days=1)) -> int:
        """Delete attachments that no message took in time, and bytes whose attachment is gone; returns the files.

        Deleting a thread leaves the bytes of its files to this. It needs an `SQLStore`, and a `location` whose files
        have their records in that store's database, all of them.
        """
        if not isinstance(self._store, SQLStore):
            raise TypeError("sweep() needs an SQLStore: no other store says which attachments are gone")
        await self._store.forget_unsent_attachments(datetime.now(UTC) - unsent_after)
        swept = 0
        async for keys in self._blobs.keys():
            # Whatever else lies there is not ours.
            by_id = {key.rpartition("/")[2]: key for key in keys if _KEY.fullmatch(key)}
            for gone in await self._store.without_record(by_id):
                await self._blobs.delete(by_id[gone])
                swept += 1
        return swept

    async def _uploaded(self, key: str) -> None:
        """The bytes are there. If the attachment was deleted meanwhile, they go too: `NotFound`."""
        if not isinstance(self._store, SQLStore):
            return  # it takes a context to ask it, and an upload has none
        attachment_id = key.rpartition("/")[2]
        if not await self._store.attachment_uploaded(attachment_id):
            await self._blobs.delete(key)
            raise NotFound("Attachment", attachment_id)

    def _key(self, attachment_id: str, context: TContext) -> str:
        """Where the bytes lie: each user's in a folder of their own, so that a foreign id leads nowhere."""
        user = named("user", self._user(context))
        if not _ID.fullmatch(attachment_id):
            raise NotFoundError("Attachment ids are letters, digits, '_' and '-'")
        return f"{hashlib.sha256(user.encode()).hexdigest()[:32]}/{attachment_id}"


def _in(seconds: int | None) -> int | None:
    return None if seconds is None else int(time.time()) + seconds
