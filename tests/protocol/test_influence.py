"""From scores to units: what the rows may never get, in integers."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import AttributionError
from protocol.influence import MAX_CHANCE, MAX_SCORE, Measured, settle
from protocol.lanes import MAX_ROWS_PER_LANE, MAX_UNITS, LaneUnits
from protocol.types import MAX_UINT64, TOTAL_PPM

VECTORS = Path(__file__).parents[1] / "vectors" / "influence.json"
EXCESS = st.dictionaries(st.integers(0, 500), st.integers(1, 2**60), max_size=MAX_ROWS_PER_LANE)
LARGE = st.dictionaries(st.integers(0, 500), st.integers(2**45, 2**60), min_size=1, max_size=5)
SLACK = Fraction(1, 2**40)
MEASURED = st.builds(
    Measured,
    threshold=st.integers(-(2**60), 2**60),
    chance=st.integers(0, 2**90),
    gain=st.integers(0, 10**12),
    floor=st.integers(1, 10**10),
    kappa_ppm=st.integers(0, TOTAL_PPM),
)


def lane_of(excess: dict[int, int], measured: Measured) -> LaneUnits:
    return settle({row: units + measured.threshold for row, units in excess.items()}, measured)


def parts(lane: LaneUnits) -> tuple[dict[int, Fraction], Fraction]:
    """Each row's exact part of the lane, and the unattributed one."""
    whole = lane.unattributed + sum(units for _, units in lane.units)
    return {row: Fraction(units, whole) for row, units in lane.units}, Fraction(lane.unattributed, whole)


@given(EXCESS, MEASURED)
def test_a_row_gets_its_exact_part_and_never_more(excess: dict[int, int], measured: Measured) -> None:
    """SPEC 5.180, 5.26, 5.27: against the same rule in fractions; what rounding takes is unattributed."""
    lane = lane_of(excess, measured)
    shares, rest = parts(lane)
    assert lane.ran and sum(shares.values()) + rest == 1
    assert max([lane.unattributed, *(units for _, units in lane.units)]) <= MAX_UNITS
    if not excess or not measured.gain or not measured.kappa_ppm:
        return
    total = (sum(excess.values()) + measured.chance) * (measured.gain + measured.floor) * TOTAL_PPM
    whole = Fraction(total, measured.gain * measured.kappa_ppm)
    for row, units in excess.items():
        # The whole is rounded up to a unit; then both are divided, to no less than half of MAX_UNITS.
        assert units / (whole + 1) - SLACK <= shares.get(row, 0) <= units / whole * (1 + SLACK)


@given(LARGE, MEASURED, st.integers(0, TOTAL_PPM))
def test_shrinkage_goes_to_the_unattributed_part_alone(
    excess: dict[int, int], measured: Measured, kappa_ppm: int
) -> None:
    """SPEC 5.181: no row gains by it, and rows keep their proportions."""
    full = Measured(measured.threshold, measured.chance, measured.gain, measured.floor)
    shrunk = Measured(measured.threshold, measured.chance, measured.gain, measured.floor, kappa_ppm)
    (before, rest_before), (after, rest) = parts(lane_of(excess, full)), parts(lane_of(excess, shrunk))
    for row, share in before.items():
        assert abs(after.get(row, 0) - share * kappa_ppm / TOTAL_PPM) <= SLACK
    assert rest >= rest_before - SLACK


@given(EXCESS, MEASURED)
def test_nothing_found_nothing_gained_or_all_shrunk_is_all_unattributed(
    excess: dict[int, int], measured: Measured
) -> None:
    """SPEC 5.27, 5.181"""
    lane = lane_of(excess, measured)
    if not excess or not measured.gain or not measured.kappa_ppm:
        assert lane.units == () and lane.unattributed == 1
    gainless = Measured(measured.threshold, measured.chance, 0, measured.floor, measured.kappa_ppm)
    assert lane_of(excess, gainless) == lane_of({}, measured)


@given(LARGE, MEASURED, st.integers(1, 2**60))
def test_more_chance_or_floor_leaves_more_and_more_gain_leaves_less(
    excess: dict[int, int], measured: Measured, more: int
) -> None:
    """SPEC 5.26, 5.27"""
    threshold, chance, gain, floor = measured.threshold, measured.chance, measured.gain, measured.floor
    rest = parts(lane_of(excess, Measured(threshold, chance, gain, floor)))[1]
    assert parts(lane_of(excess, Measured(threshold, chance + more, gain, floor)))[1] >= rest - SLACK
    assert parts(lane_of(excess, Measured(threshold, chance, gain, floor + more)))[1] >= rest - SLACK
    assert parts(lane_of(excess, Measured(threshold, chance, gain + more, floor)))[1] <= rest + SLACK


@pytest.mark.parametrize(
    ("scores", "fields"),
    [
        ({1: 5}, {"threshold": 5}),
        ({1: 9, 2: -3}, {"threshold": 5}),
        ({}, {"threshold": MAX_SCORE + 1}),
        ({}, {"chance": -1}),
        ({}, {"chance": MAX_CHANCE + 1}),
        ({}, {"gain": MAX_UINT64 + 1}),
        ({}, {"floor": -1}),
        ({}, {"kappa_ppm": TOTAL_PPM + 1}),
    ],
)
def test_what_cannot_be_is_refused(scores: dict[int, int], fields: dict[str, int]) -> None:
    """SPEC 5.180"""
    with pytest.raises(AttributionError):
        settle(scores, Measured(**{"threshold": 0, "chance": 0, "gain": 1, "floor": 1, **fields}))


def test_golden_cases() -> None:
    """SPEC 5.180, 5.181: the numbers that every reader of a report must find."""
    for case in json.loads(VECTORS.read_text(encoding="utf-8"))["units"]:
        measured = Measured(**{name: int(value) for name, value in case["measured"].items()})
        lane = settle({row: int(score) for row, score in case["scores"]}, measured)
        assert [list(pair) for pair in lane.units] == [[row, int(units)] for row, units in case["units"]]
        assert lane.unattributed == int(case["unattributed"])
