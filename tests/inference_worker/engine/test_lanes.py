"""Lane assignment: every wanted row is served once by a lane that holds its adapter, with the fewest
copies."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from inference_worker.engine.lanes import assign_lanes, shared_ids

ADAPTER = st.sampled_from("abcdef")


@given(st.lists(st.none() | ADAPTER, max_size=12), st.lists(ADAPTER, max_size=12))
def test_each_row_meets_its_own_adapter(held, wanted):
    """SPEC 4.13"""
    plan = assign_lanes(held, wanted)
    lanes = [held[i] if i < len(held) else None for i in range(len(wanted))]
    for lane, cid in plan.copies:
        lanes[lane] = cid
    assert sorted(plan.rows) == list(range(len(wanted)))
    assert [wanted[row] for row in plan.rows] == lanes
    reusable = Counter(c for c in held[: len(wanted)] if c) & Counter(wanted)
    assert len(plan.copies) == len(wanted) - reusable.total()


@given(st.lists(ADAPTER, max_size=20), st.integers(1, 6))
def test_shared_are_those_with_enough_rows(wanted, threshold):
    """SPEC 4.13"""
    assert shared_ids(wanted, threshold) == {c for c in wanted if wanted.count(c) >= threshold}


def test_unchanged_batch_needs_no_copy():
    """SPEC 4.13"""
    plan = assign_lanes(["a", "b", "a", None], ["a", "a", "b"])
    assert plan.copies == ()
