"""Medians, intervals and verdicts of paired measurements."""

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.openlora.intervals import (
    Interval,
    Verdict,
    bootstrap_median,
    judge,
    paired_ratios,
    spread_of,
)

rates = st.lists(st.floats(1.0, 1e4), min_size=1, max_size=9)


@given(values=rates, seed=st.integers(0, 2**32))
def test_an_interval_holds_its_median_and_stays_within_the_values(values: list[float], seed: int) -> None:
    interval = bootstrap_median(values, seed, resamples=200)
    assert min(values) <= interval.low <= interval.median <= interval.high <= max(values)
    assert interval.median == statistics.median(values)


@given(values=rates, seed=st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_interval(values: list[float], seed: int) -> None:
    assert bootstrap_median(values, seed, resamples=50) == bootstrap_median(values, seed, resamples=50)


@given(values=rates, factor=st.sampled_from([0.25, 2.0, 8.0]))
def test_an_interval_scales_with_its_values(values: list[float], factor: float) -> None:
    one = bootstrap_median(values, 1, resamples=100)
    other = bootstrap_median([factor * v for v in values], 1, resamples=100)
    assert (other.low, other.median, other.high) == (
        factor * one.low, factor * one.median, factor * one.high,
    )  # fmt: skip


def test_about_95_of_100_intervals_hold_the_true_median() -> None:
    drawn = random.Random(3)
    held = 0
    for trial in range(200):
        sample = [drawn.lognormvariate(0.0, 0.3) for _ in range(15)]
        interval = bootstrap_median(sample, trial, resamples=400)
        held += interval.low <= 1.0 <= interval.high
    # Within three standard deviations of 190 of 200, and never all: an interval of any width would hold all.
    assert 180 <= held < 200


@given(pairs=st.lists(st.tuples(st.floats(1, 1e4), st.floats(1, 1e4), st.floats(0.1, 10)), min_size=1))
def test_what_slows_both_sides_of_a_round_does_not_move_its_ratio(
    pairs: list[tuple[float, float, float]],
) -> None:
    plain = paired_ratios([a for a, _, _ in pairs], [b for _, b, _ in pairs])
    slowed = paired_ratios([a * s for a, _, s in pairs], [b * s for _, b, s in pairs])
    assert slowed == pytest.approx(plain)


def test_ratios_need_both_sides_of_every_round() -> None:
    with pytest.raises(ValueError, match="zip"):
        paired_ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("low", "high", "at_least", "verdict"),
    [
        (1.6, 2.0, True, Verdict.BEATS),
        (1.5, 1.6, True, Verdict.CONTAINS),
        (1.5, 1.59, True, Verdict.SHORT),
        (1.5, 1.6, False, Verdict.BEATS),
        (1.6, 1.7, False, Verdict.CONTAINS),
        (1.61, 1.7, False, Verdict.SHORT),
    ],
)
def test_a_verdict_looks_at_the_whole_interval(
    low: float, high: float, at_least: bool, verdict: Verdict
) -> None:
    assert judge(Interval(low, (low + high) / 2, high), 1.6, at_least) is verdict


@given(values=rates)
def test_a_spread_counts_and_orders(values: list[float]) -> None:
    spread = spread_of(values)
    assert (spread.n, spread.low, spread.high) == (len(values), min(values), max(values))
    assert spread.low <= spread.median <= spread.high
