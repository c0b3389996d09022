"""Sessions created a second, each written before it is answered."""

from rich.table import Table

from bench import load
from bench.load import percentile
from bench.run import Bench, client_share, server_cost, spread
from bench.servers import with_workflow


def run(bench: Bench) -> None:
    with bench.chatdock() as chatdock:
        if not chatdock.api_key:
            bench.console.print("sessions: left out, there is no API key\n")
            return
        target = with_workflow(chatdock, "wf_native")
        within = 60 + 3 * bench.seconds
        loads = [load.in_own_process(within, load.sessions, target, bench.seconds) for _ in range(bench.rounds)]
    waits = [seconds for each in loads for seconds in each.latencies]
    table = Table(
        "side",
        "sessions/s (min..max)",
        "p50 ms",
        "p99 ms",
        "server ms/session",
        "client cpu",
        title=f"sessions: {bench.rounds} rounds of {bench.seconds:g} s, {load.CONNECTIONS} connections",
    )
    table.add_row(
        "Chatdock",
        spread(loads),
        f"{1000 * percentile(waits, 0.5):.1f}",
        f"{1000 * percentile(waits, 0.99):.1f}",
        f"{server_cost(loads):.2f}" if chatdock.pid else "-",
        f"{client_share(loads):.0%}",
    )
    bench.console.print(table)
