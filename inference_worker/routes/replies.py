"""Bodies in and refusals out: every refusal is JSON `{v, code, message}` with a fitting status."""

from __future__ import annotations

from aiohttp import web

from inference_worker import errors
from inference_worker.adapters.failures import AdapterQuarantined
from inference_worker.adapters.packing_process import PackingProcessDied
from inference_worker.adapters.refusals import AdapterRefused, BrokeWhileServing
from inference_worker.adapters.residency import AdapterHeld, ResidencyFull
from inference_worker.attribution.process import AttributionProcessDied, PublicDataUnreadable
from inference_worker.blobs.abort import FetchAborted
from inference_worker.engine.constraint import ConstraintBroken
from inference_worker.engine.scheduler import EngineBusy, EngineStopping, RequestTooLong
from inference_worker.engine.sequence import Failed
from inference_worker.routes.adapters import AdapterSlow, AdapterUnknown
from inference_worker.routes.fences import StaleFence
from inference_worker.routes.turns import LineFull
from protocol.canonical import parse_json
from protocol.errors import ProtocolError
from protocol.wire import ErrorEvent

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32

# The first type that fits decides; order matters where one error is a kind of another.
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (ProtocolError, 400),
    (errors.BlobMissing, 404),
    (errors.JobUnknown, 404),
    (AdapterUnknown, 404),
    (StaleFence, 409),
    (errors.JobConflict, 409),
    (AdapterHeld, 409),
    (errors.NodeUnreachable, 503),
    (errors.BackendUnavailable, 503),
    (EngineBusy, 503),
    (EngineStopping, 503),
    (ResidencyFull, 503),
    (AdapterSlow, 503),
    (FetchAborted, 503),
    (PackingProcessDied, 503),
    (AttributionProcessDied, 503),
    (LineFull, 503),
    (AdapterRefused, 422),
    (AdapterQuarantined, 422),
    (RequestTooLong, 422),
    (errors.RequestInvalid, 422),
    (errors.RecipeInvalid, 422),
    (errors.AdapterInvalid, 422),
    (errors.BaseMismatch, 422),
    (errors.BlobCorrupt, 502),
    (PublicDataUnreadable, 502),
    (errors.WorkerError, 500),
)
# Whole seconds after which asking again may help: at once where something only has to end or to arrive, else
# when a failed load is no longer remembered, or what was stopped may stand again.
_RETRY_SECONDS: tuple[tuple[type[Exception], int], ...] = (
    (EngineBusy, 1),
    (ResidencyFull, 1),
    (AdapterSlow, 1),
    (errors.NodeUnreachable, 5),
    (FetchAborted, 5),
    (EngineStopping, 5),
    (PackingProcessDied, 5),
    (AttributionProcessDied, 5),
    (LineFull, 1),
    (errors.BackendUnavailable, 30),
)
_STOPPING, _GONE = EngineStopping.code, errors.BackendUnavailable.code
_FAILED_SECONDS = {_STOPPING: 5, _GONE: 30}
_FAILED_STATUSES = {BrokeWhileServing.code: 422, ConstraintBroken.code: 422, _STOPPING: 503, _GONE: 503}


def refusal_of(error: errors.WorkerError | ProtocolError) -> web.Response:
    """The answer to an error of ours that ended a request."""
    status = next(status for kind, status in _STATUSES if isinstance(error, kind))
    seconds = next((seconds for kind, seconds in _RETRY_SECONDS if isinstance(error, kind)), None)
    return refusal(status, getattr(error, "code", "malformed_request"), str(error), seconds)


def refusal_of_failure(failed: Failed) -> web.Response:
    """The answer where generation failed before its first token."""
    seconds = _FAILED_SECONDS.get(failed.code)
    return refusal(_FAILED_STATUSES.get(failed.code, 500), failed.code, failed.message, seconds)


def refusal(status: int, code: str, message: str, retry_seconds: int | None = None) -> web.Response:
    """The JSON body of every refusal; `retry_seconds` says when asking again may help."""
    headers = {} if retry_seconds is None else {"Retry-After": str(retry_seconds)}
    body = ErrorEvent(code, message[:4096]).to_json()
    return web.json_response(body, status=status, headers=headers)


async def read_json(request: web.Request) -> object:
    """The strictly parsed body; raises ProtocolError or HTTP 413."""
    return parse_json(await request.read(), MAX_BODY_BYTES, MAX_DEPTH)
