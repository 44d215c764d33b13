"""Every error of the node has one answer, and what is not the caller's business is not told."""

import pytest

from node import errors
from node.api.problems import Problem, body_of, problem_of, response_of
from node.payments.credit import NotEnoughCredit
from node.payments.session import Unauthenticated
from node.payments.vouchers import VoucherMismatch, VoucherNotAuthorised
from node.store.jobs import IdempotencyConflict


@pytest.mark.parametrize(
    ("error", "status", "code", "retry"),
    [
        (errors.InvalidInput("x"), 400, "invalid_request", False),
        (Unauthenticated("x"), 401, "invalid_api_key", False),
        (NotEnoughCredit("x"), 402, "not_enough_credit", False),
        (VoucherNotAuthorised("x"), 403, "voucher_not_authorised", False),
        (errors.NotFound("x"), 404, "not_found", False),
        (IdempotencyConflict("x"), 409, "idempotency_conflict", False),
        (VoucherMismatch("x"), 409, "voucher_mismatch", False),
        (errors.LimitExceeded("x"), 413, "limit_exceeded", False),
        (errors.Busy("x"), 429, "busy", True),
        (errors.WorkerUnreachable("x"), 503, "worker_unreachable", True),
        (errors.IntegrityError("x"), 500, "internal_error", False),
        (errors.ChainReverted("Panic"), 500, "internal_error", False),
    ],
)
def test_each_category_has_one_answer(
    error: errors.OpenLedgerError, status: int, code: str, retry: bool
) -> None:
    """SPEC 4.61"""
    found = problem_of(error)
    assert (found.status, found.code, found.retry) == (status, code, retry)


def test_facts_of_an_internal_error_stay_inside() -> None:
    """SPEC 4.61"""
    found = problem_of(errors.IntegrityError("hash differs", path="/var/lib/secret"))
    assert "secret" not in str(body_of(found))
    assert "hash" not in str(body_of(found))


@pytest.mark.parametrize(("wait", "sent"), [(0, "1"), (0.2, "1"), (7.1, "8"), (9999, "120")])
def test_retry_after_is_a_whole_number_that_clients_obey(wait: float, sent: str) -> None:
    """SPEC 4.61"""
    answer = response_of(Problem(429, "busy", "x", retry=True, retry_after=wait))
    assert answer.headers["Retry-After"] == sent
    assert answer.headers["x-should-retry"] == "true"
