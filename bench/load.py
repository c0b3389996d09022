"""The loads: each a coroutine that `in_own_process` runs away from the servers and from the other loads."""

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, ParamSpec, TypeVar

from bench.client import Connection, Reply, ReplyError, Target, TurnShape, events, whole_turn
from bench.process import usage
from bench.turn import ANSWER, RATE

P = ParamSpec("P")
R = TypeVar("R")

CONNECTIONS = 32
WARM_UP = 1.5
"""Seconds of load before the clock starts."""


def in_own_process(within: float, load: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
    """The result of `load(...)` from a process of its own; `TimeoutError` when it takes more than `within` seconds."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_bounded, within, partial(load, *args, **kwargs)).result()


def _bounded(within: float, load: Callable[[], Awaitable[R]]) -> R:
    async def bounded() -> R:
        async with asyncio.timeout(within):
            return await load()

    try:
        from uvloop import new_event_loop as loop_factory
    except ImportError:
        loop_factory = None  # type: ignore[assignment]
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(bounded())


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of `values` do not pass; not a number when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


@dataclass
class Load:
    """What one connection pool got out of a server in a window of time."""

    seconds: float
    latencies: list[float]
    """Seconds from request to the end of the reply, one for each reply in the window."""
    server_cpu: float
    """Seconds of processor time that the server used in the window; 0 when it runs elsewhere."""
    client_cpu: float
    """The same of the client: as long as it is well below `seconds`, the client is not what is measured."""
    shape: TurnShape | None = None
    """The last turn's, where the replies are turns."""

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


async def _load(
    target: Target, requests: Sequence[bytes], check: Callable[[Reply], TurnShape | None], seconds: float
) -> Load:
    """One connection for each of `requests`, each repeating its own as soon as it is answered."""
    ends: list[tuple[float, float]] = []
    shape: TurnShape | None = None
    stop = time.monotonic() + WARM_UP + seconds

    async def repeat(connection: Connection, request: bytes) -> None:
        nonlocal shape
        while (begin := time.monotonic()) < stop:
            reply = await connection.start(request)
            end = time.monotonic()
            shape = check(reply) or shape
            ends.append((begin, end))

    async def window() -> tuple[float, float, float, float]:
        await asyncio.sleep(WARM_UP)
        begin, server, client = time.monotonic(), usage(target.pid).cpu, time.process_time()
        await asyncio.sleep(seconds)
        return begin, time.monotonic(), usage(target.pid).cpu - server, time.process_time() - client

    connections = [await Connection.open(target.url) for _ in requests]
    async with asyncio.TaskGroup() as tasks:
        measured = tasks.create_task(window())
        for connection, request in zip(connections, requests, strict=True):
            tasks.create_task(repeat(connection, request))
    for connection in connections:
        connection.close()
    begin, end, server_cpu, client_cpu = measured.result()
    latencies = [finished - started for started, finished in ends if begin <= finished < end]
    return Load(end - begin, latencies, server_cpu, client_cpu, shape)


async def _secrets(target: Target, count: int) -> list[str]:
    connection = await Connection.open(target.url)
    found = [await target.session(connection, f"bench-{n}") for n in range(count)]
    connection.close()
    return found


async def turns(target: Target, seconds: float) -> Load:
    """Unpaced turns, each on a new thread, 32 users at once; every one is checked for its whole text."""
    requests = [target.turn_request(secret, "respond") for secret in await _secrets(target, CONNECTIONS)]
    return await _load(target, requests, lambda reply: whole_turn(reply, ANSWER), seconds)


async def sessions(target: Target, seconds: float) -> Load:
    """Sessions created, 32 connections, a user each."""

    def check(reply: Reply) -> None:
        if not reply.json()["client_secret"].startswith("ek_"):
            raise ReplyError(f"no client secret: {reply.body[:300]!r}")

    return await _load(target, [target.session_request(f"bench-{n}") for n in range(CONNECTIONS)], check, seconds)


@dataclass
class Paced:
    """What happened to the events that were due while all streams ran."""

    seconds: float
    due: int
    arrived: int
    """Events whose bytes came in these seconds: fewer than were due when the server does not keep up."""
    delays: list[float]
    """Seconds from the moment the workflow emitted an event to the moment its bytes were here."""
    lateness: list[float]
    """Seconds from the moment it was due: what a workflow that could not run on time adds."""
    merged: float
    """Events in a delta frame, on average."""
    server_cpu: float
    """The server's share of a core, and the client's."""
    client_cpu: float


async def paced(target: Target, streams: int, seconds: float) -> Paced:
    """Streams of 50 events a second, opened over one second, measured for `seconds` while all of them run.

    `TimeoutError` when the server starts them so late that they hardly run together.
    """
    ramp, settle = 1.0, 0.5
    length = ramp + settle + seconds + 1.0
    secrets = await _secrets(target, streams)
    connections = [await Connection.open(target.url) for _ in secrets]

    async def one(number: int) -> Reply:
        await asyncio.sleep(number * ramp / streams)
        return await connections[number].start(target.turn_request(secrets[number], f"paced {length}"))

    async def shares() -> tuple[float, float]:
        await asyncio.sleep(ramp + settle)
        begin, server, client = time.monotonic(), usage(target.pid).cpu, time.process_time()
        await asyncio.sleep(seconds)
        elapsed = time.monotonic() - begin
        return (usage(target.pid).cpu - server) / elapsed, (time.process_time() - client) / elapsed

    async with asyncio.TaskGroup() as tasks:
        measured = tasks.create_task(shares())
        replies = [tasks.create_task(one(number)) for number in range(streams)]
    for connection in connections:
        connection.close()
    runs = [_stamped(task.result(), round(length * RATE)) for task in replies]
    begin = max(run[0].due for run, _ in runs) + int(settle * 1e9)
    end = min(begin + int(seconds * 1e9), *(run[-1].due for run, _ in runs))
    if end - begin < seconds * 0.5e9:
        raise TimeoutError(f"{streams} streams took more than {ramp + seconds / 2:g} s to start")
    events = [event for run, _ in runs for event in run]
    inside = [event for event in events if begin <= event.due < end]
    return Paced(
        seconds=(end - begin) / 1e9,
        due=len(inside),
        arrived=sum(begin <= event.arrived < end for event in events),
        delays=[(event.arrived - event.sent) / 1e9 for event in inside],
        lateness=[(event.arrived - event.due) / 1e9 for event in inside],
        merged=len(events) / sum(frames for _, frames in runs),
        server_cpu=measured.result()[0],
        client_cpu=measured.result()[1],
    )


class Stamp(NamedTuple):
    """The three moments of one event, nanoseconds of the machine's monotonic clock."""

    due: int
    sent: int
    arrived: int


def _stamped(reply: Reply, wanted: int) -> tuple[list[Stamp], int]:
    """A stream's events and how many frames carried them; `ReplyError` unless all are there and in order."""
    deltas = _deltas(reply)
    found = []
    for arrived, delta in deltas:
        for stamp in delta.split():
            due, _, sent = stamp.partition(":")
            found.append(Stamp(int(due), int(sent), arrived))
    if len(found) != wanted or found != sorted(found):
        raise ReplyError(f"{len(found)} events where {wanted} were expected, or out of order: {reply.body[-300:]!r}")
    return found, len(deltas)


def _deltas(reply: Reply) -> list[tuple[int, str]]:
    """Text of each delta and the time at which the last byte of its frame was here."""
    found: list[tuple[int, str]] = []
    rest = b""
    for arrived, piece in zip(reply.times, reply.pieces, strict=True):
        whole, separator, tail = (rest + piece).rpartition(b"\n\n")
        rest = tail
        for event in events(whole + separator):
            update = event.get("update", {})
            if update.get("type") == "assistant_message.content_part.text_delta":
                found.append((arrived, update["delta"]))
    return found


@dataclass
class Idle:
    streams: int
    rss: int
    """Bytes of the server's resident memory while so many streams are open."""


async def idle(target: Target, steps: Sequence[int]) -> list[Idle]:
    """Opens streams that say one word and wait, one user and one thread each; memory at each of `steps`."""
    open_at_once = asyncio.Semaphore(32)
    connections: list[Connection] = []

    async def one(number: int) -> None:
        async with open_at_once:
            connection = await Connection.open(target.url)
            connections.append(connection)
            secret = await target.session(connection, f"bench-{number}")
            connection.start(target.turn_request(secret, "idle"), marker=b"text_delta")
            await connection.seen()

    measured = []
    for step in steps:
        async with asyncio.TaskGroup() as tasks:
            for number in range(len(connections), step):
                tasks.create_task(one(number))
        await asyncio.sleep(2)  # what opening them left behind is freed or not by now
        measured.append(Idle(step, usage(target.pid).rss))
    if broken := sum(connection.closed for connection in connections):
        raise ReplyError(f"{broken} of {len(connections)} streams did not stay open")
    for connection in connections:
        connection.close()
    return measured


async def latencies(target: Target, requests: Sequence[bytes], count: int) -> list[list[float]]:
    """Seconds of `count` replies for each of `requests`, asked one after the other in turn on one connection."""
    connection = await Connection.open(target.url)
    taken: list[list[float]] = [[] for _ in requests]
    for number in range(-20, count):
        for request, into in zip(requests, taken, strict=True):
            begin = time.perf_counter()
            reply = await connection.start(request)
            elapsed = time.perf_counter() - begin
            if len(reply.json()["data"]) != 20:
                raise ReplyError(f"not a page of 20: {reply.body[:300]!r}")
            if number >= 0:
                into.append(elapsed)
    connection.close()
    return taken
