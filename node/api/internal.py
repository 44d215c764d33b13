"""The worker's door: blobs and plaintext rows over the node's private socket, for holders of the worker
token; and the operator's orders for validity reports.

It has an application of its own, so that no route of it can ever appear on the public listener.
"""

import asyncio
import hmac
import json
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from node.api.ports import Blobs, Rows
from node.api.problems import Problem, answer_problems
from node.api.validity import add_validity
from node.api.validity_source import Desk
from protocol.cid import parse_cid

BLOBS = web.AppKey("blobs", Blobs)
ROWS = web.AppKey("rows", Rows)
TOKEN = web.AppKey("token", str)

# An adapter bundle is tens of megabytes, a base model's shard more; a larger upload is a mistake.
MAX_BLOB_BYTES = 2 << 30
SOCKET_MODE = 0o600
routes = web.RouteTableDef()


def build_internal_app(blobs: Blobs, rows: Rows, token: str, desk: Desk | None) -> web.Application:
    """The application for the worker's socket; without a desk it takes no orders."""
    app = web.Application(middlewares=[answer_problems, _authenticated], client_max_size=MAX_BLOB_BYTES)
    app[BLOBS], app[ROWS], app[TOKEN] = blobs, rows, token
    app.add_routes(routes)
    if desk is not None:
        add_validity(app, desk)
    return app


async def listen_internal(app: web.Application, socket: Path) -> web.AppRunner:
    """Starts to listen; `cleanup()` of the runner ends it. A socket left by a killed process is replaced."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await asyncio.to_thread(socket.unlink, missing_ok=True)
    await web.UnixSite(runner, str(socket)).start()
    await asyncio.to_thread(socket.chmod, SOCKET_MODE)
    return runner


@web.middleware
async def _authenticated(request: web.Request, handler: Handler) -> web.StreamResponse:
    sent = request.headers.get("Authorization", "")
    if not hmac.compare_digest(sent.encode("utf-8"), f"Bearer {request.app[TOKEN]}".encode()):
        raise Problem(401, "invalid_token", "the worker token is missing or wrong")
    return await handler(request)


def _cid(text: str) -> str:
    try:
        return parse_cid(text).text
    except ValueError as error:
        raise Problem(400, "invalid_cid", str(error)) from error


@routes.get("/blobs/{cid}")
async def get_blob(request: web.Request) -> web.Response:
    """The bytes of a blob, re-hashed by the store."""
    data = await asyncio.to_thread(request.app[BLOBS].get, _cid(request.match_info["cid"]))
    return web.Response(body=data, content_type="application/octet-stream")


@routes.put("/blobs")
async def put_blob(request: web.Request) -> web.Response:
    """Stores the body and names it."""
    return web.json_response({"cid": await asyncio.to_thread(request.app[BLOBS].put, await request.read())})


@routes.get("/rows/{manifest_cid}")
async def get_rows(request: web.Request) -> web.StreamResponse:
    """The version's rows in plaintext, one JSON object a line; never written to disk on the way."""
    rows = request.app[ROWS].rows(_cid(request.match_info["manifest_cid"]))
    # The first row is asked for before the status goes out, so that a refusal is still a status.
    first = await asyncio.to_thread(next, rows, None)
    response = web.StreamResponse(headers={"Content-Type": "application/jsonl; charset=utf-8"})
    await response.prepare(request)
    row = first
    while row is not None:
        await response.write(_line(row))
        row = await asyncio.to_thread(next, rows, None)
    await response.write_eof()
    return response


def _line(row: object) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n"
