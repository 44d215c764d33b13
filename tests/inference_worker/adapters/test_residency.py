"""Laws of residency: the budget holds at every step, and whatever is in use stays."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.adapters.residency import Residency, ResidencyFull

BUDGET = 100
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "lease", "release", "pin", "unpin", "drop"]),
        st.integers(0, 9),
        st.integers(1, 60),
    ),
    max_size=60,
)


@given(ACTIONS)
def test_budget_holds_and_held_adapters_stay(actions):
    """SPEC 4.9"""
    residency, sizes, leases, pinned = Residency(BUDGET), {}, {}, set()
    for action, number, size in actions:
        cid = f"a{number}"
        if action == "admit":
            before = residency.order()
            held = {c for c in before if leases.get(c) or c in pinned}
            if cid not in residency and size > BUDGET - sum(sizes[c] for c in held):
                with pytest.raises(ResidencyFull):
                    residency.admit(cid, size)
                assert residency.order() == before
                continue
            evicted = residency.admit(cid, size)
            sizes.setdefault(cid, size)
            # Eviction takes the least recently used of what is not held, and of those no more than needed.
            assert evicted == tuple(c for c in before if c not in held)[: len(evicted)]
            for victim in evicted:
                del sizes[victim]
                leases[victim] = 0
        elif cid in residency:
            if action == "lease":
                residency.lease(cid)
                leases[cid] = leases.get(cid, 0) + 1
                assert residency.order()[-1] == cid
            elif action == "release" and leases.get(cid):
                residency.release(cid)
                leases[cid] -= 1
            elif action in ("pin", "unpin"):
                residency.pin(cid, action == "pin")
                (pinned.add if action == "pin" else pinned.discard)(cid)
            elif action == "drop":
                residency.drop(cid)
                del sizes[cid]
                leases[cid] = 0
                pinned.discard(cid)
        assert residency.used == sum(sizes.values()) <= BUDGET
        assert all(residency.leases(c) == leases.get(c, 0) for c in residency.order())


def test_release_after_drop_is_harmless():
    """SPEC 4.9"""
    residency = Residency(BUDGET)
    residency.admit("a", 50)
    residency.lease("a")
    residency.drop("a")
    residency.release("a")
    assert residency.used == 0


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
        "adapters.lora_config",
        "engine.scheduler",
        "engine.lanes",
    ],
)
def test_policies_need_no_torch(module):
    """SPEC 4.9: the decisions are pure, so they can be tested and reused without a tensor library."""
    code = f"import sys; sys.modules['torch'] = None; import inference_worker.{module}"
    subprocess.run([sys.executable, "-c", code], check=True)
