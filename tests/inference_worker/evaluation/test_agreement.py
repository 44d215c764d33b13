import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.evaluation.agreement import (
    PER_QUESTION,
    POOLED,
    Floats,
    correlate,
    estimator_of,
    mean_estimate,
    per_question,
    pooled,
    ranks,
    ranks_of_list,
)


def naive_ranks(values: list[float]) -> list[float]:
    """Place in sorted order, ties by the mean of their places."""
    order = sorted(values)
    return [
        sum(place for place, other in enumerate(order, 1) if other == value) / order.count(value)
        for value in values
    ]


def naive_spearman(left: list[float], right: list[float]) -> float:
    a, b = naive_ranks(left), naive_ranks(right)
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    over = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    under = math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))
    return over / under if under else 0.0


def noisy(questions: int, retrainings: int, noise: float, seed: int = 0) -> tuple[Floats, Floats]:
    drawn = np.random.default_rng(seed)
    truth = drawn.normal(size=(questions, retrainings))
    return truth + noise * drawn.normal(size=truth.shape), truth


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_ranks_equal_a_plain_loop_s(values: list[int]) -> None:
    """SPEC 5.223"""
    array = np.asarray(values, float)
    assert ranks(array).tolist() == naive_ranks([float(v) for v in values]) == ranks_of_list(array).tolist()


def test_both_estimators_equal_a_plain_loop_s() -> None:
    """SPEC 5.223"""
    predicted, truth = (np.round(side, 1) for side in noisy(6, 5, 0.7))
    each = [naive_spearman(p.tolist(), t.tolist()) for p, t in zip(predicted, truth, strict=True)]
    assert per_question(predicted, truth) == pytest.approx(sum(each) / len(each), abs=1e-12)
    flat = [(side - side.mean(1, keepdims=True)).ravel().tolist() for side in (predicted, truth)]
    assert pooled(predicted, truth) == pytest.approx(naive_spearman(*flat), abs=1e-12)


def test_the_estimator_follows_from_the_number_of_retrainings() -> None:
    """SPEC 5.223"""
    assert [estimator_of(count)[0] for count in (2, 3, 4, 9)] == [POOLED, POOLED, PER_QUESTION, PER_QUESTION]


def test_agreement_knows_order_within_a_question_and_nothing_else() -> None:
    """SPEC 5.223: what a question's scores are measured in changes nothing."""
    predicted, truth = noisy(8, 6, 0.5)
    scaled = np.exp(predicted) * np.arange(1, 9)[:, None]
    assert per_question(scaled, truth) == per_question(predicted, truth)
    assert per_question(-predicted, truth) == pytest.approx(-per_question(predicted, truth))
    shifted = predicted + np.arange(8)[:, None]
    assert pooled(shifted, truth) == pytest.approx(pooled(predicted, truth))


@pytest.mark.parametrize("retrainings", [2, 3, 4, 8])
def test_a_perfect_prediction_agrees_fully_and_no_prediction_not_at_all(retrainings: int) -> None:
    """SPEC 5.223"""
    _, truth = noisy(10, retrainings, 0)
    found = correlate({"same": truth, "none": np.zeros_like(truth)}, truth, seed=1).by_method
    assert (found["same"].low_ppm, found["same"].ppm, found["same"].high_ppm) == (10**6,) * 3
    assert (found["none"].low_ppm, found["none"].ppm, found["none"].high_ppm) == (0, 0, 0)


def test_an_interval_holds_its_figure_and_widens_with_fewer_retrainings() -> None:
    """SPEC 5.224"""
    widths = []
    for retrainings in (4, 40):
        predicted, truth = noisy(12, retrainings, 2.0, seed=3)
        found = correlate({"ours": predicted}, truth, seed=5).by_method["ours"]
        assert found.low_ppm < found.ppm < found.high_ppm
        widths.append(found.high_ppm - found.low_ppm)
    assert widths[0] > 1.5 * widths[1]


def test_the_interval_covers_the_true_agreement_about_as_often_as_it_says() -> None:
    """SPEC 5.224: 24 worlds of 12 retrainings; the truth is the mean over very many."""
    held = 0
    true = per_question(*noisy(4_000, 12, 1.0, seed=99))
    for seed in range(24):
        predicted, truth = noisy(6, 12, 1.0, seed)
        found = correlate({"ours": predicted}, truth, seed).by_method["ours"]
        held += found.low_ppm <= true * 10**6 <= found.high_ppm
    assert held >= 18


def test_a_lead_is_measured_on_the_same_draws_and_turns_with_the_sides() -> None:
    """SPEC 5.224"""
    good, truth = noisy(12, 6, 0.3)
    bad = noisy(12, 6, 0.3, seed=8)[0]
    found = correlate({"good": good, "bad": bad, "again": good}, truth, seed=0)
    for one, other in itertools.permutations(("good", "bad", "again"), 2):
        there, back = found.lead[one, other], found.lead[other, one]
        assert (there.ppm, there.low_ppm, there.high_ppm) == (-back.ppm, -back.high_ppm, -back.low_ppm)
    assert found.lead["good", "bad"].low_ppm > 0
    assert found.lead["good", "again"].high_ppm == found.lead["good", "again"].low_ppm == 0


def test_equal_seeds_give_equal_intervals() -> None:
    """SPEC 5.224"""
    predicted, truth = noisy(9, 3, 1.0)
    assert correlate({"a": predicted}, truth, 4) == correlate({"a": predicted}, truth, 4)


def test_a_mean_has_the_interval_of_its_questions() -> None:
    """SPEC 5.224"""
    values = np.asarray([0.0, 0.0, 0.0, 1.0])
    found = mean_estimate(values, 0)
    assert found.ppm == 250_000 and found.low_ppm == 0 and found.high_ppm > found.ppm
    constant = mean_estimate(np.full(5, 0.5), 0)
    assert (constant.low_ppm, constant.high_ppm) == (500_000, 500_000)
