"""The worker's HTTP routes over a Unix socket: strict messages in, JSON or server-sent events out.

Torch-free. Every request carries the shared token; every refusal is JSON `{v, code, message}`. Nothing
heavy runs on the event loop: tokenising, loading and attribution have threads of their own, generation has
the engine's.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import structlog
from aiohttp import web

from inference_worker import errors
from inference_worker.adapter_routes import LOADER, AdapterSlow, AdapterUnknown, lease
from inference_worker.adapter_routes import routes as adapter_routes
from inference_worker.adapters.failures import AdapterQuarantined
from inference_worker.adapters.loader import AdapterLoader
from inference_worker.adapters.refusals import AdapterRefused, BrokeWhileServing
from inference_worker.adapters.residency import AdapterHeld, ResidencyFull
from inference_worker.adapters.usage import UsageBook
from inference_worker.blobs.abort import FetchAborted
from inference_worker.engine.constraint import ConstraintBroken
from inference_worker.engine.engine import Engine
from inference_worker.engine.prompt import PromptEncoder
from inference_worker.engine.sampling_rules import SamplingRules
from inference_worker.engine.scheduler import EngineBusy, RequestTooLong
from inference_worker.engine.sequence import Event, Failed, Finished, TokenProduced
from inference_worker.engine.stream import stream
from inference_worker.metrics import Metrics
from protocol.canonical import parse_json
from protocol.errors import ProtocolError
from protocol.hashing import from_hex
from protocol.wire import (
    AdapterInfo,
    AttributeRequest,
    AttributeResult,
    BaseInfo,
    ErrorEvent,
    GenerateRequest,
    GenerateResult,
    JobSpec,
    JobStatus,
    TokenEvent,
    TokenizeRequest,
    TokenizeResult,
    WorkerHealth,
)

log = structlog.get_logger()

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
MAX_FENCES = 65_536

# The first type that fits decides; order matters where one error is a kind of another.
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (ProtocolError, 400),
    (errors.BlobMissing, 404),
    (errors.JobUnknown, 404),
    (AdapterUnknown, 404),
    (errors.JobConflict, 409),
    (AdapterHeld, 409),
    (errors.NodeUnreachable, 503),
    (EngineBusy, 503),
    (ResidencyFull, 503),
    (AdapterSlow, 503),
    (FetchAborted, 503),
    (AdapterRefused, 422),
    (AdapterQuarantined, 422),
    (RequestTooLong, 422),
    (errors.RequestInvalid, 422),
    (errors.RecipeInvalid, 422),
    (errors.AdapterInvalid, 422),
    (errors.BaseMismatch, 422),
    (errors.BlobCorrupt, 502),
    (errors.WorkerError, 500),
)
_R = TypeVar("_R")
_FAILED_STATUSES = {BrokeWhileServing.code: 422, ConstraintBroken.code: 422, "worker_stopping": 503}


class StaleFence(errors.WorkerError):
    """A newer assignment of the same request is known here."""

    code = "stale_fence"

    def __init__(self, request_id: str, newest: int, actual: int) -> None:
        super().__init__(f"request {request_id}: fence {actual} is older than {newest}")
        self.request_id, self.newest, self.actual = request_id, newest, actual


class Attributor(Protocol):
    """Finds the sources of an answer; may block for seconds."""

    def attribute(self, request: AttributeRequest) -> AttributeResult: ...


class Jobs(Protocol):
    """Training and evaluation; calls return at once, the work runs elsewhere."""

    def start(self) -> None: ...
    def close(self) -> None: ...
    def submit(self, spec: JobSpec) -> JobStatus: ...
    def status(self, job_id: str) -> JobStatus: ...
    def statuses(self) -> list[JobStatus]: ...
    def cancel(self, job_id: str) -> JobStatus: ...


class Fences:
    """The newest fencing token of each request, for the most recent requests."""

    def __init__(self, size: int = MAX_FENCES) -> None:
        self._size = size
        self._newest: OrderedDict[tuple[str, str], int] = OrderedDict()

    def check(self, kind: str, request_id: str, fence: int) -> None:
        """Raise StaleFence for a token older than one seen; else remember it."""
        key = (kind, request_id)
        newest = self._newest.get(key, fence)
        if fence < newest:
            raise StaleFence(request_id, newest, fence)
        self._newest[key] = fence
        self._newest.move_to_end(key)
        if len(self._newest) > self._size:
            self._newest.popitem(last=False)


@dataclass(frozen=True)
class Services:
    """Everything the routes speak to.

    The thread pools are two, so that attribution holds up neither tokenising nor health; the loader has its
    own.
    """

    token: str
    base: BaseInfo
    profile_id: str
    prompts: PromptEncoder
    sampling: SamplingRules
    loader: AdapterLoader
    engine: Engine
    attributor: Attributor
    jobs: Jobs
    quick: Executor
    attributing: Executor
    fences: Fences
    metrics: Metrics


SERVICES = web.AppKey("services", Services)
routes = web.RouteTableDef()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(services: Services) -> web.Application:
    """The application with all routes behind the token."""
    app = web.Application(middlewares=[report_errors, require_token], client_max_size=MAX_BODY_BYTES)
    app[SERVICES], app[LOADER] = services, services.loader
    app.add_routes(routes)
    app.add_routes(adapter_routes)
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
    except (errors.WorkerError, ProtocolError) as error:
        return refusal(status_of(error), getattr(error, "code", "malformed_request"), str(error))
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


def status_of(error: Exception) -> int:
    """The HTTP status of an error of ours."""
    if isinstance(error, StaleFence):
        return 409
    return next(status for kind, status in _STATUSES if isinstance(error, kind))


def refusal(status: int, code: str, message: str) -> web.Response:
    """The JSON body of every refusal."""
    return web.json_response(ErrorEvent(code, message[:4096]).to_json(), status=status)


async def read_json(request: web.Request) -> object:
    """The strictly parsed body; raises ProtocolError or HTTP 413."""
    return parse_json(await request.read(), MAX_BODY_BYTES, MAX_DEPTH)


@routes.get("/health")
async def health(request: web.Request) -> web.Response:
    """What this worker is and holds."""
    services = request.app[SERVICES]
    known = services.loader.status().serving()
    adapters = tuple(AdapterInfo(row.cid, row.state) for row in known)
    statuses = await _in_thread(services.quick, services.jobs.statuses)
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
    }
    return web.Response(text=services.metrics.render(gauges))


@routes.post("/tokenize")
async def tokenize(request: web.Request) -> web.Response:
    """Ids of a prompt as generation would see it."""
    services = request.app[SERVICES]
    asked = TokenizeRequest.from_json(await read_json(request))
    ids = await _in_thread(services.quick, services.prompts.encode, asked.messages, asked.prompt)
    return web.json_response(TokenizeResult(ids).to_json())


@routes.post("/generate")
async def generate(request: web.Request) -> web.StreamResponse:
    """Stream an answer; a failure before its first token is an ordinary HTTP refusal."""
    services = request.app[SERVICES]
    asked = GenerateRequest.from_json(await read_json(request))
    services.fences.check("generate", asked.request_id, asked.fence)
    encode = services.prompts.encode
    prompt = await _in_thread(services.quick, encode, asked.messages, asked.prompt, asked.prompt_ids)
    params = await _in_thread(services.quick, services.sampling.resolve, asked.sampling, asked.max_tokens)
    adapter = await lease(services.loader, asked.adapter_cid) if asked.adapter_cid else None
    tenant = asked.tenant or asked.adapter_cid or "base"

    def release() -> None:
        if adapter is not None:
            services.loader.release(adapter.cid)

    events = stream(services.engine, prompt, params, adapter, tenant, release)
    if adapter is not None:
        events = counted(events, services.loader.usage, adapter.cid, len(prompt))
    async with aclosing(events):  # type: ignore[type-var]
        first = await anext(events)
        if isinstance(first, Failed):
            return refusal(_FAILED_STATUSES.get(first.code, 500), first.code, first.message)
        return await _answer(request, prompt, first, events)


async def counted(
    events: AsyncIterator[Event], usage: UsageBook, cid: str, prompt_tokens: int
) -> AsyncIterator[Event]:
    """The same events; what the answer took is booked on its adapter, whichever way it ends once begun."""
    started, begun, produced = time.perf_counter(), False, 0
    try:
        async with aclosing(events):  # type: ignore[type-var]
            async for event in events:
                begun = True
                produced += isinstance(event, TokenProduced)
                yield event
    finally:
        if begun:
            usage.answer(cid, prompt_tokens, produced, time.perf_counter() - started)


async def _answer(
    request: web.Request, prompt: tuple[int, ...], first: Event, rest: AsyncIterator[Event]
) -> web.StreamResponse:
    services = request.app[SERVICES]
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    await response.write(sse(first, prompt, services))
    async for event in rest:
        await response.write(sse(event, prompt, services))
    await response.write_eof()
    return response


def sse(event: Event, prompt: tuple[int, ...], services: Services) -> bytes:
    """One server-sent event."""
    body: dict[str, object]
    if isinstance(event, TokenProduced):
        scores = services.sampling.told(event)
        name, body = "token", TokenEvent(event.index, event.token, event.text, scores).to_json()
    elif isinstance(event, Finished):
        result = GenerateResult(
            prompt, event.output_ids, event.text, event.finish_reason, from_hex(services.profile_id, 32)
        )
        name, body = "done", result.to_json()
    else:
        name, body = "error", ErrorEvent(event.code, event.message[:4096]).to_json()
    return f"event: {name}\ndata: {json.dumps(body, separators=(',', ':'))}\n\n".encode()


@routes.post("/attribute")
async def attribute(request: web.Request) -> web.Response:
    """Sources of an answer, computed beside generation."""
    services = request.app[SERVICES]
    asked = AttributeRequest.from_json(await read_json(request))
    services.fences.check("attribute", asked.request_id, asked.fence)
    result = await _in_thread(services.attributing, services.attributor.attribute, asked)
    return web.json_response(result.to_json())


@routes.post("/jobs")
async def submit_job(request: web.Request) -> web.Response:
    """Start a training or evaluation; the same specification again starts nothing new."""
    services = request.app[SERVICES]
    spec = JobSpec.from_json(await read_json(request))
    status = await _in_thread(services.quick, services.jobs.submit, spec)
    return web.json_response({"v": 1, "job_id": status.job_id})


@routes.get("/jobs/{job_id}")
async def job_status(request: web.Request) -> web.Response:
    """Where a job stands."""
    services = request.app[SERVICES]
    status = await _in_thread(services.quick, services.jobs.status, request.match_info["job_id"])
    return web.json_response(status.to_json())


@routes.delete("/jobs/{job_id}")
async def cancel_job(request: web.Request) -> web.Response:
    """Cancel a job; one that has ended stays as it ended."""
    services = request.app[SERVICES]
    status = await _in_thread(services.quick, services.jobs.cancel, request.match_info["job_id"])
    return web.json_response(status.to_json())


async def _in_thread(pool: Executor, call: Callable[..., _R], *args: object) -> _R:
    return await asyncio.get_running_loop().run_in_executor(pool, partial(call, *args))
