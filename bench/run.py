"""One run of the benchmark: how long, where, against what."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console

from bench import servers
from bench.client import Target
from bench.load import Load


@dataclass(frozen=True)
class Bench:
    seconds: float
    """Length of each measurement."""
    rounds: int
    quick: bool
    directory: Path
    """For databases and logs; deleted at the end."""
    console: Console
    url: str = ""
    """A Chatdock that runs already, to be measured in the place of one started here."""
    api_key: str = ""

    @contextmanager
    def chatdock(self, database: Path | None = None) -> Iterator[Target]:
        if self.url:
            yield Target(url=self.url, api_key=self.api_key)
        else:
            with servers.chatdock(self.directory, database) as target:
                yield target

    @contextmanager
    def reference(self) -> Iterator[Target]:
        with servers.reference(self.directory) as target:
            yield target


def spread(loads: list[Load]) -> str:
    """Median of the rounds' rates, with the lowest and the highest."""
    rates = sorted(load.rate for load in loads)
    return f"{median(rates):,.0f}  ({rates[0]:,.0f}..{rates[-1]:,.0f})"


def rate(loads: list[Load]) -> float:
    return median(load.rate for load in loads)


def server_cost(loads: list[Load]) -> float:
    """Milliseconds of the server's processor time for a reply; 0 when the server runs elsewhere."""
    return median(1000 * load.server_cpu / max(1, len(load.latencies)) for load in loads)


def client_share(loads: list[Load]) -> float:
    """The client's share of a core, at its highest."""
    return max(load.client_cpu / load.seconds for load in loads)
