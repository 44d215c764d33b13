"""What a method reads, and what it leaves."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.attribution.prepare import write_point
from benchmarks.attribution.task import Cost, Task, read_point, read_scores, write_scores

COST = Cost(build_seconds=1.5, query_seconds=0.25, bytes_per_row=402.0, load=1.0)


def test_scores_come_back_with_their_cost(task: Task, tmp_path: Path) -> None:
    mine = dataclasses.replace(task, folder=tmp_path)
    scores = np.random.default_rng(0).normal(size=(len(task.queries), len(task.rows)))
    write_scores(mine, "ours", scores, COST)
    found, cost = read_scores(tmp_path)["ours"]
    assert np.array_equal(found, scores) and cost == COST


@pytest.mark.parametrize("bad", [np.zeros((1, 1)), np.full((10, 20), np.nan)])
def test_scores_of_another_shape_or_not_numbers_are_refused(task: Task, bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="peer: scores of shape"):
        write_scores(task, "peer", bad, COST)


def test_a_checkpoint_survives_its_file(task: Task, tmp_path: Path) -> None:
    point = task.points[1]
    write_point(tmp_path / "p.safetensors", point)
    again = read_point(tmp_path / "p.safetensors")
    assert again.rate == point.rate
    for name, tensor in point.second_moment.items():
        assert torch.equal(again.second_moment[name], tensor)
        assert torch.equal(again.adapter[name], point.adapter[name])


def test_each_pass_leaves_a_checkpoint_with_its_rate_and_moments(task: Task) -> None:
    """Two steps a pass, six in all: five of warm-up under a linear decay."""
    peak = task.recipe["peak"]
    expected = [(1 / 5 + 2 / 5 * 5 / 6) / 2, (3 / 5 * 4 / 6 + 4 / 5 * 3 / 6) / 2, (2 / 6 + 1 / 6) / 2]
    assert [point.rate for point in task.points] == pytest.approx([peak * part for part in expected])
    assert all(bool((m >= 0).all()) for point in task.points for m in point.second_moment.values())
