"""What `/metrics` shows, in a registry of its own for each application."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class Metrics:
    """Counters of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.runs_live = Gauge("chatdock_runs_live", "Runs that this process executes now.", registry=self.registry)
        self.runs_ended = Counter(
            "chatdock_runs_ended", "Runs that ended, by outcome.", ["outcome"], registry=self.registry
        )
        self.limits_reached = Counter(
            "chatdock_limits_reached",
            "Runs that a limit ended (time, output, tool_calls, model_calls) or refused (user_runs, project_runs), and "
            "requests that one refused (session_responses, user_responses, responses).",
            ["limit"],
            registry=self.registry,
        )
        self.sessions_created = Counter("chatdock_sessions_created", "Sessions created.", registry=self.registry)
        self.requests = Counter(
            "chatdock_requests", "Requests answered, by status.", ["status"], registry=self.registry
        )
        self.connections_cut = Counter(
            "chatdock_connections_cut",
            "Connections that were closed because the client was too slow (idle, head, body, reader) or too many were "
            "open (displaced, refused).",
            ["reason"],
            registry=self.registry,
        )

    def render(self) -> bytes:
        """The exposition format that Prometheus reads."""
        return generate_latest(self.registry)
