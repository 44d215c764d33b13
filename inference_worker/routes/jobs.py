"""Training and evaluation: start, ask, cancel."""

from __future__ import annotations

from aiohttp import web

from inference_worker.routes.replies import read_json
from inference_worker.routes.services import SERVICES, in_thread
from protocol.wire import JobSpec

routes = web.RouteTableDef()


@routes.post("/jobs")
async def submit_job(request: web.Request) -> web.Response:
    """Start a training or evaluation; the same specification again starts nothing new."""
    services = request.app[SERVICES]
    spec = JobSpec.from_json(await read_json(request))
    status = await in_thread(services.quick, services.jobs.submit, spec)
    return web.json_response({"v": 1, "job_id": status.job_id})


@routes.get("/jobs/{job_id}")
async def job_status(request: web.Request) -> web.Response:
    """Where a job stands."""
    services = request.app[SERVICES]
    status = await in_thread(services.quick, services.jobs.status, request.match_info["job_id"])
    return web.json_response(status.to_json())


@routes.delete("/jobs/{job_id}")
async def cancel_job(request: web.Request) -> web.Response:
    """Cancel a job; one that has ended stays as it ended."""
    services = request.app[SERVICES]
    status = await in_thread(services.quick, services.jobs.cancel, request.match_info["job_id"])
    return web.json_response(status.to_json())
