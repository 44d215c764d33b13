"""What others need to check an attribution, and the node's own recomputation of it: below /v1/attribution.

The model and the public data are for everyone who knows the request id; the tokens behind a receipt's digests
only for the key that paid. One recomputation runs at a time: each costs what the attribution itself did.
"""

import asyncio
import json
from typing import Protocol

from aiohttp import web

from node.api import credentials
from node.api.problems import Problem
from node.api.receipts import request_id_of
from node.attribution.findings import Finding
from node.errors import Busy
from protocol.cid import parse_cid
from protocol.opening import Opening


class Rechecks(Protocol):
    """The node's answers, for whoever doubts them."""

    def model_json(self, request_id: bytes) -> str:
        """The model as it was served, as JSON text. Raises NotFound."""

    def opening(self, request_id: bytes, api_key: str | None) -> Opening:
        """What opens the receipt's digests. Raises NotFound, or Refused for a key that did not pay."""

    def data(self, request_id: bytes, cid: str) -> bytes:
        """Public data that the answer was attributed by. Raises NotFound for any other."""

    async def findings(self, request_id: bytes) -> tuple[Finding, ...]:
        """The attribution computed anew. Raises NotFound where there is no receipt yet."""


RECHECKS = web.AppKey("rechecks", Rechecks)
TURN = web.AppKey("recheck_turn", asyncio.Lock)
routes = web.RouteTableDef()


def add_rechecks(app: web.Application, rechecks: Rechecks) -> None:
    """Adds the routes."""
    app[RECHECKS], app[TURN] = rechecks, asyncio.Lock()
    app.add_routes(routes)


@routes.get("/v1/attribution/{request_id}/model")
async def get_model(request: web.Request) -> web.Response:
    """The served model: its bundle, index, manifest and span length. Large numbers are JSON's own."""
    text = await asyncio.to_thread(request.app[RECHECKS].model_json, request_id_of(request))
    return web.json_response(text=text)


@routes.get("/v1/attribution/{request_id}/opening")
async def get_opening(request: web.Request) -> web.Response:
    """The tokens behind the receipt's digests, for the key that paid."""
    key = credentials.bearer(request.headers)
    opening = await asyncio.to_thread(request.app[RECHECKS].opening, request_id_of(request), key)
    return web.json_response(opening.to_json())


@routes.get("/v1/attribution/{request_id}/data/{cid}")
async def get_data(request: web.Request) -> web.Response:
    """The index, the manifest, a file of tokens, a query's code, or an open row."""
    try:
        cid = parse_cid(request.match_info["cid"]).text
    except ValueError as error:
        raise Problem(400, "invalid_cid", str(error), "cid") from error
    data = await asyncio.to_thread(request.app[RECHECKS].data, request_id_of(request), cid)
    return web.Response(body=data, content_type="application/octet-stream")


@routes.post("/v1/attribution/{request_id}/recompute")
async def recompute(request: web.Request) -> web.Response:
    """The attribution computed anew through this node's worker, and what agrees with the receipt."""
    request_id, turn = request_id_of(request), request.app[TURN]
    if turn.locked():
        raise Busy("another attribution is being recomputed; try again in a few seconds")
    async with turn:
        findings = await request.app[RECHECKS].findings(request_id)
    return web.json_response(text=json.dumps(recomputation_of(findings)))


def recomputation_of(findings: tuple[Finding, ...]) -> dict[str, object]:
    """Findings as JSON; `agrees` is null as a whole where nothing disagrees and something is unknown."""
    verdicts = {one.agrees for one in findings}
    return {
        "object": "recomputation",
        "agrees": False if False in verdicts else None if None in verdicts else True,
        "findings": [
            {"name": one.name, "agrees": one.agrees, "expected": one.expected, "found": one.found}
            for one in findings
        ],
    }
