"""Metrics against slow references, and the laws that they obey."""

import numpy as np
import pytest

from benchmarks.attribution.metrics import (
    Truth,
    auc,
    correlations,
    interval,
    lds,
    leave_one_out,
    paired,
    paired_wide,
    ranks,
    recall,
    reliability,
    stacked,
)

ROWS, QUERIES, SUBSETS, OWNERS = 24, 6, 9, 4


def naive_rank(values: list[float]) -> list[float]:
    return [sum(o < v for o in values) + (sum(o == v for o in values) + 1) / 2 for v in values]


def naive_spearman(first: list[float], second: list[float]) -> float:
    a, b = naive_rank(first), naive_rank(second)
    if len(set(a)) == 1 or len(set(b)) == 1:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


@pytest.fixture
def truth() -> Truth:
    """Losses that fall by each member row's own effect, which differs by query."""
    drawn = np.random.default_rng(3)
    effects = drawn.normal(size=(QUERIES, ROWS))
    members = stacked([np.sort(drawn.permutation(ROWS)[: ROWS // 2]) for _ in range(SUBSETS)], ROWS)
    owners = np.arange(ROWS) % OWNERS
    without = np.stack([effects[:, owners == owner].sum(axis=1) for owner in range(OWNERS)])
    return Truth(members, -(effects @ members.T).T, without, owners, np.arange(QUERIES) % OWNERS)


@pytest.fixture
def effects() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(QUERIES, ROWS))


def test_ranks_and_correlations_are_the_usual_ones() -> None:
    drawn = np.random.default_rng(0)
    first, second = drawn.integers(0, 5, (20, 7)).astype(float), drawn.normal(size=(20, 7))
    assert ranks(first).tolist() == [naive_rank(list(row)) for row in first]
    expected = [naive_spearman(list(a), list(b)) for a, b in zip(first, second, strict=True)]
    assert correlations(first, second) == pytest.approx(expected)


def test_what_does_not_vary_correlates_with_nothing() -> None:
    assert correlations(np.ones((1, 5)), np.arange(5.0)[None]).tolist() == [0.0]


def test_true_effects_are_told_without_fault(effects: np.ndarray, truth: Truth) -> None:
    assert lds(effects, truth) == pytest.approx(1.0)
    assert leave_one_out(effects, truth) == pytest.approx(1.0)
    assert lds(-effects, truth) == pytest.approx(-1.0)


def test_scale_and_a_common_offset_of_halves_change_nothing(effects: np.ndarray, truth: Truth) -> None:
    """Subsets are of one size, so a constant for every row moves all sums alike."""
    noisy = effects + np.random.default_rng(1).normal(size=effects.shape)
    assert lds(3 * noisy + 7, truth) == pytest.approx(lds(noisy, truth))


def test_lds_is_the_naive_one(effects: np.ndarray, truth: Truth) -> None:
    noisy = effects + 2 * np.random.default_rng(1).normal(size=effects.shape)
    expected = [
        naive_spearman(
            [sum(noisy[q, r] for r in range(ROWS) if marks[r]) for marks in truth.members],
            [-loss for loss in truth.losses[:, q]],
        )
        for q in range(QUERIES)
    ]
    assert lds(noisy, truth) == pytest.approx(expected)


def test_auc_and_recall_count_pairs_and_heads(truth: Truth) -> None:
    scores = np.random.default_rng(2).integers(0, 6, (QUERIES, ROWS)).astype(float)
    for query in range(QUERIES):
        own = [s for s, o in zip(scores[query], truth.owners, strict=True) if o == truth.asked[query]]
        rest = [s for s, o in zip(scores[query], truth.owners, strict=True) if o != truth.asked[query]]
        won = sum((a > b) + (a == b) / 2 for a in own for b in rest) / (len(own) * len(rest))
        assert auc(scores, truth)[query] == pytest.approx(won)
    marks = (truth.owners == truth.asked[:, None]).astype(float)
    assert auc(marks, truth).tolist() == recall(marks, truth).tolist() == [1.0] * QUERIES
    assert recall(-marks, truth).tolist() == [0.0] * QUERIES


def test_intervals_hold_the_mean_and_repeat() -> None:
    values = np.random.default_rng(4).normal(1.0, 1.0, 200)
    found = interval(values, 5)
    assert found.low < found.mean < found.high and found == interval(values, 5)
    # Half the width of a normal mean's interval is 1.96 standard errors.
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * values.std() / 200**0.5, rel=0.1)


def test_pairing_takes_out_what_both_share(effects: np.ndarray, truth: Truth) -> None:
    shared = np.random.default_rng(6).normal(size=300)
    small = np.random.default_rng(7).normal(0.1, 0.05, 300)
    assert paired(shared + small, shared, 1).low > 0.05
    assert paired(shared, shared, 1).high == 0.0
    wide = paired_wide(effects, -effects, truth, 1, resamples=50)
    assert wide.mean == pytest.approx(2.0) and wide.low > 1.9


def test_two_trainings_that_agree_are_reliable(truth: Truth) -> None:
    assert reliability(truth.losses, 2 * truth.losses) == pytest.approx(1.0)
