"""The worker's HTTP application over a Unix socket: strict messages in, JSON or server-sent events out.

Torch-free. Every request carries the shared token; every refusal is JSON `{v, code, message}`. Nothing
heavy runs on the event loop: tokenising, loading and attribution have threads of their own, generation has
the engine's.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from inference_worker.errors import WorkerError
from inference_worker.routes import adapters, attribute, generate, jobs, state
from inference_worker.routes.replies import MAX_BODY_BYTES, refusal, refusal_of
from inference_worker.routes.services import SERVICES, Services
from protocol.errors import ProtocolError

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ROUTES = (state.routes, generate.routes, adapters.routes, attribute.routes, jobs.routes)


def create_app(services: Services) -> web.Application:
    """The application with all routes behind the token."""
    app = web.Application(middlewares=[report_errors, require_token], client_max_size=MAX_BODY_BYTES)
    app[SERVICES], app[adapters.LOADER] = services, services.loader
    for routes in ROUTES:
        app.add_routes(routes)
    return app


@web.middleware
async def report_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every exception into its status and a JSON body, and count the answer."""
    reply = await _reply_of(request, handler)
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    request.app[SERVICES].metrics.count("requests_total", route=route, status=str(reply.status))
    return reply


async def _reply_of(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return refusal(error.status, f"http_{error.status}", error.reason)
    except (WorkerError, ProtocolError) as error:
        return refusal_of(error)
    except Exception as error:
        log.exception("request_failed", path=request.path)
        return refusal(500, "internal_error", type(error).__name__)


@web.middleware
async def require_token(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse whoever does not hold the token, before anything of the request is read."""
    given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
    expected = f"Bearer {request.app[SERVICES].token}".encode()
    if not hmac.compare_digest(given, expected):
        raise web.HTTPUnauthorized(reason="bearer token missing or wrong")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise web.HTTPUnsupportedMediaType(reason="compressed bodies are not taken")
    return await handler(request)
