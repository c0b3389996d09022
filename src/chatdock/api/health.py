"""`/healthz`, `/readyz`, `/metrics`: for whoever runs the server."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> dict[str, str]:
    """The database answers, takes what is to be stored, and new work is taken; else 503."""
    world = request.app.state.world
    world.engine.refuse_when_draining()
    await world.database.check()
    return {"status": "ready"}


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Counters in Prometheus' format."""
    return Response(request.app.state.world.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")
