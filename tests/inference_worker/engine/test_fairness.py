"""Shares of service: equal to a book that forgets nothing, and in the proportion of the weights."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_worker.engine.fairness import LOAD_BYTES_PER_COST, FairShares, load_cost

TENANTS = st.sampled_from("abcd")
WEIGHTS = {"a": 3, "b": 2}
# Weights whose quotients are exact, so that the two books may be compared for equality.
EXACT = {"a": 4, "b": 2}
EVENTS = st.lists(st.tuples(st.sampled_from(["join", "leave", "charge"]), TENANTS, st.integers(1, 50)))


class Remembering:
    """The rule as it is stated, without forgetting: everybody's counter for ever, reset when all are idle."""

    def __init__(self):
        self.requests, self.counters = Counter(), Counter()

    def active(self):
        return [t for t in "abcd" if self.requests[t]]

    def join(self, tenant):
        others = [self.counters[t] for t in self.active()]
        if not self.requests[tenant]:
            self.counters[tenant] = max(self.counters[tenant], min(others, default=0))
        self.requests[tenant] += 1

    def leave(self, tenant):
        self.requests[tenant] -= 1
        if not self.active():
            self.counters.clear()

    def charge(self, tenant, cost):
        self.counters[tenant] += cost / EXACT.get(tenant, 1)


@given(EVENTS)
def test_counters_equal_those_that_are_never_forgotten(events):
    """SPEC 4.125"""
    shares, naive = FairShares(EXACT), Remembering()
    for kind, tenant, cost in events:
        if kind != "join" and not naive.requests[tenant]:
            continue
        for book in (shares, naive):
            book.charge(tenant, cost) if kind == "charge" else getattr(book, kind)(tenant)
        assert {t: shares.level(t) for t in naive.active()} == {t: naive.counters[t] for t in naive.active()}
    if not naive.active():
        assert shares.remembered == 0


@settings(max_examples=20)
@given(st.lists(st.integers(1, 40), min_size=3, max_size=3))
def test_service_is_in_proportion_to_the_weights(costs):
    """SPEC 4.126: within one charge of each other at any time, so within 5 % soon."""
    shares, served = FairShares(WEIGHTS), Counter()
    for tenant in "abc":
        shares.join(tenant)
    for _ in range(2000):
        tenant = min("abc", key=shares.level)
        cost = costs["abc".index(tenant)]
        shares.charge(tenant, cost)
        served[tenant] += cost
        levels = [shares.level(t) for t in "abc"]
        assert max(levels) - min(levels) <= max(costs)
    total = served.total()
    for tenant, part in (("a", 3 / 6), ("b", 2 / 6), ("c", 1 / 6)):
        assert abs(served[tenant] / total - part) <= 0.05 * part


def test_idleness_neither_saves_nor_owes():
    """SPEC 4.125"""
    shares = FairShares({})
    shares.join("busy")
    shares.charge("busy", 100)
    shares.join("fresh")
    assert shares.level("fresh") == 100
    shares.charge("fresh", 50)
    shares.leave("fresh")
    shares.join("fresh")
    assert shares.level("fresh") == 150


@pytest.mark.parametrize(("nbytes", "cost"), [(0, 0), (1, 1), (LOAD_BYTES_PER_COST, 1), (10**7, 10)])
def test_the_cost_of_a_load_is_its_bytes(nbytes, cost):
    """SPEC 4.125"""
    assert load_cost(nbytes) == cost
