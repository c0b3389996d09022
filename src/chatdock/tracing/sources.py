"""Where spans come from, beside `turn.span()`: the Agents SDK and OpenTelemetry, when they are there."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from chatdock.tracing.trace import SIDES


def prepare() -> None:
    """At start: no SDK may send anything anywhere by itself, and libraries that report to OpenTelemetry are heard."""
    # For agents that are imported only while a turn runs. What is loaded by then gets our provider, which this does
    # not switch off.
    os.environ.setdefault("OPENAI_AGENTS_DISABLE_TRACING", "1")
    if has_opentelemetry() and "opentelemetry" not in SIDES:
        from chatdock.tracing import opentelemetry_sdk

        opentelemetry_sdk.connect()
    connect()


def connect() -> None:
    """Be what the Agents SDK reports to, if it is loaded and was not when this was last called."""
    if "agents" not in SIDES and "agents.tracing" in sys.modules:
        from chatdock.tracing import agents_sdk

        agents_sdk.connect()


def has_opentelemetry() -> bool:
    """Whether OpenTelemetry's SDK is installed."""
    return installed("opentelemetry.sdk")


def installed(module: str) -> bool:
    """Whether a module could be imported; none is, but for the packages that it lies in."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
