"""How this node is: /livez, /readyz, /health, /metrics, and /v1/status with the nine stages' numbers."""

import asyncio

from aiohttp import web

from node.api.keys import HEALTH, IN_FLIGHT, METRICS

routes = web.RouteTableDef()
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@routes.get("/livez")
async def livez(_: web.Request) -> web.Response:
    """The process answers."""
    return web.json_response({"status": "ok"})


@routes.get("/readyz")
@routes.get("/health")
async def health(request: web.Request) -> web.Response:
    """Each part, and 503 while one of them cannot do its work."""
    components = request.app[HEALTH].components()
    ready = all(component.ready for component in components)
    body = {
        "status": "ok" if ready else "degraded",
        "components": {one.name: {"ready": one.ready, "detail": one.detail} for one in components},
    }
    return web.json_response(
        body, status=200 if ready else 503, headers={} if ready else {"Retry-After": "2"}
    )


@routes.get("/v1/status")
async def status(request: web.Request) -> web.Response:
    """The nine stages in the order in which the data flows."""
    stages = await asyncio.to_thread(request.app[HEALTH].stages)
    return web.json_response(
        {"object": "status", "open_requests": request.app[IN_FLIGHT].open, "stages": stages}
    )


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    """The Prometheus text format."""
    return web.Response(
        body=request.app[METRICS].render().encode("utf-8"), headers={"Content-Type": METRICS_TYPE}
    )
