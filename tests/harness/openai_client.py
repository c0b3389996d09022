"""Clients of model endpoints for agents of a `ThreadServer`, closed on its loop before that ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # half a second, which a server that has no agent can do without
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

_open: list[DefaultAsyncHttpxClient] = []


def http_client() -> DefaultAsyncHttpxClient:
    """What such a client sends its requests with."""
    from openai import DefaultAsyncHttpxClient

    client = DefaultAsyncHttpxClient(verify=False)
    _open.append(client)
    return client


def openai_client(url: str, **options: Any) -> AsyncOpenAI:
    """A client that asks `url`, and once only unless `options` say otherwise."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(
        **{"base_url": url, "api_key": "none", "max_retries": 0, "http_client": http_client(), **options}
    )


async def close_clients() -> None:
    """Close what is open: a connection that outlives its loop is complained about in some later test."""
    while _open:
        await _open.pop().aclose()
