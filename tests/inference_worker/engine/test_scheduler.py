"""Laws of the scheduler over random traffic: bounds hold, everybody is served, nobody is run twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.engine.scheduler import EngineBusy, RequestTooLong, Scheduler, SchedulerLimits
from inference_worker.engine.sequence import Admission

LIMITS = SchedulerLimits(
    running=4, waiting=1000, total_positions=120, sequence_positions=100, prefill_tokens=16
)
REQUESTS = st.lists(st.tuples(st.sampled_from("xyz"), st.integers(1, 60), st.integers(1, 40)), max_size=30)


def submit_all(scheduler, requests):
    for number, (tenant, prompt, output) in enumerate(requests):
        scheduler.submit(Admission(number, tenant, prompt, prompt + output))


@given(REQUESTS)
def test_all_requests_run_to_their_end_within_the_bounds(requests):
    """SPEC 4.18"""
    scheduler = Scheduler(LIMITS)
    submit_all(scheduler, requests)
    prefilled, produced = dict.fromkeys(range(len(requests)), 0), dict.fromkeys(range(len(requests)), 0)
    while not (plan := scheduler.plan()).empty:
        assert scheduler.running_count <= LIMITS.running
        assert scheduler.reserved_positions <= LIMITS.total_positions
        assert sum(p.stop - p.start for p in plan.prefill) <= LIMITS.prefill_tokens
        for piece in plan.prefill:
            assert piece.start == prefilled[piece.sequence] and piece.start % LIMITS.prefill_tokens == 0
            prefilled[piece.sequence] = piece.stop
            assert piece.last == (piece.stop == requests[piece.sequence][1])
        for sequence in [*plan.decode, *(p.sequence for p in plan.prefill if p.last)]:
            assert prefilled[sequence] == requests[sequence][1]
            produced[sequence] += 1
            if produced[sequence] == requests[sequence][2]:
                scheduler.remove(sequence)
    assert all(produced[i] == output for i, (_, _, output) in enumerate(requests))
    assert scheduler.reserved_positions == scheduler.waiting_count == scheduler.running_count == 0


def admitted_order(requests, running=1):
    scheduler = Scheduler(SchedulerLimits(running=running, prefill_tokens=1000))
    submit_all(scheduler, requests)
    order = []
    while not (plan := scheduler.plan()).empty:
        for piece in plan.prefill:
            order.append(piece.sequence)
        for sequence in {p.sequence for p in plan.prefill} | set(plan.decode):
            scheduler.remove(sequence)
    return order


@given(REQUESTS)
def test_first_come_first_served_within_a_tenant(requests):
    """SPEC 4.19"""
    order = admitted_order(requests)
    for tenant in "xyz":
        mine = [i for i in order if requests[i][0] == tenant]
        assert mine == sorted(mine)


def test_a_tenant_with_many_requests_waits_behind_its_own():
    """SPEC 4.19"""
    order = admitted_order([("x", 5, 1)] * 10 + [("y", 5, 1), ("z", 5, 1)])
    assert order[:3] == [0, 10, 11]


@given(REQUESTS, st.sets(st.integers(0, 29)))
def test_removed_requests_leave_nothing_behind(requests, removed):
    """SPEC 4.18"""
    scheduler = Scheduler(LIMITS)
    submit_all(scheduler, requests)
    scheduler.plan()
    for number in removed:
        scheduler.remove(number)
    left = len(requests) - len(removed & set(range(len(requests))))
    assert scheduler.waiting_count + scheduler.running_count == left
    for number in range(len(requests)):
        scheduler.remove(number)
    assert scheduler.reserved_positions == 0
    assert scheduler.plan().empty


def test_limits_are_refused_by_type():
    """SPEC 4.24"""
    scheduler = Scheduler(SchedulerLimits(waiting=1, sequence_positions=10))
    with pytest.raises(RequestTooLong) as refusal:
        scheduler.submit(Admission(0, "x", 5, 11))
    assert (refusal.value.reserved, refusal.value.cap) == (11, 10)
    scheduler.submit(Admission(1, "x", 5, 10))
    with pytest.raises(EngineBusy):
        scheduler.submit(Admission(2, "x", 5, 10))
