from dataclasses import replace

import pytest

from protocol.attribution import Lane
from protocol.errors import EncodingError, SharesDoNotSum
from protocol.parameters import BURN_ACCOUNT, DEFAULT_WEIGHTS, DEFAULTS, Split
from protocol.types import parse_address


def test_the_defaults_are_the_decided_ones():
    """SPEC 8.1"""
    assert DEFAULTS.split.parts == (50_000, 50_000, 200_000, 100_000, 100_000, 500_000)
    assert DEFAULTS.labour_ppm == 100_000
    assert dict(DEFAULTS.lane_weights) == {
        Lane.GRADIENT: 800_000,
        Lane.SPAN: 200_000,
        Lane.RETRIEVAL: 300_000,
    }
    assert parse_address(BURN_ACCOUNT) == BURN_ACCOUNT


@pytest.mark.parametrize(
    "parts", [(0, 0, 0, 0, 0, 0), (-1, 1, 0, 0, 0, 1_000_000), (0, 0, 0, 0, 1, 1_000_000)]
)
def test_a_split_makes_a_whole(parts):
    """SPEC 8.1"""
    with pytest.raises(SharesDoNotSum):
        Split(*parts)


@pytest.mark.parametrize(
    "changes", [{"version": -1}, {"labour_ppm": 1_000_001}, {"span_weight_cap": 199_999}]
)
def test_numbers_out_of_bounds_are_refused(changes):
    """SPEC 5.4"""
    with pytest.raises(EncodingError):
        replace(DEFAULTS, **changes)


@pytest.mark.parametrize(
    "weights", [{Lane.GRADIENT: 700_000}, {Lane.RETRIEVAL: 800_001}, {Lane.RETRIEVAL: -1}]
)
def test_lane_weights_make_a_whole(weights):
    """SPEC 5.4"""
    with pytest.raises(SharesDoNotSum):
        replace(DEFAULTS, lane_weights={**DEFAULT_WEIGHTS, **weights})
