"""Connects agents to the model endpoint and their MCP servers, and keeps the embedded model running for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from chatdock.model.endpoint import ModelEndpoint
    from chatdock.settings import Settings
    from chatdock.workflows.workflow import Workflow

OPENAI = "https://api.openai.com/v1"


@asynccontextmanager
async def equipped(workflows: Iterable[Workflow]) -> AsyncIterator[None]:
    """Hold what the workflows' agents need for as long as they answer; `WorkflowError` when it is not to be had."""
    agents = [agent for entry in workflows for agent in entry.adapter.agents]
    if not agents:
        yield
        return
    from chatdock.workflows.agents_sdk.mcp_servers import connected

    async with connected(agents):
        yield


def prepare(endpoint: ModelEndpoint, workflows: Iterable[Workflow], settings: Settings) -> None:
    """Look that the endpoint can do what the workflows need; `WorkflowError` when it cannot. Nothing is contacted."""
    for entry in workflows:
        entry.adapter.prepare(responses=speaks_responses(endpoint, settings), openai=is_openai(endpoint))


def is_openai(endpoint: ModelEndpoint) -> bool:
    """Whether the endpoint is OpenAI's own."""
    host = urlsplit(endpoint.base_url or OPENAI).hostname or ""
    return not endpoint.embedded and f".{host}".endswith(".openai.com")


def speaks_responses(endpoint: ModelEndpoint, settings: Settings) -> bool:
    """Whether the endpoint is asked over the Responses API."""
    if settings.model_api == "auto":
        return endpoint.base_url is None and not endpoint.embedded
    return settings.model_api == "responses"


@asynccontextmanager
async def connected(endpoint: ModelEndpoint, workflows: Iterable[Workflow], settings: Settings) -> AsyncIterator[None]:
    """Let agents that name their model, or none, use this endpoint, also those that other workflows run."""
    from openai import AsyncOpenAI

    from chatdock.workflows.agents_sdk.model_answers import mend

    async with AsyncExitStack() as stack:
        if endpoint.embedded:
            from chatdock.model.embedded import EmbeddedModel

            assert endpoint.path is not None
            embedded = await EmbeddedModel.start(endpoint.path)
            stack.push_async_callback(embedded.stop)
            endpoint = replace(endpoint, base_url=embedded.base_url)
        client = await stack.enter_async_context(AsyncOpenAI(api_key=endpoint.api_key, base_url=endpoint.base_url))
        use_responses = speaks_responses(endpoint, settings)
        mend()
        for entry in workflows:
            entry.adapter.connect(client, use_responses=use_responses)
        _become_default(client, use_responses=use_responses)
        yield


def _become_default(client: AsyncOpenAI, *, use_responses: bool) -> None:
    """For agents that a workflow or a chatkit-python server runs itself. A client that their file has set stays."""
    from agents import set_default_openai_api, set_default_openai_client
    from agents.models import _openai_shared as shared

    before = shared.get_default_openai_client()
    if before is None or before.is_closed():  # closed: of a server that ended in this process
        set_default_openai_client(client, use_for_tracing=False)
        set_default_openai_api("responses" if use_responses else "chat_completions")
