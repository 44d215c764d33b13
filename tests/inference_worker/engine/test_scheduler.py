"""Laws of the scheduler over random traffic: bounds hold, everybody is served, nothing is run twice unless
its pages were taken, and service is shared by weight."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.engine.pages import PAGE_POSITIONS, PagePool
from inference_worker.engine.pieces import cuts_within
from inference_worker.engine.scheduler import EngineBusy, RequestTooLong, Scheduler, SchedulerLimits
from inference_worker.engine.sequence import Admission

LIMITS = SchedulerLimits(
    running=4, waiting=1000, total_positions=160, sequence_positions=128, prefill_tokens=16, first_piece=4
)
REQUESTS = st.lists(st.tuples(st.sampled_from("xyz"), st.integers(1, 60), st.integers(1, 40)), max_size=30)
EVERYTHING = 10**9


def scheduler_of(limits, weights=None):
    return Scheduler(limits, PagePool(limits.total_pages, lambda name: None), weights or {})


def submit_all(scheduler, requests):
    for number, (tenant, prompt, output) in enumerate(requests):
        scheduler.submit(Admission(number, tenant, prompt, prompt + output))


def admit_all(scheduler):
    started = []
    while (admission := scheduler.admit()) is not None:
        started.append(admission)
    return started


class Runs:
    """What a plan makes of each sequence: filled positions, and the most that were ever filled."""

    def __init__(self, requests):
        self.requests = requests
        self.filled, self.best = Counter(), Counter()
        self.preemptions = 0

    def follow(self, plan):
        """Apply one plan, asserting that it continues each sequence where it is; returns what ended."""
        for sequence in plan.preempted:
            self.filled[sequence] = 0
            self.preemptions += 1
        for piece in plan.prefill:
            prompt = self.requests[piece.sequence][1]
            cuts = cuts_within(prompt, LIMITS.first_piece, LIMITS.prefill_tokens)
            assert piece.start == self.filled[piece.sequence] and piece.start in (0, *cuts)
            assert piece.stop in (*cuts, prompt) and piece.last == (piece.stop == prompt)
            self.filled[piece.sequence] = piece.stop
        for sequence in plan.decode:
            assert self.filled[sequence] >= self.requests[sequence][1]
            self.filled[sequence] += 1
        ended = []
        for sequence in [*plan.decode, *(p.sequence for p in plan.prefill if p.last)]:
            self.best[sequence] = max(self.best[sequence], self.filled[sequence])
            _, prompt, output = self.requests[sequence]
            if self.filled[sequence] == prompt + output - 1:
                ended.append(sequence)
        return ended


@given(REQUESTS)
def test_all_requests_run_to_their_end_within_the_bounds(requests):
    """SPEC 4.18, 4.120"""
    scheduler, runs, ended = scheduler_of(LIMITS), Runs(requests), []
    submit_all(scheduler, requests)
    while True:
        admit_all(scheduler)
        if not scheduler.running_count:
            break
        plan = scheduler.plan()
        assert not plan.empty
        assert scheduler.running_count <= LIMITS.running
        assert scheduler.held_positions <= LIMITS.total_positions
        assert sum(p.stop - p.start for p in plan.prefill) <= LIMITS.prefill_tokens
        for sequence in runs.follow(plan):
            ended.append(sequence)
            scheduler.remove(sequence)
    assert sorted(ended) == list(range(len(requests)))
    assert scheduler.held_positions == scheduler.waiting_count == scheduler.running_count == 0


def test_too_little_memory_preempts_the_last_and_all_end():
    """SPEC 4.121"""
    requests = [("x", 20, 40)] * 4
    limits = SchedulerLimits(running=4, total_positions=128, sequence_positions=128, prefill_tokens=64)
    scheduler, runs, ended = scheduler_of(limits), Runs(requests), []
    submit_all(scheduler, requests)
    while len(ended) < 4:
        admit_all(scheduler)
        plan = scheduler.plan()
        assert not plan.preempted or min(plan.preempted) > min(plan.decode)
        for piece in plan.prefill:
            runs.filled[piece.sequence] = piece.stop
        runs.preemptions += len(plan.preempted)
        for sequence in plan.decode:
            runs.filled[sequence] += 1
            if runs.filled[sequence] == 59:
                ended.append(sequence)
                scheduler.remove(sequence)
    assert runs.preemptions and ended[0] == 0 and sorted(ended) == [0, 1, 2, 3]


def admitted_order(requests, running=1):
    scheduler = scheduler_of(SchedulerLimits(running=running, prefill_tokens=1000))
    submit_all(scheduler, requests)
    order = []
    while started := admit_all(scheduler):
        order += [admission.sequence for admission in started]
        for admission in started:
            scheduler.remove(admission.sequence)
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


def saturated(weights, adapters_of, steps=1500):
    """Costs that each tenant of `adapters_of` was served while all of them always have requests in line."""
    limits = SchedulerLimits(running=4, total_positions=4096, prefill_tokens=64, passes=EVERYTHING)
    scheduler, served, left = scheduler_of(limits, weights), Counter(), {}
    number, waiting = 0, Counter()
    for _ in range(steps):
        for place, (tenant, adapters) in enumerate(adapters_of.items()):
            while waiting[tenant] < 5:
                prompt, output = 4 + place, 6 + 2 * place
                scheduler.submit(
                    Admission(number, tenant, prompt, prompt + output, f"{tenant}{number % adapters}")
                )
                left[number] = (tenant, output)
                number, waiting[tenant] = number + 1, waiting[tenant] + 1
        for admission in admit_all(scheduler):
            served[admission.tenant] += admission.prompt_tokens
            waiting[admission.tenant] -= 1
        plan = scheduler.plan()
        for sequence in [*plan.decode, *(p.sequence for p in plan.prefill if p.last)]:
            tenant, more = left[sequence]
            served[tenant] += 2
            left[sequence] = (tenant, more - 1)
            if more == 1:
                scheduler.remove(sequence)
    return served


def test_a_tenant_with_a_hundred_adapters_gets_one_share():
    """SPEC 4.126"""
    served = saturated({}, {"one": 1, "many": 100})
    assert abs(served["many"] / served.total() - 1 / 2) <= 0.05 * 1 / 2


def test_bringing_an_adapter_in_is_paid_for_unless_it_is_there():
    """SPEC 4.125: x and y pay the same for tokens; y also pays 100 for each of its adapters."""
    scheduler = scheduler_of(SchedulerLimits(running=2))
    for number in range(8):
        tenant, cid, nbytes = ("x", "same", 0) if number % 2 else ("y", f"a{number}", 100 * 1024 * 1024)
        scheduler.submit(Admission(number, tenant, 10, 11, cid, nbytes))
    order = []
    while (admission := scheduler.admit()) is not None:
        order.append(admission.tenant)
        scheduler.remove(admission.sequence)
    assert "".join(order) == "yxxxxyyy"


@pytest.mark.parametrize("weights", [{"a": 3, "b": 1}, {"a": 1, "b": 2, "c": 4}], ids=str)
def test_weights_are_honoured(weights):
    """SPEC 4.126"""
    served = saturated(weights, dict.fromkeys(weights, 1))
    for tenant, weight in weights.items():
        part = weight / sum(weights.values())
        assert abs(served[tenant] / served.total() - part) <= 0.05 * part


@pytest.mark.parametrize("crowd", ["A", "fresh"], ids=["one tenant", "a new tenant each time"])
def test_nobody_is_passed_more_often_than_allowed(crowd):
    """SPEC 4.127: A, B, A, A, … where only one adapter fits beside the batch, and B's is the larger."""
    limits = SchedulerLimits(running=2, lane_bytes=10, passes=5)
    scheduler = scheduler_of(limits)
    scheduler.submit(Admission(0, "A", 3, 4, "a", 4))
    admit_all(scheduler)
    scheduler.submit(Admission(1, "B", 3, 4, "b", 8))
    started, running, number = [], [0], 2
    while 1 not in started:
        tenant = crowd if crowd == "A" else f"{crowd}{number}"
        scheduler.submit(Admission(number, tenant, 3, 4, "a", 4))
        new = [admission.sequence for admission in admit_all(scheduler)]
        started, running, number = started + new, running + new, number + 1
        assert len(started) <= limits.passes + 1
        # Two overlap all the time unless nobody may start: the batch never empties by itself.
        if len(running) > 1 or not new:
            scheduler.remove(running.pop(0))


def test_adapters_beside_the_batch_stay_within_their_bytes():
    """SPEC 4.128: requests of the base never wait for that room."""
    scheduler = scheduler_of(SchedulerLimits(running=32, lane_bytes=10))
    for number in range(8):
        scheduler.submit(Admission(number, f"t{number}", 3, 4, f"a{number}", 4))
    scheduler.submit(Admission(8, "base", 3, 4))
    assert [admission.sequence for admission in admit_all(scheduler)] == [0, 1, 8]


def test_an_adapter_larger_than_the_room_runs_alone():
    """SPEC 4.128"""
    scheduler = scheduler_of(SchedulerLimits(lane_bytes=10))
    scheduler.submit(Admission(0, "x", 3, 4, "a", 50))
    scheduler.submit(Admission(1, "y", 3, 4, "b", 1))
    assert [admission.sequence for admission in admit_all(scheduler)] == [0]


def test_a_known_beginning_is_neither_run_nor_charged():
    """SPEC 4.122, 4.125"""
    scheduler = scheduler_of(SchedulerLimits(running=1, prefill_tokens=16, first_piece=4))
    for number, tenant in enumerate("xyxy"):
        scheduler.submit(Admission(number, tenant, 20, 21))
    order = []
    while (admission := scheduler.admit()) is not None:
        order.append(admission.sequence)
        if admission.tenant == "y":
            scheduler.skip(admission.sequence, 16)
        pieces = [piece for _ in range(2) for piece in scheduler.plan().prefill]
        assert pieces[0].start == (16 if admission.tenant == "y" else 0) and pieces[-1].stop == 20
        scheduler.remove(admission.sequence)
    assert order == [0, 1, 3, 2]


@given(REQUESTS, st.sets(st.integers(0, 29)))
def test_removed_requests_leave_nothing_behind(requests, removed):
    """SPEC 4.18"""
    scheduler = scheduler_of(LIMITS)
    submit_all(scheduler, requests)
    admit_all(scheduler)
    scheduler.plan()
    for number in removed:
        scheduler.remove(number)
    left = len(requests) - len(removed & set(range(len(requests))))
    assert scheduler.waiting_count + scheduler.running_count == left
    for number in range(len(requests)):
        scheduler.remove(number)
    assert scheduler.held_positions == 0 and scheduler.admit() is None
    assert scheduler.plan().empty and scheduler._shares.remembered == 0


def test_limits_are_refused_by_type():
    """SPEC 4.24"""
    scheduler = scheduler_of(SchedulerLimits(waiting=1, sequence_positions=10))
    with pytest.raises(RequestTooLong) as refusal:
        scheduler.check(Admission(0, "x", 5, 11))
    assert (refusal.value.reserved, refusal.value.cap) == (11, 10)
    scheduler.submit(Admission(1, "x", 5, 10))
    with pytest.raises(EngineBusy):
        scheduler.check(Admission(2, "x", 5, 10))


def test_no_sequence_may_need_more_than_all_pages():
    """SPEC 4.24"""
    scheduler = scheduler_of(SchedulerLimits(total_positions=3 * PAGE_POSITIONS + 5))
    with pytest.raises(RequestTooLong):
        scheduler.check(Admission(0, "x", 5, 3 * PAGE_POSITIONS + 1))
    scheduler.check(Admission(0, "x", 5, 3 * PAGE_POSITIONS))
