"""The embedded model's process: `python serve_gguf.py MODEL`, a llama.cpp server on 127.0.0.1.

Started by `embedded`, by its path, so that it loads the standard library and xllamacpp only. It writes its port as one
line to stdout once it answers, and ends when its stdin closes: with its parent, however that went.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

SMALL = 500_000_000
"""Bytes of a GGUF file under which a model often repeats itself until its context is full."""


def cpus() -> int:
    """CPUs that this process may use: its affinity, and a container's quota (cgroup v2)."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        return max(1, min(count, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no cgroup v2, or "max": no quota
        return count


def parameters(llama: Any, model: Path, port: int, slots: int, context: int) -> Any:
    """`CommonParams` of a quiet, local server: `slots` answers at once, `context` tokens each."""
    params = llama.CommonParams()
    params.model.path = str(model)
    params.hostnames = ["127.0.0.1"]
    params.port = port  # 0: a free one
    params.cors_origins = ""  # no page in a browser may ask
    params.ui = False
    params.endpoint_slots = False  # it would show the prompts of others
    params.verbosity = 2  # errors and warnings
    params.n_parallel = slots
    params.n_ctx = slots * context
    params.cache_ram_mib = 256  # prompts of idle conversations; the default takes up to 8 GB
    # One CPU stays free for the web server. llama.cpp's threads meet after every operation, hundreds of times per
    # token: where one of them has to share its CPU, all wait. Measured with SmolLM2 on two CPUs, alone and beside two
    # busy processes: two threads 80 to 90 and 7 to 23 tokens/s, one thread 55 and 36.
    params.cpuparams.n_threads = max(1, cpus() - 1)
    params.cpuparams_batch.n_threads = cpus()
    if model.stat().st_size < SMALL:
        params.sampling.temp = 0.3  # a request's own values win
        params.sampling.penalty_repeat = 1.1
        params.n_predict = 512
    return params


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--context", type=int, default=4096)
    given = parser.parse_args()
    with os.fdopen(os.dup(1), "w") as ready:
        os.dup2(2, 1)  # whatever the native code prints is log
        # OpenMP's threads spin by default while they wait, which takes the CPU from the one they wait for.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        try:
            import xllamacpp
        except ImportError as error:
            hint = " On Debian: apt install libgomp1." if "libgomp" in str(error) else ""
            sys.exit(f"xllamacpp cannot be loaded: {error}.{hint}")
        try:
            server = xllamacpp.Server(parameters(xllamacpp, given.model, given.port, given.slots, given.context))
        except (OSError, RuntimeError) as error:
            sys.exit(str(error))
        ready.write(f"{server.listening_address.rpartition(':')[2]}\n")
    sys.stdin.buffer.read()
    os._exit(0)  # at once, whatever is being generated


if __name__ == "__main__":
    main()
