"""Turns a second: 200 unpaced deltas each, 32 users at once, every answer checked."""

from rich.table import Table

from bench import load
from bench.load import Load, percentile
from bench.run import Bench, client_share, rate, server_cost, spread
from bench.servers import with_workflow


def run(bench: Bench) -> None:
    with bench.reference() as reference, bench.chatdock() as chatdock:
        sides = [
            ("chatkit-python, in memory", reference),
            ("Chatdock, the same respond()", with_workflow(chatdock, "wf_respond")),
        ]
        if chatdock.api_key:
            sides.append(("Chatdock, native text", with_workflow(chatdock, "wf_native")))
        taken: dict[str, list[Load]] = {name: [] for name, _ in sides}
        for _ in range(bench.rounds):
            for name, target in sides:
                within = 60 + 3 * bench.seconds
                shot = load.in_own_process(within, load.turns, target, bench.seconds)
                taken[name].append(shot)
    table = Table(
        "turns of 200 deltas",
        "turns/s (min..max)",
        "ratio",
        "p50 ms",
        "p99 ms",
        "server ms/turn",
        "cpu ratio",
        "frames",
        "deltas",
        "sends",
        "kB/turn",
        "client cpu",
        title=f"turns: {bench.rounds} rounds of {bench.seconds:g} s, alternating, {load.CONNECTIONS} connections",
    )
    base = next(iter(taken.values()))
    for name, loads in taken.items():
        shape = loads[-1].shape
        assert shape is not None
        waits = [seconds for each in loads for seconds in each.latencies]
        cost = server_cost(loads)
        table.add_row(
            name,
            spread(loads),
            f"{rate(loads) / rate(base):.2f}",
            f"{1000 * percentile(waits, 0.5):.0f}",
            f"{1000 * percentile(waits, 0.99):.0f}",
            f"{cost:.2f}" if cost else "-",
            f"{server_cost(base) / cost:.2f}" if cost else "-",
            str(shape.frames),
            str(shape.deltas),
            str(shape.pieces),
            f"{shape.size / 1000:.1f}",
            f"{client_share(loads):.0%}",
        )
    bench.console.print(table)
    bench.console.print(
        "Frames, deltas and sends are the last turn's: Chatdock may merge deltas that wait. Server ms/turn is "
        "processor time, all threads; it moves less than turns/s when others use the machine.\n"
    )
