"""Memory of a stream that is open and says nothing: one user, one thread, one connection each."""

from rich.table import Table

from bench import load
from bench.process import raise_open_files
from bench.run import Bench
from bench.servers import with_workflow

STEPS = (100, 1000, 3000)
QUICK = (100, 500, 1000)


def run(bench: Bench) -> None:
    if bench.url:
        bench.console.print("idle: left out, the memory of a server that was not started here is not read\n")
        return
    steps = QUICK if bench.quick else STEPS
    if (limit := raise_open_files()) < steps[-1] + 200:
        bench.console.print(f"idle: left out, {limit} open files are not enough for {steps[-1]} streams\n")
        return
    sides = (("chatkit-python, in memory", bench.reference), ("Chatdock", bench.chatdock))
    table = Table(
        "side", *(f"MB at {step:,}" for step in steps), "kB per stream", title="idle: open streams, nothing said"
    )
    for name, start in sides:
        with start() as target:
            taken = load.in_own_process(180, load.idle, with_workflow(target, "wf_idle"), steps)
        growth = (taken[-1].rss - taken[0].rss) / (steps[-1] - steps[0]) / 1000
        table.add_row(name, *(f"{one.rss / 1e6:,.0f}" for one in taken), f"{growth:.1f}")
    bench.console.print(table)
    bench.console.print(
        f"Per stream: growth from {steps[0]:,} to {steps[-1]:,}, resident memory of all its processes.\n"
    )
