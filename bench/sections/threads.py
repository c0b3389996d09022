"""The first page of a user's threads: does it cost more when there are a thousand times as many?"""

import sqlite3
import time
from pathlib import Path

from rich.table import Table

from bench import load
from bench.client import Connection, Target, whole_turn
from bench.load import percentile
from bench.run import Bench
from bench.servers import with_workflow
from bench.turn import ANSWER

FEW, MANY = 1_000, 1_000_000
REQUESTS = 500


def run(bench: Bench) -> None:
    if bench.url:
        bench.console.print("threads: left out, only a database that was made here is filled\n")
        return
    many = MANY // 10 if bench.quick else MANY
    database = bench.directory / "threads.db"
    with bench.chatdock(database) as target:
        load.in_own_process(60, _one_thread_each, with_workflow(target, "wf_native"), ["few", "many"])
    begin = time.monotonic()
    fill(database, {"few": FEW, "many": many})
    filled = time.monotonic() - begin
    with bench.chatdock(database) as target:
        names, taken = load.in_own_process(180, _first_pages, with_workflow(target, "wf_native"), REQUESTS)
    table = Table(
        "first page of 20",
        f"p50 ms, {FEW:,}",
        f"p50 ms, {many:,}",
        "ratio",
        "p99 ms, few",
        "p99 ms, many",
        title=f"threads: a user with {FEW:,} and one with {many:,} in one database, {REQUESTS} requests each",
    )
    for number, name in enumerate(names):
        few, lots = taken[2 * number], taken[2 * number + 1]
        p50 = percentile(few, 0.5), percentile(lots, 0.5)
        p99 = percentile(few, 0.99), percentile(lots, 0.99)
        ratio = f"{p50[1] / p50[0]:.2f}"
        table.add_row(name, *(f"{1000 * p:.2f}" for p in p50), ratio, *(f"{1000 * p:.2f}" for p in p99))
    bench.console.print(table)
    bench.console.print(f"Rows of table `thread` were copied by SQL in {filled:.0f} s; they have no items.\n")


async def _one_thread_each(target: Target, users: list[str]) -> None:
    """A turn for each user: the rows that `fill` copies are ones that the server wrote."""
    for user in users:
        connection = await Connection.open(target.url)
        secret = await target.session(connection, user)
        whole_turn(await connection.start(target.turn_request(secret, "respond")), ANSWER)
        connection.close()


def fill(database: Path, threads: dict[str, int]) -> None:
    """Copies each user's one thread until there are as many as `threads` says, each a second older."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("pragma synchronous = off")
    columns = [row[1] for row in connection.execute("pragma table_info(thread)")]
    others = [column for column in columns if column not in ("id", "created_at")]
    copied = ", ".join(f"t.{column}" for column in others)
    # An id is a prefix, 12 hex digits of milliseconds, 24 random ones; created_at counts microseconds.
    statement = f"""
        with recursive n(i) as (select 1 union all select i + 1 from n where i < :count - 1)
        insert into thread (id, created_at, {", ".join(others)})
        select printf('cthr_%012x%s', (t.created_at - i * 1000000) / 1000, lower(hex(randomblob(12)))),
               t.created_at - i * 1000000, {copied}
        from n, (select * from thread where user_id = :user) t
    """
    connection.execute("begin immediate")
    for user, count in threads.items():
        connection.execute(statement, {"user": user, "count": count})
    connection.execute("commit")
    connection.execute("pragma wal_checkpoint(truncate)")
    for user, count in threads.items():
        (found,) = connection.execute("select count(*) from thread where user_id = ?", (user,)).fetchone()
        if found != count:
            raise RuntimeError(f"user {user} has {found} threads, not {count}")
    connection.close()


async def _first_pages(target: Target, count: int) -> tuple[list[str], list[list[float]]]:
    """Names of the ways to ask, and for each the latencies for the user with few and the one with many."""
    connection = await Connection.open(target.url)
    operation = {"type": "threads.list", "params": {"limit": 20, "order": "desc"}}
    asked = []
    for user in ("few", "many"):
        secret = await target.session(connection, user)
        asked.append(target.request("POST", target.path, operation, secret))
    page = "/v1/chatkit/threads?user="
    asked += [target.request("GET", page + user, token=target.api_key) for user in ("few", "many")]
    connection.close()
    return ["threads.list (client secret)", f"GET {page}"], await load.latencies(target, asked, count)
