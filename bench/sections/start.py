"""What a start costs: `import chatdock`, what a workflow file imports, and a server until it is ready."""

import subprocess
import sys
import time
from statistics import median

from rich.table import Table

from bench.run import Bench

IMPORTS = ("import chatdock", "from chatdock import Turn, workflow")
REPEATS = 10
IN_BETWEEN = "import time; began = time.perf_counter(); {code}; print(time.perf_counter() - began)"


def run(bench: Bench) -> None:
    if bench.url:
        bench.console.print("start: left out, the server was not started here\n")
        return
    taken = {f"`{code}`": [_importing(code) for _ in range(REPEATS)] for code in IMPORTS}
    taken["a server of plain Python, until it accepts connections"] = [_serving(bench) for _ in range(bench.rounds)]
    table = Table("what", "ms", "lowest..highest", title=f"start: the median of {REPEATS} and {bench.rounds} processes")
    for what, seconds in taken.items():
        lowest, highest = 1000 * min(seconds), 1000 * max(seconds)
        table.add_row(what, f"{1000 * median(seconds):,.1f}", f"{lowest:,.1f}..{highest:,.1f}")
    bench.console.print(table)
    bench.console.print("Imports: without the start of Python itself.\n")


def _importing(code: str) -> float:
    """Seconds that the code takes in a process of its own."""
    command = [sys.executable, "-c", IN_BETWEEN.format(code=code)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _serving(bench: Bench) -> float:
    began = time.perf_counter()
    with bench.chatdock():
        return time.perf_counter() - began
