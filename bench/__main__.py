"""`python -m bench`: Chatdock beside chatkit-python's own server, measured in one run on this machine.

Servers are started as processes of their own on free loopback ports, the client is another process, both sides are
measured in turns, and everything ends by itself.
"""

import argparse
import os
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median

from rich.console import Console

from bench import servers
from bench.client import ReplyError
from bench.process import raise_open_files
from bench.run import Bench
from bench.sections import client, component, idle, moving, paced, sessions, start, threads, turns

SECTIONS: dict[str, Callable[[Bench], None]] = {
    "start": start.run,
    "client": client.run,
    "turns": turns.run,
    "paced": paced.run,
    "idle": idle.run,
    "sessions": sessions.run,
    "threads": threads.run,
    "import": moving.run,
    "component": component.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, comma-separated (default: %(default)s)")
    parser.add_argument("--seconds", type=float, help="length of each measurement (default: 8, with --quick 3)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each side (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="shorter and smaller; the figures are rougher")
    parser.add_argument("--url", default="", help="measure the Chatdock that runs there, with bench/workflows.py")
    parser.add_argument("--api-key", default="", help="its API key; none: it is asked without authorization")
    parser.add_argument("--directory", help="where the databases are made (default: the system's temporary directory)")
    options = parser.parse_args()
    chosen = [name for name in options.only.split(",") if name]
    if unknown := set(chosen) - set(SECTIONS):
        parser.error(f"--only: no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    raise_open_files()
    console = Console(width=None if sys.stdout.isatty() else 180, highlight=False)
    failed = []
    with tempfile.TemporaryDirectory(prefix="chatdock-bench-", dir=options.directory) as name:
        bench = Bench(
            seconds=options.seconds or (3 if options.quick else 8),
            rounds=options.rounds,
            quick=options.quick,
            directory=Path(name),
            console=console,
            url=options.url.rstrip("/"),
            api_key=options.api_key,
        )
        describe(bench)
        for section in chosen:
            try:
                SECTIONS[section](bench)
            except* (ReplyError, TimeoutError) as group:
                failed.append(section)
                reasons = [str(error) or "it took too long" for error in leaves(group)]
                console.print(f"{section}: failed ({len(reasons)} connections): {reasons[0]}\n", markup=False)
    console.print(f"This run: {shlex.join(['python', '-m', 'bench', *sys.argv[1:]])}", markup=False)
    return 1 if failed else 0


def describe(bench: Bench) -> None:
    """The machine, the versions and the commands: what somebody needs to get these figures again."""
    packages = ("chatdock", "openai-chatkit", "fastapi", "uvicorn", "uvloop", "pydantic")
    versions = ", ".join(f"{package} {installed(package)}" for package in packages)
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    ours = f"the server at {bench.url}"
    if not bench.url:
        ours = shlex.join(servers.chatdock_command(8000, bench.directory / "chatdock.db"))
    lines = [
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, load {load} at the start",
        versions,
        f"database in {bench.directory}; a synchronous write there takes {1000 * sync_write(bench.directory):.2f} ms",
        f"chatkit-python: {shlex.join(servers.reference_command(8001))}",
        f"Chatdock:       {ours}",
        "",
    ]
    bench.console.print("\n".join(lines), markup=False)


def installed(package: str) -> str:
    try:
        return version(package)
    except ImportError:
        return "(not installed)"


def sync_write(directory: Path) -> float:
    """Seconds that the disk takes for a small write to be safe, the median of 50."""
    taken = []
    with (directory / "sync").open("wb", buffering=0) as file:
        for _ in range(50):
            begin = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - begin)
    return median(taken)


def leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


if __name__ == "__main__":
    sys.exit(main())
