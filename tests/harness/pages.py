"""An application's own server: pages under a strict content security policy, and sessions for them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Router

from tests.harness.client import Backend

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A page with a chat</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
{head}
</head>
<body>
<header><h1>A page with a chat</h1></header>
<main id="host"></main>
{body}
</body>
</html>
"""
STYLE = """
html, body, #host { height: 100%; margin: 0; }
h1 { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); }
openai-chatkit { display: block; height: 100%; }
"""
SCRIPT = """
"use strict";
const calls = (window.calls = []);
const record = (name, ...given) => void calls.push([name, ...given]);
const mint = async (query) => (await (await fetch("/secret?" + query, { method: "POST" })).json()).client_secret;
const hosted = {
  getClientSecret: async (current) => {
    record("getClientSecret", current);
    return mint(new URLSearchParams({query}).toString());
  },
  ...{url},
};
const makeOptions = () => ({ api: hosted, ...({options}) });
const chat = (window.chat = document.createElement("openai-chatkit"));
chat.id = "chat";
chat.setOptions(makeOptions());
document.getElementById("host").append(chat);
"""


class Pages:
    """An ASGI application: a table of paths, and `/secret`, which makes sessions with an API key."""

    def __init__(self, script: str = "") -> None:
        self.router = Router()
        self.backend: Backend | None = None
        self.script = script
        """Where the component is loaded from."""
        self.sessions: list[dict[str, Any]] = []
        """Those that `/secret` made."""
        self._numbers = itertools.count(1)
        self.put("/page.css", STYLE, "text/css")
        self.route("/secret", self._mint, "POST")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        await self.router(scope, receive, send)

    def route(self, path: str, answer: Callable[[Request], Awaitable[Response] | Response], *methods: str) -> None:
        """Let `answer` answer at a path."""
        self.router.add_route(path, answer, list(methods) or ["GET"])

    def put(self, path: str, body: str | bytes, media_type: str, headers: dict[str, str] | None = None) -> None:
        """Serve something."""
        kept = {"cache-control": "no-store", **(headers or {})}

        async def answer(_request: Request) -> Response:
            return Response(body, media_type=media_type, headers=kept)

        self.route(path, answer)

    def put_chat(self, options: str, query: dict[str, str], *, url: str | None = None, policy: str | None) -> str:
        """A page with the component, and the path where it lies now.

        `options` is a JavaScript expression; in its scope `record(name, …)` is what `ChatPage.calls` reads, and
        `hosted` is an `api` whose secrets come from `/secret` with `query`; its endpoint is `url`, if there is one.
        """
        path = f"/page/{next(self._numbers)}"
        script = SCRIPT.replace("{query}", json.dumps(query)).replace("{url}", json.dumps({"url": url} if url else {}))
        script = script.replace("{options}", options)
        self.put(f"{path}.js", script, "text/javascript")
        html = PAGE.format(head=f'<script src="{self.script}"></script>', body=f'<script src="{path}.js"></script>')
        self.put(path, html, "text/html", {"content-security-policy": policy} if policy else None)
        return path

    def _mint(self, request: Request) -> Response:
        assert self.backend is not None
        query = dict(request.query_params)
        members: dict[str, Any] = json.loads(query.pop("members", "{}"))
        session = self.backend.session(query.pop("user"), query.pop("workflow"), **members)
        self.sessions.append(session)
        return JSONResponse({"client_secret": session["client_secret"]})


def strict(*servers: str) -> str:
    """What a page must allow for the component of these servers, and no more."""
    server = " ".join(servers)
    return (
        f"default-src 'none'; script-src 'self' {server}; style-src 'self'; connect-src 'self' {server}; "
        f"img-src 'self' {server} data: blob:; font-src 'self'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types lit-html"
    )
