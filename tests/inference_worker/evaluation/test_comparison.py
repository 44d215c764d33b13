from hypothesis import given
from hypothesis import strategies as st

from inference_worker.evaluation.comparison import (
    Interval,
    bootstrap_interval,
    compare,
    memorisation,
    verdict,
)

RANKS = st.lists(st.sampled_from([1.0, 0.5, 0.25, 0.05]), min_size=2, max_size=30)


def test_a_clear_gain_is_called_one_and_a_tie_is_not() -> None:
    """SPEC 2.33"""
    base, better = [0.2, 0.25, 0.1, 0.2] * 10, [1.0, 0.5, 0.5, 1.0] * 10
    assert compare(base, better, [], [], 20).verdict.startswith("The specialist ranks")
    assert compare(better, base, [], [], 20).verdict.startswith("The specialist is worse")
    noisy = compare([1.0, 0.1] * 10, [0.1, 1.0] * 10, [], [], 20)
    assert noisy.gain_low_ppm < 0 < noisy.gain_high_ppm and "spans zero" in noisy.verdict


def test_an_interval_that_touches_zero_is_no_gain() -> None:
    """SPEC 2.33"""
    assert "spans zero" in verdict(50_000, Interval(0, 100_000))


@given(RANKS)
def test_the_interval_holds_the_mean_and_is_seeded(ranks: list[float]) -> None:
    """SPEC 2.33"""
    interval = bootstrap_interval(ranks, resamples=2000)
    assert interval == bootstrap_interval(ranks, resamples=2000)
    assert interval.low <= round(sum(ranks) / len(ranks) * 1e6) + 1 and interval.low <= interval.high


def test_memorisation_is_told_from_learning() -> None:
    """SPEC 2.34"""
    assert "memorised" in memorisation(20_000, 500_000, 20)
    assert "carries over" in memorisation(150_000, 200_000, 20)
    assert "Not measured" in memorisation(150_000, 0, 0)
