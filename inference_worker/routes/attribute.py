"""The sources of an answer."""

from __future__ import annotations

from aiohttp import web

from inference_worker.routes.replies import read_json
from inference_worker.routes.services import SERVICES
from protocol.wire import AttributeRequest, RowsRequest

routes = web.RouteTableDef()


@routes.post("/attribute")
async def attribute(request: web.Request) -> web.Response:
    """Sources of an answer, computed beside generation."""
    services = request.app[SERVICES]
    asked = AttributeRequest.from_json(await read_json(request))
    services.fences.check("attribute", asked.request_id, asked.fence)
    result = await services.attributing.take(services.attributor.attribute, asked)
    return web.json_response(result.to_json())


@routes.post("/recheck")
async def recheck(request: web.Request) -> web.Response:
    """The signs of an index's rows, computed anew; in line with attributions."""
    services = request.app[SERVICES]
    asked = RowsRequest.from_json(await read_json(request))
    result = await services.attributing.take(services.attributor.recheck, asked)
    return web.json_response(result.to_json())
