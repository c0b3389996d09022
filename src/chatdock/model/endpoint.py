"""Which model answers: the endpoint that the environment names, else the embedded model."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from chatdock.model.cache import pulled_model
from chatdock.model.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

ALTERNATIVES = (
    "Or set OPENAI_API_KEY to use OpenAI's models, or OPENAI_BASE_URL to use any endpoint that speaks its API."
)


@dataclass(frozen=True)
class ModelEndpoint:
    """An endpoint that speaks OpenAI's API.

    `base_url` None is OpenAI's own; `model` None leaves the choice to the SDK. An `embedded` endpoint has no address
    until `EmbeddedModel.start(path)` gives it one.
    """

    base_url: str | None
    api_key: str = field(repr=False)
    model: str | None
    embedded: bool
    path: Path | None = None
    """The GGUF file to run; None unless `embedded`."""


def resolve_endpoint(environ: Mapping[str, str] = os.environ) -> ModelEndpoint:
    """The endpoint to use. Nothing is started or contacted.

    `OPENAI_BASE_URL` or `OPENAI_API_KEY`: that endpoint, with the model `OPENAI_DEFAULT_MODEL` (the Agents SDK's name
    for it). Else the embedded model: the GGUF file at `CHATDOCK_MODEL`, or the pulled one. Raises `ModelError`, which
    says what to install or set, when there is neither.
    """
    base_url, api_key = environ.get("OPENAI_BASE_URL"), environ.get("OPENAI_API_KEY")
    if base_url or api_key:
        # A local server wants no key, but the SDK refuses to send none.
        return ModelEndpoint(base_url or None, api_key or "none", environ.get("OPENAI_DEFAULT_MODEL") or None, False)

    chosen = environ.get("CHATDOCK_MODEL")
    path = Path(chosen).expanduser() if chosen else pulled_model(environ=environ)
    if chosen and path and not path.is_file():
        raise ModelError(f"CHATDOCK_MODEL is {chosen!r}, and no such file exists. It is the path of a GGUF file.")
    missing = []
    if importlib.util.find_spec("xllamacpp") is None:
        missing.append("what runs a local model is not installed; run: pip install 'chatdock[local]'")
    if path is None:
        missing.append("its file is not here; run: chatdock model pull")
    if path is None or missing:
        raise ModelError(f"No model to answer with: {', and '.join(missing)}. {ALTERNATIVES}")
    return ModelEndpoint(None, "local", path.stem, True, path)
