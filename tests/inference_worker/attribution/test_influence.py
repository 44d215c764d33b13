import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.attribution.influence import (
    best_of_clusters,
    expected_by_chance,
    threshold_of,
)
from inference_worker.attribution.informative import judge
from inference_worker.attribution.method import DESCRIPTION, TOP_ROWS, method_id

SCORES = st.lists(st.integers(1, 40) | st.integers(1, 10**15), max_size=80)


def best_naively(rows: list[int], scores: list[int], clusters: list[int]) -> dict[int, int]:
    """One row after the other."""
    best: dict[int, int] = {}
    for row, score in zip(rows, scores, strict=True):
        best[clusters[row]] = max(score, best.get(clusters[row], 0))
    ranked = sorted(best, key=lambda row: (-best[row], row))[:TOP_ROWS]
    return {row: best[row] for row in sorted(ranked)}


def best(rows: list[int], scores: list[int], clusters: list[int]) -> dict[int, int]:
    leaves = np.arange(5, 5 + len(rows))
    found = best_of_clusters(
        np.array(rows, np.uint32), leaves, np.array(scores, np.int64), np.array(clusters, np.uint32)
    )
    places = [one.leaf - 5 for one in found]
    assert [(rows[at], scores[at]) for at in places] == [(one.member, one.score) for one in found]
    assert all(clusters[one.member] == one.canonical for one in found)
    kept = {one.canonical: one.score for one in found}
    assert list(kept) == sorted(kept) and len(kept) == len(found)
    return kept


@given(SCORES, st.data())
def test_the_kept_rows_are_those_of_a_plain_loop(scores: list[int], data: st.DataObject) -> None:
    """SPEC 5.25: with ties, and clusters of any size."""
    rows = sorted(data.draw(st.sets(st.integers(0, 199), min_size=len(scores), max_size=len(scores))))
    clusters = [data.draw(st.integers(0, row)) if row % 3 else row for row in range(200)]
    assert best(rows, scores, clusters) == best_naively(rows, scores, clusters)


@given(SCORES.filter(bool), st.integers(0, 5))
def test_a_copy_adds_nothing(scores: list[int], copied: int) -> None:
    """SPEC 5.25: a second member of a cluster, as strong as the first, changes no unit."""
    rows = list(range(len(scores)))
    copied %= len(rows)
    with_copy = best([*rows, len(rows)], [*scores, scores[copied]], [*rows, copied])
    assert with_copy == best(rows, scores, rows)


@given(SCORES)
def test_only_the_best_rows_are_kept(scores: list[int]) -> None:
    """SPEC 5.25"""
    kept = best(list(range(len(scores))), scores, list(range(len(scores))))
    assert sorted(kept.values()) == sorted(sorted(scores, reverse=True)[:TOP_ROWS])


@given(
    scores=st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=300),
    eligible=st.lists(st.integers(-(10**12), 10**12), max_size=200),
    barred=st.integers(0, 200),
)
def test_at_most_one_decoy_in_a_hundred_earns(scores: list[int], eligible: list[int], barred: int) -> None:
    """SPEC 5.24"""
    decoys = len(eligible) + barred
    bar = threshold_of(np.array(scores, dtype=np.int64), np.array(eligible, dtype=np.int64), decoys)
    assert sum(score > bar for score in eligible) <= decoys // 100
    assert bar >= sorted(scores)[(len(scores) - 1) // 2]


def test_chance_is_scaled_from_decoys_to_rows() -> None:
    """SPEC 5.26"""
    assert expected_by_chance(np.array([-5, 0, 10, 30], dtype=np.int64), 4, 8) == 80
    assert expected_by_chance(np.array([10, 30], dtype=np.int64), 4, 8) == 80
    assert expected_by_chance(np.array([], dtype=np.int64), 0, 8) == 0


def test_a_row_whose_question_beats_no_others_is_not_informative() -> None:
    """SPEC 5.28"""
    background = np.tile(np.linspace(-9.0, -4.0, 10)[:, None], (1, 6))
    own = np.array([-1.0, -3.0, -4.5, -4.2, -8.0, -4.0])
    found = judge(own, background, rows=4)
    assert found.rows.tolist() == [1, 1, 1, 1] and found.decoys.tolist() == [0, 1]
    found = judge(own[[0, 1, 4, 2, 4, 4]], background, rows=4)
    assert found.rows.tolist() == [1, 1, 0, 1]


def test_no_subject_is_favoured_by_the_questions_that_were_drawn() -> None:
    """SPEC 5.28: with questions of one subject only, learnt rows of both subjects pass."""
    same, other = np.full((12, 5), -6.0), np.full((12, 5), -20.0)
    found = judge(np.full(10, -1.0), np.hstack([same, other]), rows=10)
    assert found.rows.all()


def test_where_questions_predict_nothing_every_row_passes() -> None:
    """SPEC 5.28"""
    found = judge(np.full(60, -5.0), np.full((12, 60), -5.0), rows=50)
    assert found.rows.all() and found.decoys.all()
    assert judge(np.zeros(5), np.zeros((0, 5)), rows=4).rows.all()


def test_any_other_constant_is_another_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 5.29"""
    before = method_id()
    monkeypatch.setitem(DESCRIPTION, "top_rows", TOP_ROWS + 1)
    assert method_id() != before and len(before) == 32
