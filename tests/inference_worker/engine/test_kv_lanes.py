"""Lanes: the first free one is taken, and what was left in it is gone."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_worker.engine.kv_lanes import LANE_POSITIONS, SLAB_LANES, LanePool, unbacked
from tests.inference_worker.adapters.peft_folders import shape


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10**6)), max_size=120))
def test_a_taken_lane_is_the_first_free_one_and_zero(steps):
    """SPEC 4.181: whoever was in it before; no two have the same."""
    pool, held = LanePool(shape()), []
    for takes, number in steps:
        if takes or not held:
            lane = pool.take(20)
            taken = [other.index for other in held if other.slab is lane.slab]
            assert lane.index == min(set(range(SLAB_LANES)) - set(taken))
            assert not lane.slab.lanes[lane.index].any()
            lane.slab.lanes[lane.index].fill_(float("nan"))
            held.append(lane)
        else:
            left = held.pop(number % len(held))
            left.slab.release(left.index)


def test_more_sequences_than_lanes_get_a_further_slab():
    """SPEC 4.180"""
    pool = LanePool(shape())
    lanes = [pool.take(33) for _ in range(2 * SLAB_LANES + 1)]
    assert len({id(lane.slab) for lane in lanes}) == 3
    assert {lane.slab.positions for lane in lanes} == {64}


def test_the_longest_lane_has_an_end():
    """SPEC 4.180"""
    pool = LanePool(shape())
    assert pool.take(LANE_POSITIONS[-1]).slab.positions == LANE_POSITIONS[-1]
    assert pool.take(LANE_POSITIONS[-1] + 1) is None


def test_a_range_of_its_own_begins_with_zeros():
    """SPEC 4.120"""
    room = unbacked(shape(), 700)
    assert room.shape[3] == 700 and not torch.any(room)
