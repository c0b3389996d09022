"""Where files come in and go out: an ASGI app that serves signed links, and nothing without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from chatdock.errors import ApiError, Conflict, InvalidRequest, NotFound, PayloadTooLarge
from chatdock.files import name, pictures

if TYPE_CHECKING:
    from chatdock.files.blobs import Blobs
    from chatdock.files.links import Grant, Links

STALL_SECONDS = 30.0
"""Silence after which an upload is given up."""

_SAFE_HEADERS = {
    # Whatever a file holds, a browser runs none of it: it is saved, or shown as the picture that it is.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",  # the page that shows a preview may be of another origin
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, max-age=3600",
}


def door(blobs: Blobs, links: Links, uploaded: Callable[[str], Awaitable[None]]) -> Starlette:
    """The app: PUT takes a file and GET gives it, each by a link for just that. `uploaded` gets a new blob's key."""

    async def put(request: Request) -> Response:
        grant = links.verify(request.path_params["token"], "PUT")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) != grant.size:
            raise _wrong_size(grant, int(declared))
        if await blobs.exists(grant.key):
            raise Conflict("The file was uploaded already.", code="already_uploaded")
        try:
            await blobs.put(grant.key, _checked(request.stream(), grant))
        except ClientDisconnect as error:
            raise InvalidRequest("The upload broke off.", code="upload_incomplete") from error
        await uploaded(grant.key)
        return Response(status_code=204)

    async def get(request: Request) -> Response:
        grant = links.verify(request.path_params["token"], "GET")
        try:
            size, chunks = await blobs.open(grant.key)
        except FileNotFoundError:
            raise NotFound("File", grant.key.rpartition("/")[2]) from None
        headers = {
            **_SAFE_HEADERS,
            "Content-Type": grant.type,
            "Content-Length": str(size),
            "Content-Disposition": name.disposition(grant.name, inline=grant.inline),
        }
        return StreamingResponse(chunks, headers=headers)

    routes = [Route("/{token}", put, methods=["PUT"]), Route("/{token}", get, methods=["GET"])]
    return Starlette(routes=routes, exception_handlers={ApiError: _refusal})


async def _checked(stream: AsyncIterator[bytes], grant: Grant) -> AsyncIterator[bytes]:
    """What the client sends, as long as it is what the grant says."""
    received, head, known = 0, b"", grant.type not in pictures.RASTER_TYPES
    while True:
        try:
            async with asyncio.timeout(STALL_SECONDS):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            raise InvalidRequest(f"Nothing came for {STALL_SECONDS:g} s.", code="upload_incomplete") from error
        if chunk is None:
            break
        received += len(chunk)
        if received > grant.size:
            raise _wrong_size(grant, received)
        if not known:
            head += chunk
            if len(head) < pictures.HEAD_BYTES:
                continue
            chunk, known = head, True
            _refuse_another_picture(head, grant)
        yield chunk
    if received != grant.size:
        raise _wrong_size(grant, received)
    if not known:
        _refuse_another_picture(head, grant)
        yield head


def _refuse_another_picture(head: bytes, grant: Grant) -> None:
    if pictures.type_of(head) != grant.type:
        raise InvalidRequest(f"The file does not begin as {grant.type} does.", code="wrong_type")


def _wrong_size(grant: Grant, received: int) -> ApiError:
    if received > grant.size:
        return PayloadTooLarge(f"The file was announced with {grant.size} bytes; more came.", code="file_too_large")
    return InvalidRequest(f"The file was announced with {grant.size} bytes; {received} came.", code="upload_incomplete")


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    # The rest of a refused upload, which may have no end, is not waited for.
    closing = {"Connection": "close"} if request.method == "PUT" else {}
    return JSONResponse(error.envelope(), error.status, {**error.headers, **closing})
