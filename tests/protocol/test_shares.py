from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import EncodingError, SharesDoNotSum
from protocol.shares import scores_to_shares, split_by_ppm

units = st.lists(st.integers(0, 10**12) | st.just(0), min_size=1, max_size=30)
totals = st.integers(0, 10**24) | st.sampled_from([0, 1, 7, 1_000_000])


@given(units, totals)
def test_shares_sum_to_the_whole(weights, total):
    """SPEC 0.16: for any weights, zeros included."""
    shares = scores_to_shares(weights, total)
    assert sum(shares) == total and len(shares) == len(weights) and min(shares) >= 0


@given(units, totals)
def test_shares_are_cumulative_and_within_one_unit(weights, total):
    """SPEC 0.16: against exact fractions."""
    shares = scores_to_shares(weights, total)
    whole = sum(weights)
    if whole == 0:
        assert shares == (*(0 for _ in weights[1:]), total)
        return
    running = given_out = 0
    for weight, share in zip(weights, shares, strict=True):
        running, given_out = running + weight, given_out + share
        assert given_out == int(Fraction(running * total, whole))
        assert abs(share - Fraction(weight * total, whole)) < 1
        assert weight or share == 0


@given(units, totals, st.integers(1, 10**12), st.data())
def test_more_weight_never_means_less(weights, total, extra, data):
    """SPEC 0.16"""
    place = data.draw(st.integers(0, len(weights) - 1))
    raised = [*weights[:place], weights[place] + extra, *weights[place + 1 :]]
    before, after = scores_to_shares(weights, total)[place], scores_to_shares(raised, total)[place]
    # Cumulative rounding may shift one unit between neighbours; it never moves more.
    assert after >= before - 1 or sum(weights) == 0


def test_no_parts_share_nothing():
    """SPEC 0.16"""
    assert scores_to_shares([], 0) == ()
    with pytest.raises(SharesDoNotSum):
        scores_to_shares([], 1)


@pytest.mark.parametrize(("weights", "total"), [([-1, 2], 5), ([1], -1)])
def test_negative_values_are_refused(weights, total):
    """SPEC 0.16"""
    with pytest.raises(EncodingError):
        scores_to_shares(weights, total)


def test_ppm_parts_must_make_a_whole():
    """SPEC 0.16"""
    assert split_by_ppm(10, (500_000, 500_000)) == (5, 5)
    with pytest.raises(SharesDoNotSum):
        split_by_ppm(10, (500_000, 499_999))
