"""What a server's process costs: memory and processor time, its children included."""

import resource
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Usage:
    cpu: float
    """Seconds of processor time since the start, user and system."""
    rss: int
    """Bytes of resident memory."""


def usage(pid: int) -> Usage:
    """Of the process and everything it started; zeros for pid 0, a server on another machine."""
    if not pid:
        return Usage(0.0, 0)
    root = psutil.Process(pid)
    cpu, rss = 0.0, 0
    for process in (root, *root.children(recursive=True)):
        times = process.cpu_times()
        cpu += times.user + times.system
        rss += process.memory_info().rss
    return Usage(cpu, rss)


def raise_open_files() -> int:
    """As many open files as the system lets this process and its children have; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
