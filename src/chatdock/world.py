"""Everything that one application holds, built from the rooms below and closed in the opposite order."""

from __future__ import annotations

from dataclasses import dataclass

from chatdock.chat.actions import Actions
from chatdock.chat.keys import KeyRing
from chatdock.chat.limits import RequestLimiter
from chatdock.chat.refusals import Refusals
from chatdock.chat.sessions import Sessions
from chatdock.chat.threads import Threads
from chatdock.chat.turns import Turns
from chatdock.metrics import Metrics
from chatdock.runs.engine import Engine
from chatdock.runs.log import RunLog
from chatdock.settings import Settings
from chatdock.storage.connect import open_database, path_of
from chatdock.storage.database import Database
from chatdock.storage.sweep import Sweep
from chatdock.storage.times import Clock
from chatdock.tracing.tracer import Tracer
from chatdock.workflows.registry import Registry


@dataclass(slots=True)
class World:
    """The doors reach it as `app.state.world`."""

    settings: Settings
    clock: Clock
    registry: Registry
    metrics: Metrics
    limiter: RequestLimiter
    database: Database
    tracer: Tracer
    engine: Engine
    keys: KeyRing
    sessions: Sessions
    threads: Threads
    turns: Turns
    actions: Actions
    sweep: Sweep

    @classmethod
    async def build(cls, settings: Settings, registry: Registry, metrics: Metrics, clock: Clock) -> World:
        """Open the database and put everything on top of it; runs that an earlier process left are ended here."""
        database = await open_database(settings.database_url)
        run_log = RunLog(database, keepalive=settings.keepalive, slow_reader_timeout=settings.slow_reader_timeout)
        tracer = Tracer(database, settings, clock)
        engine = Engine(database, run_log, registry, settings, metrics, tracer, clock)
        limiter = RequestLimiter(clock)
        refusals = Refusals(path_of(settings.database_url), clock)
        keys = KeyRing(database, settings.api_keys, clock, refusals)
        sessions = Sessions(database, registry, settings, clock, refusals, traces=tracer.keeps)
        caches = (limiter.forget, keys.recent.forget, sessions.recent.forget)
        world = cls(
            settings=settings,
            clock=clock,
            registry=registry,
            metrics=metrics,
            limiter=limiter,
            database=database,
            tracer=tracer,
            engine=engine,
            keys=keys,
            sessions=sessions,
            threads=Threads(database, engine, settings.page_bytes),
            turns=Turns(database, engine, run_log, registry, settings, metrics, clock),
            actions=Actions(database, registry, settings),
            sweep=Sweep(database, settings, clock, caches),
        )
        await engine.start()
        world.sweep.start()
        return world

    async def close(self) -> None:
        """End what is live, then let go of the database."""
        await self.sweep.close()
        await self.engine.close()
        await self.tracer.close()
        await self.database.close()
