"""Connects agents to the model endpoint, and keeps the embedded model running while they need it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatdock.model.endpoint import ModelEndpoint
    from chatdock.settings import Settings
    from chatdock.workflows.workflow import Workflow


@asynccontextmanager
async def connected(endpoint: ModelEndpoint, workflows: Iterable[Workflow], settings: Settings) -> AsyncIterator[None]:
    """Let those workflows that need a model use this endpoint."""
    from chatdock.workflows.agents_sdk import AgentAdapter

    embedded = None
    if endpoint.embedded:
        from chatdock.model.embedded import EmbeddedModel

        assert endpoint.path is not None
        embedded = await EmbeddedModel.start(endpoint.path)
        endpoint = replace(endpoint, base_url=embedded.base_url)
    try:
        for entry in workflows:
            if isinstance(entry.adapter, AgentAdapter):
                entry.adapter.connect(endpoint, settings.model_api)
        yield
    finally:
        if embedded is not None:
            await embedded.stop()
