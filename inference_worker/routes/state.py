"""What the worker is and how it is doing: health and metrics."""

from __future__ import annotations

from aiohttp import web

from inference_worker.routes.services import SERVICES, in_thread
from protocol.hashing import from_hex
from protocol.wire import AdapterInfo, WorkerHealth

routes = web.RouteTableDef()


@routes.get("/health")
async def health(request: web.Request) -> web.Response:
    """What this worker is and holds."""
    services = request.app[SERVICES]
    known = services.loader.status().serving()
    adapters = tuple(AdapterInfo(row.cid, row.state) for row in known)
    statuses = await in_thread(services.quick, services.jobs.statuses)
    jobs = tuple(status.job_id for status in statuses if status.state in ("queued", "running"))
    state = "draining" if services.engine.load().closing else "ok"
    report = WorkerHealth(state, services.base, from_hex(services.profile_id, 32), adapters, jobs)
    return web.json_response(report.to_json())


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    """Counters and gauges for Prometheus."""
    services = request.app[SERVICES]
    load = services.engine.load()
    gauges = {
        **services.loader.status().gauges(),
        "running": load.running,
        "waiting": load.waiting,
        "held_positions": load.held_positions,
        "kept_positions": load.kept_positions,
        "attributions": services.attributing.held,
        "start_time_seconds": services.metrics.started,
    }
    return web.Response(text=services.metrics.render(gauges))
