"""Text and state baselines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.attribution.similarity import bm25, chance, longest_run, longest_span, unit
from benchmarks.attribution.task import Task

SEQUENCES = st.lists(st.integers(0, 3), max_size=12)


@given(SEQUENCES, SEQUENCES)
def test_longest_run_is_the_naive_one(first: list[int], second: list[int]) -> None:
    runs = [
        size
        for size in range(1, min(len(first), len(second)) + 1)
        for a in range(len(first) - size + 1)
        for b in range(len(second) - size + 1)
        if first[a : a + size] == second[b : b + size]
    ]
    assert longest_run(first, second) == max(runs, default=0)


def test_text_methods_prefer_the_querys_own_transformation(task: Task) -> None:
    """The instruction is part of the text, and every fifth row shares it."""
    owners = np.array(task.contributors())
    asked = np.array([query.contributor for query in task.queries])
    scores = bm25(task)
    own = owners == asked[:, None]
    assert scores[own].mean() > scores[~own].mean()
    assert longest_span(task).max() < max(len(query.ids) for query in task.queries)


def test_chance_is_seeded(task: Task) -> None:
    assert np.array_equal(chance(task, 1), chance(task, 1))


def test_unit_rows_have_length_one() -> None:
    lengths = np.linalg.norm(unit(np.array([[3.0, 4.0], [0.0, 0.0]])), axis=1)
    assert lengths == pytest.approx([1.0, 0.0])
