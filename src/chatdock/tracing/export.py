"""Whether traces are exported: only when OpenTelemetry's standard variables name an endpoint."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from chatdock.tracing import sources

if TYPE_CHECKING:
    from chatdock.tracing.otlp import Exporter

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"


class ExportError(Exception):
    """Traces cannot be exported as the environment asks; the message says what to install or set."""


def export_wanted() -> bool:
    """Whether traces are to be exported; `ExportError` when they are, but cannot be."""
    endpoint = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    if endpoint is None or off:
        return False
    protocol = next((name for name in PROTOCOLS if os.environ.get(name)), None)
    if protocol is not None and os.environ[protocol] != PROTOCOL:
        raise ExportError(f"{protocol} is {os.environ[protocol]!r}; traces are exported as {PROTOCOL} only.")
    if not sources.installed("opentelemetry.exporter.otlp.proto.http.trace_exporter"):
        raise ExportError(
            f"{endpoint} is set, but what exports traces is not installed: pip install 'chatdock[otlp]', "
            "or unset the variable."
        )
    return True


def open_exporter() -> Exporter | None:
    """What exports traces; None when they are not to be exported."""
    if not export_wanted():
        return None
    from chatdock.tracing.otlp import Exporter

    return Exporter()
