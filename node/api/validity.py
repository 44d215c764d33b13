"""The operator's routes for validity reports, on the node's private socket: cost, order, and how far it is.

They spend the worker's time, so they are for holders of the worker's token alone.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from node.api.display import validity_json
from node.api.problems import Problem
from node.api.validity_source import Desk
from protocol.canonical import parse_json
from protocol.errors import ProtocolError
from protocol.fields import Fields

DESK = web.AppKey("validity_desk", Desk)
MAX_SUBSETS = 250
MAX_BODY_BYTES = 4096
MAX_NAME_CHARS = 128
routes = web.RouteTableDef()


def add_validity(app: web.Application, desk: Desk) -> None:
    """Adds the routes to the application of the private socket."""
    app[DESK] = desk
    app.add_routes(routes)


@routes.get("/validity/{model}")
async def show(request: web.Request) -> web.Response:
    """The newest report of a model."""
    found = await asyncio.to_thread(request.app[DESK].show, request.match_info["model"])
    return web.json_response(validity_json(found))


@routes.post("/validity/cost")
async def cost(request: web.Request) -> web.Response:
    """What an order would cost."""
    model, subsets, contributors = await _order(request)
    found, seconds = await asyncio.to_thread(request.app[DESK].cost, model, subsets, contributors)
    return web.json_response(
        {"retrainings": found.retrainings, "row_passes": found.row_passes, "seconds": seconds}
    )


@routes.post("/validity/order")
async def order(request: web.Request) -> web.Response:
    """Starts the job, or names the one that is under way."""
    model, subsets, contributors = await _order(request)
    return web.json_response({"job_id": await request.app[DESK].order(model, subsets, contributors)})


@routes.get("/jobs/{job_id}")
async def status(request: web.Request) -> web.Response:
    """A job as last heard of."""
    found = await asyncio.to_thread(request.app[DESK].status, request.match_info["job_id"])
    return web.json_response(found.to_json())


async def _order(request: web.Request) -> tuple[str, int, int]:
    body = await request.content.read(MAX_BODY_BYTES)
    try:
        fields = Fields(parse_json(body, MAX_BODY_BYTES, 2), "order")
        read = (
            fields.text("model", MAX_NAME_CHARS),
            fields.integer("subsets", 0, MAX_SUBSETS),
            fields.integer("contributors", 0, MAX_SUBSETS),
        )
        fields.done()
    except ProtocolError as error:
        raise Problem(400, "invalid_order", str(error)) from error
    return read
