"""`/deployments/chatkit/…` and `/chatkit.js`: the `<openai-chatkit>` element, for pages of any origin."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request, Response

from chatdock.api.errors import RouteNotFound
from chatdock.errors import Unavailable, clip
from chatdock.web import COMPONENT
from chatdock.web.manifest import PATH, NotBuilt, read_manifest

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATED = "no-cache"
TYPES = {"js": "text/javascript", "txt": "text/plain"}
RETRY_SECONDS = 30

router = APIRouter(include_in_schema=False)
_METHODS = ["GET", "HEAD"]


@router.api_route("/chatkit.js", methods=_METHODS)
def script(request: Request) -> Response:
    """The classic script at a short address."""
    return component_file(request, "chatkit.js")


@router.api_route("/chunks-{build}/{chunk}", methods=_METHODS)
def chunk_of_script(request: Request, build: str, chunk: str) -> Response:
    """What the script at the short address loads later, from beside itself."""
    return component_file(request, f"chunks-{build}/{chunk}")


@router.api_route(f"{PATH}{{name:path}}", methods=_METHODS)
def component_file(request: Request, name: str) -> Response:
    """A file of the build; with a hash in its name it never changes, else it is asked for again each time."""
    try:
        manifest = read_manifest()
        if name not in manifest.etags:
            raise RouteNotFound(f"Invalid URL ({request.method} {clip(request.url.path, 200)}).", code="unknown_url")
        zipped = _takes_gzip(request.headers.get("accept-encoding", ""))
        content = (COMPONENT / (f"{name}.gz" if zipped else name)).read_bytes()
    except (NotBuilt, FileNotFoundError):
        raise Unavailable(str(NotBuilt()), code="component_not_built", retry_after=RETRY_SECONDS) from None
    etag = f'"{manifest.etags[name]}{"-gz" if zipped else ""}"'
    headers = {
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
        "cache-control": IMMUTABLE if manifest.is_named_by_hash(name) else REVALIDATED,
        "etag": etag,
        "vary": "accept-encoding",
    }
    if etag in re.findall(r'"[^"]*"', request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    if zipped:
        headers["content-encoding"] = "gzip"
    return Response(content, headers=headers, media_type=TYPES[name.rpartition(".")[2]])


def _takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` allows gzip: named, or by `*`, and not with a weight of zero."""
    weights = {}
    for entry in accepted.lower().split(","):
        coding, _, weight = entry.partition(";")
        weights[coding.strip()] = re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight) is None
    return weights.get("gzip", weights.get("*", False))
