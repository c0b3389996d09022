"""Bytes under keys, in a folder or a bucket."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from obstore.store import ObjectStore

_PART = 5 * 1024 * 1024  # the smallest part that S3 takes
_PARTS_UNDER_WAY = 2
_CHUNK = 256 * 1024


class Blobs:
    """A folder's path, or an obstore URL: `file:///…`, `s3://bucket/prefix`, `gs://…`, `az://…`, `memory:///`.

    Credentials of buckets come from the environment, as obstore reads them. A missing blob is `FileNotFoundError`.
    """

    def __init__(self, location: str | os.PathLike[str]) -> None:
        try:
            from obstore.store import LocalStore, from_url
        except ImportError as error:
            raise ImportError("files need obstore: pip install 'chatdock[files]'") from error
        place = os.fspath(location)
        self._store: ObjectStore
        if "://" not in place:
            self._store = LocalStore(place, mkdir=True)
        elif place.startswith("file://"):
            self._store = from_url(place, mkdir=True)
        else:
            self._store = from_url(place)

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Store what comes, in parts; when `chunks` raises, nothing is stored and the error is raised here."""
        import obstore

        await obstore.put_async(self._store, key, chunks, chunk_size=_PART, max_concurrency=_PARTS_UNDER_WAY)

    async def exists(self, key: str) -> bool:
        """Whether there is a blob under this key."""
        import obstore

        try:
            await obstore.head_async(self._store, key)
        except FileNotFoundError:
            return False
        return True

    async def open(self, key: str) -> tuple[int, AsyncIterator[bytes]]:
        """A blob's size and its bytes, chunk by chunk."""
        import obstore

        found = await obstore.get_async(self._store, key)

        async def chunks() -> AsyncIterator[bytes]:
            async for chunk in found.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)

        return found.meta["size"], chunks()

    async def read(self, key: str) -> bytes:
        """A whole blob."""
        import obstore

        return bytes(await (await obstore.get_async(self._store, key)).bytes_async())

    async def delete(self, key: str) -> None:
        """Delete a blob if it is there."""
        import obstore

        if await self.exists(key):
            await obstore.delete_async(self._store, key)

    async def keys(self) -> AsyncIterator[list[str]]:
        """The keys of all blobs, some at a time."""
        import obstore

        async for batch in obstore.list(self._store, chunk_size=500):
            yield [entry["path"] for entry in batch]
