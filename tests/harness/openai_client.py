"""Clients of model endpoints for agents of a `ThreadServer`, closed on its loop before that ends."""

from __future__ import annotations

from typing import Any

from openai import AsyncOpenAI, DefaultAsyncHttpxClient

_open: list[AsyncOpenAI] = []


def openai_client(url: str, **options: Any) -> AsyncOpenAI:
    """A client that asks `url`, and once only unless `options` say otherwise."""
    http = DefaultAsyncHttpxClient(verify=False)
    client = AsyncOpenAI(**{"base_url": url, "api_key": "none", "max_retries": 0, "http_client": http, **options})
    _open.append(client)
    return client


async def close_clients() -> None:
    """Close what is open: a connection that outlives its loop is complained about in some later test."""
    while _open:
        await _open.pop().close()
