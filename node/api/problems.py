"""Errors as the OpenAI API states them: `{"error": {message, type, code, param}}` with a fitting status.

Clients retry 408, 409, 429 and every 5xx by themselves, so a problem says `x-should-retry: false` wherever
a second try could bill again or cannot help. Unexpected exceptions become a 500 that tells the client
nothing but its request id.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from node import errors
from node.payments.session import Unauthenticated
from node.payments.vouchers import VoucherMismatch

log = structlog.get_logger(component="api")

# The stock client ignores a longer Retry-After and gives up.
MAX_RETRY_AFTER_SECONDS = 120


# Not frozen: Python itself sets attributes of an exception while it travels.
@dataclass(eq=False)
class Problem(Exception):
    """An answer that is an error. `retry` False forbids a client's automatic second try."""

    status: int
    code: str
    message: str
    param: str | None = None
    retry: bool = False
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    409: "conflict_error",
    429: "rate_limit_error",
}

# The first class that matches wins, so a subclass stands before its base.
_STATUS: tuple[tuple[type[errors.OpenLedgerError], int, str, bool], ...] = (
    (errors.Busy, 429, "busy", True),
    (Unauthenticated, 401, "invalid_api_key", False),
    # The payer's mistake, although for a node of ours it would be one of integrity.
    (VoucherMismatch, 409, "voucher_mismatch", False),
    (errors.PaymentRequired, 402, "payment_required", False),
    (errors.Refused, 403, "refused", False),
    (errors.LimitExceeded, 413, "limit_exceeded", False),
    (errors.InvalidInput, 400, "invalid_request", False),
    (errors.NotFound, 404, "not_found", False),
    (errors.Conflict, 409, "conflict", False),
    (errors.Unavailable, 503, "unavailable", True),
)


def invalid(param: str | None, message: str, code: str = "invalid_value") -> Problem:
    """A 400 that names the parameter."""
    return Problem(400, code, message, param)


def problem_of(error: errors.OpenLedgerError) -> Problem:
    """The answer to an error of ours; what is not the caller's business becomes an opaque 500."""
    for kind, status, code, retry in _STATUS:
        if isinstance(error, kind):
            facts = error.facts
            named, param, after = (
                facts.get("code", _code(error, kind, code)),
                facts.get("param"),
                facts.get("retry_after"),
            )
            wait = float(str(after)) if after is not None else 1.0 if retry else None
            return Problem(int(str(facts.get("status", status))), str(named), error.message,
                           None if param is None else str(param), retry, wait)  # fmt: skip
    return Problem(500, "internal_error", "the node could not complete this request")


def _code(error: errors.OpenLedgerError, kind: type, code: str) -> str:
    """A stage's own subclass names its code: `NotEnoughCredit` is `not_enough_credit`."""
    name = type(error).__name__
    if type(error) is kind:
        return code
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def body_of(problem: Problem) -> dict[str, dict[str, str | None]]:
    """The error object, for a response or for an event in the middle of a stream."""
    kind = _TYPES.get(problem.status, "server_error" if problem.status >= 500 else "invalid_request_error")
    return {"error": {"message": problem.message, "type": kind, "code": problem.code, "param": problem.param}}


def response_of(problem: Problem) -> web.Response:
    """The whole HTTP answer."""
    headers = dict(problem.headers)
    headers["x-should-retry"] = "true" if problem.retry else "false"
    if problem.retry_after is not None:
        headers["Retry-After"] = str(min(MAX_RETRY_AFTER_SECONDS, max(1, math.ceil(problem.retry_after))))
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = json.dumps(body_of(problem), ensure_ascii=False).encode("utf-8", "replace")
    return web.Response(status=problem.status, body=body, content_type="application/json", headers=headers)


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever a handler raises, the client gets our shape."""
    try:
        return await handler(request)
    except Problem as problem:
        return response_of(problem)
    except errors.OpenLedgerError as error:
        answer = problem_of(error)
        if answer.status >= 500:
            log.error("request_failed", path=request.path, error=str(error), kind=type(error).__name__)
        return response_of(answer)
    except web.HTTPException as error:
        return _translated(error)
    except Exception:
        # The border of the process: a mistake of ours ends one request, and the client still gets our shape.
        log.exception("request_broke", path=request.path)
        return response_of(Problem(500, "internal_error", "the node could not complete this request"))


def _translated(error: web.HTTPException) -> web.StreamResponse:
    """aiohttp's own refusals in our shape; redirects pass."""
    if error.status < 400:
        return error
    code = error.reason.lower().replace(" ", "_")
    headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    return response_of(Problem(error.status, code, error.text or error.reason, headers=headers))
