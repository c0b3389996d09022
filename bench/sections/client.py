"""The ceiling of the client itself, so that nobody has to wonder whether it is what was measured."""

from rich.table import Table

from bench import load, servers
from bench.run import Bench, client_share


def run(bench: Bench) -> None:
    table = Table("client against recorded turns", "turns/s", "client cpu", "client ms/turn", "turns/s at a full core")
    with servers.replay(bench.directory) as target:
        for name, path in (("one chunk per frame", "/frames"), ("one chunk per turn", "/whole")):
            shown = servers.at(target, path)
            taken = load.in_own_process(60, load.turns, shown, min(3, bench.seconds))
            cost = taken.client_cpu / len(taken.latencies)
            share = f"{client_share([taken]):.0%}"
            table.add_row(name, f"{taken.rate:,.0f}", share, f"{1000 * cost:.2f}", f"{1 / cost:,.0f}")
    bench.console.print(table)
