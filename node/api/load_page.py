"""The operator's page of one worker's load, on a listener of its own that only this machine reaches.

Its guard is the worker's: whoever does not hold the worker's token gets nothing. A browser asks for it as a
password, under any name. Nothing on the page can be changed through it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import jinja2
from aiohttp import web
from aiohttp.typedefs import Handler

from node.api.app import LOOPBACK_HOSTS, SECURITY_HEADERS
from node.api.site import CONTENT_SECURITY_POLICY, environment_of
from node.errors import OpenLedgerError
from node.serving.load_report import LoadReport

ASKS = 'Basic realm="worker token", charset="UTF-8"'


@dataclass(frozen=True)
class LoadView:
    """What the page shows. `hour_price` is what an hour of the processor costs, None for no price; `note`
    says what could not be learned."""

    report: LoadReport
    hour_price: float | None = None
    note: str = ""


class Read(Protocol):
    """Asks the worker. Raises an error of `node.errors` where it does not answer."""

    async def __call__(self) -> LoadView: ...


READ = web.AppKey("read_load", Read)
TOKEN = web.AppKey("worker_token", str)
TEMPLATES = web.AppKey("load_templates", jinja2.Environment)
routes = web.RouteTableDef()


def build_load_app(folder: Path, token: str, read: Read) -> web.Application:
    """The application. `folder` holds templates and css; `read` asks the worker at each request."""
    app = web.Application(middlewares=[_guarded])
    app[READ], app[TOKEN], app[TEMPLATES] = read, token, environment_of(folder / "templates")
    app.router.add_static("/css", folder / "css", follow_symlinks=False)
    app.add_routes(routes)
    return app


@routes.get("/")
async def load(request: web.Request) -> web.Response:
    """The page; 503 with what to do where the worker does not answer."""
    try:
        view = await request.app[READ]()
    except OpenLedgerError as error:
        return _page(request, 503, view=None, error=error.message)
    return _page(request, 200, view=view, error="")


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        _check_host(request)
        _check_token(request)
        reply = await handler(request)
    except web.HTTPException as refusal:
        asks = {"WWW-Authenticate": ASKS} if refusal.status == 401 else {}
        reply = web.Response(status=refusal.status, text=refusal.text, headers=asks)
    for name, value in SECURITY_HEADERS.items():
        reply.headers.setdefault(name, value)
    return reply


def _check_host(request: web.Request) -> None:
    # A page of another site that rebinds its name to our address still sends that name.
    if (request.host.rpartition(":")[0] or request.host) not in LOOPBACK_HOSTS:
        raise web.HTTPMisdirectedRequest(text="This page has no other name than 127.0.0.1 and localhost.")


def _check_token(request: web.Request) -> None:
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    given = _password(sent) if scheme.lower() == "basic" else sent if scheme.lower() == "bearer" else ""
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), request.app[TOKEN].encode()):
        raise web.HTTPUnauthorized(text="The password is the worker's token; the user name does not matter.")


def _password(sent: str) -> str:
    try:
        return base64.b64decode(sent, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _page(request: web.Request, status: int, **values: object) -> web.Response:
    text = request.app[TEMPLATES].get_template("load.html").render(**values)
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-store"}
    return web.Response(text=text, content_type="text/html", status=status, headers=headers)
