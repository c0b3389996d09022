"""Delay from event to byte for streams of 50 events a second, more and more of them."""

from rich.table import Table

from bench import load
from bench.client import Target
from bench.load import percentile
from bench.run import Bench
from bench.servers import with_workflow
from bench.turn import RATE

STREAMS = (25, 50, 100, 150, 200, 250, 300, 400, 500, 600, 800, 1000)
QUICK = (25, 100, 200)
REFERENCE = (25, 50, 100)
LIMIT = 0.05
"""Seconds that the 99th percentile may take."""


def run(bench: Bench) -> None:
    table = Table(
        "side",
        "streams",
        "due/s",
        "arrived/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "max ms",
        "p99 ms from due",
        "deltas per frame",
        "server cpu",
        "client cpu",
        title=f"paced: {RATE} events a second a stream, {bench.seconds:g} s each",
    )
    held, ended = 0, "the list of steps ends"
    with bench.reference() as reference, bench.chatdock() as chatdock:
        target = with_workflow(chatdock, "wf_paced")
        for streams in QUICK if bench.quick else STREAMS:
            if streams in REFERENCE:
                _measure(bench, table, "chatkit-python, in memory", reference, streams)
            # Once more when it fails: on a machine that does other things too, one pause is not the limit.
            if not any(_measure(bench, table, "Chatdock", target, streams) for _ in range(2)):
                ended = f"{streams} streams are too many, twice"
                break
            held = streams
    bench.console.print(table)
    bench.console.print(
        f"Chatdock holds {held} streams ({held * RATE:,} events/s) with 99 % of the events here within "
        f"{1000 * LIMIT:.0f} ms, from the event and from when it was due; {ended}. chatkit-python stores nothing.\n"
    )


def _measure(bench: Bench, table: Table, side: str, target: Target, streams: int) -> bool:
    """Adds the row of one measurement; whether the server kept within the limit."""
    try:
        shot = load.in_own_process(60 + 4 * bench.seconds, load.paced, target, streams, bench.seconds)
    except TimeoutError as error:
        table.add_row(side, str(streams), str(error) or "did not end in time")
        return False
    delays = [percentile(shot.delays, share) for share in (0.5, 0.95, 0.99, 1)]
    late = percentile(shot.lateness, 0.99)
    table.add_row(
        side,
        str(streams),
        f"{shot.due / shot.seconds:,.0f}",
        f"{shot.arrived / shot.seconds:,.0f}",
        *(f"{1000 * delay:.1f}" for delay in (*delays, late)),
        f"{shot.merged:.2f}",
        f"{shot.server_cpu:.0%}" if target.pid else "-",
        f"{shot.client_cpu:.0%}",
    )
    return max(delays[2], late) <= LIMIT
