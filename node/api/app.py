"""The public HTTP application: its parts put together, its limits, and the rules for every request."""

import time
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from node.api import chain_proxy, inference, keys, receipts, status
from node.api.connections import GuardedSite, guard_of
from node.api.limits import InFlight
from node.api.parameters import Limits
from node.api.ports import Answers, Chain, Health, Models, Network, Pipeline
from node.api.problems import Problem, answer_problems
from node.api.rechecks import Rechecks, add_rechecks
from node.metrics import Registry

MAX_HEADER_BYTES = 8190
MAX_HEADERS = 64
KEEPALIVE_SECONDS = 30.0
HEAD_SECONDS = 10.0
CONNECTIONS_BY_ADDRESS = 512
DRAIN_SECONDS = 20.0
READ_BUFFER_BYTES = 1 << 16
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Parts:
    """The rest of the node, as the API sees it."""

    pipeline: Pipeline
    models: Models
    answers: Answers
    health: Health
    chain: Chain
    network: Network
    metrics: Registry
    rechecks: Rechecks | None = None


@dataclass(frozen=True)
class ApiSettings:
    """Plain values from the configuration. `allowed_hosts` empty means loopback names only; "*" means any."""

    allowed_hosts: tuple[str, ...]
    public_url: str
    max_body_bytes: int
    max_in_flight: int
    max_in_flight_per_client: int
    limits: Limits
    timeouts: keys.Timeouts


def build_app(parts: Parts, settings: ApiSettings) -> web.Application:
    """The application without the pages; `node.api.site` adds those."""
    app = web.Application(
        middlewares=[_guarded, _counted, answer_problems, _known_host],
        client_max_size=settings.max_body_bytes,
    )
    app[keys.PIPELINE], app[keys.MODELS], app[keys.ANSWERS] = parts.pipeline, parts.models, parts.answers
    app[keys.HEALTH], app[keys.CHAIN], app[keys.NETWORK] = parts.health, parts.chain, parts.network
    app[keys.METRICS] = parts.metrics
    app[keys.LIMITS], app[keys.TIMEOUTS], app[keys.PUBLIC_URL] = (
        settings.limits,
        settings.timeouts,
        settings.public_url,
    )
    app[keys.IN_FLIGHT] = InFlight(settings.max_in_flight, settings.max_in_flight_per_client)
    app[keys.ALLOWED_HOSTS] = frozenset(settings.allowed_hosts) | LOOPBACK_HOSTS
    for module in (inference, receipts, status, chain_proxy):
        app.add_routes(module.routes)
    if parts.rechecks is not None:
        add_rechecks(app, parts.rechecks)
    app.on_response_prepare.append(_secured)
    return app


async def listen(
    app: web.Application,
    host: str,
    port: int,
    head_seconds: float = HEAD_SECONDS,
    connections_by_address: int = CONNECTIONS_BY_ADDRESS,
) -> tuple[web.AppRunner, int]:
    """Starts to listen and says on which port; `cleanup()` of the runner drains and ends it."""
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=KEEPALIVE_SECONDS,
        shutdown_timeout=DRAIN_SECONDS,
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
        read_bufsize=READ_BUFFER_BYTES,
        # A compressed body is refused by its header, so nothing may inflate it before we look.
        auto_decompress=False,
    )
    await runner.setup()
    await GuardedSite(runner, host, port, head_seconds, connections_by_address).start()
    return runner, int(runner.addresses[0][1])


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    guard = guard_of(request)
    if guard is None:
        return await handler(request)
    guard.request_begun()
    try:
        return await handler(request)
    finally:
        guard.request_ended()


@web.middleware
async def _counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    begun = time.perf_counter()
    response = await handler(request)
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "none"
    registry = request.app[keys.METRICS]
    requests = registry.counter("openledger_http_requests_total", "Requests by route and status.")
    requests.add(route=route, status=str(response.status))
    seconds = registry.histogram("openledger_http_request_seconds", "Time to the end of the answer.")
    seconds.observe(time.perf_counter() - begun, route=route)
    return response


@web.middleware
async def _known_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page of another site that rebinds its name to our address still sends that name."""
    allowed = request.app[keys.ALLOWED_HOSTS]
    name = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdigit() else request.host
    if "*" not in allowed and name not in allowed:
        raise Problem(421, "unknown_host", f"this node is not called {request.host[:128]!r}")
    return await handler(request)


async def _secured(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
