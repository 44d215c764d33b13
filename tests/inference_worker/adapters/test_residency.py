"""Laws of residency: the budget holds at every step, and whatever is in use stays."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.adapters.residency import AdapterHeld, Residency, ResidencyFull

BUDGET = 100


class Model:
    """The same book, written for clarity: bytes, holds and pins of each adapter, and what left while held."""

    def __init__(self):
        self.sizes, self.leases, self.pinned, self.leaving = {}, {}, set(), {}

    def held(self, cid):
        return self.leases.get(cid, 0) > 0 or cid in self.pinned

    def used(self):
        return sum(self.sizes.values()) + sum(size for size, _ in self.leaving.values())

    def remove(self, cid):
        size, leases = self.sizes.pop(cid), self.leases.pop(cid, 0)
        self.pinned.discard(cid)
        if leases:
            before, held = self.leaving.get(cid, (0, 0))
            self.leaving[cid] = (before + size, held + leases)

    def release(self, cid):
        if cid in self.leaving:
            size, held = self.leaving.pop(cid)
            if held > 1:
                self.leaving[cid] = (size, held - 1)
        else:
            self.leases[cid] -= 1


def admit(residency, model, cid, size):
    before, known = residency.order(), cid in residency
    idle = [c for c in before if not model.held(c)]
    if not known and size > BUDGET - model.used() + sum(model.sizes[c] for c in idle):
        with pytest.raises(ResidencyFull):
            residency.admit(cid, size)
        assert residency.order() == before
        return
    evicted = residency.admit(cid, size)
    # Eviction takes the least recently used of what is not held, and of those no more than needed.
    assert evicted == tuple(idle[: len(evicted)])
    for victim in evicted:
        model.remove(victim)
    model.sizes.setdefault(cid, size)


def lease(residency, model, cid, size):
    if cid in residency:
        residency.lease(cid)
        model.leases[cid] = model.leases.get(cid, 0) + 1
        assert residency.order()[-1] == cid


def release(residency, model, cid, size):
    if model.leases.get(cid) or cid in model.leaving:
        residency.release(cid)
        model.release(cid)


def pin(residency, model, cid, size):
    if cid in residency:
        residency.pin(cid)
        model.pinned.add(cid)


def unpin(residency, model, cid, size):
    if cid in residency:
        residency.pin(cid, pinned=False)
        model.pinned.discard(cid)


def drop(residency, model, cid, size):
    if cid in residency:
        model.remove(cid)
    residency.drop(cid)


def evict(residency, model, cid, size):
    known = cid in residency
    if known and model.held(cid):
        with pytest.raises(AdapterHeld):
            residency.evict(cid)
        return
    assert residency.evict(cid) == known
    if known:
        model.remove(cid)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from([admit, lease, release, pin, unpin, drop, evict]),
        st.integers(0, 9),
        st.integers(1, 60),
    ),
    max_size=60,
)


@given(ACTIONS)
def test_budget_holds_and_held_adapters_stay(actions):
    """SPEC 4.9, 4.106"""
    residency, model = Residency(BUDGET), Model()
    for action, number, size in actions:
        action(residency, model, f"a{number}", size)
        assert residency.used == model.used() <= BUDGET
        assert residency.used + residency.free == BUDGET
        accounts = residency.accounts()
        assert {c: r.nbytes for c, r in accounts.items()} == model.sizes
        assert all(r.leases == model.leases.get(c, 0) for c, r in accounts.items())
        assert {c for c, r in accounts.items() if r.pinned} == model.pinned


def test_bytes_of_a_dropped_adapter_are_free_when_its_last_request_ends():
    """SPEC 4.106"""
    residency = Residency(BUDGET)
    residency.admit("a", 50)
    residency.lease("a")
    residency.lease("a")
    residency.drop("a")
    residency.admit("a", 40)
    with pytest.raises(ResidencyFull):
        residency.admit("b", 61)
    residency.release("a")
    assert residency.used == 90
    residency.release("a")
    assert residency.used == 40 and residency.evict("a")


def test_adapter_above_the_whole_budget_is_refused_with_nothing_evicted():
    """SPEC 4.9"""
    residency = Residency(BUDGET)
    residency.admit("a", 60)
    with pytest.raises(ResidencyFull):
        residency.admit("b", 101)
    assert "a" in residency


@pytest.mark.parametrize(
    "module",
    [
        "adapters.residency",
        "adapters.catalog",
        "adapters.failures",
        "adapters.status",
        "adapters.lora_config",
        "engine.scheduler",
        "engine.lanes",
    ],
)
def test_policies_need_no_torch(module):
    """SPEC 4.9: the decisions are pure, so they can be tested and reused without a tensor library."""
    code = f"import sys; sys.modules['torch'] = None; import inference_worker.{module}"
    subprocess.run([sys.executable, "-c", code], check=True)
