"""Gradients against autograd row by row, and each method against its equation in plain loops."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.attribution import gradient_methods as methods
from benchmarks.attribution.features import Features, features, layer_slices, row_gradients
from benchmarks.attribution.model import row_losses
from benchmarks.attribution.task import Task, collate


@pytest.fixture(scope="module")
def made(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Features:
    path = tmp_path_factory.mktemp("features") / "features.safetensors"
    first, again = features(task, path), features(task, path)
    assert np.array_equal(first.rows[1], again.rows[1])
    return again


def small(drawn: np.random.Generator, rows: int, queries: int) -> Features:
    """Random gradients of 7 coordinates in two layers."""
    r = drawn.normal(size=(rows, 7)).astype(np.float32)
    q = drawn.normal(size=(queries, 7)).astype(np.float32)
    return Features((r,), (q,), (slice(0, 3), slice(3, 7)), r, q, (0.0,), (0.0,))


def test_gradients_are_autograds(task: Task) -> None:
    model = task.model()
    together = row_gradients(model, task.rows[:6], batch=3)
    for item, found in zip(task.rows[:6], together, strict=True):
        model.zero_grad()
        row_losses(model, *collate([item])).sum().backward()
        alone = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).numpy()
        np.testing.assert_allclose(found, alone, rtol=1e-3, atol=1e-6)
    ends = layer_slices(model)[-1].stop
    assert ends == together.shape[1] == sum(p.numel() for p in model.parameters())


def test_datainf_is_the_mean_of_rank_one_inverses() -> None:
    made = small(np.random.default_rng(1), 5, 2)
    expected = np.zeros((2, 5))
    for layer in made.layers:
        rows, queries = (x[0][:, layer].astype(np.float64) for x in (made.rows, made.queries))
        damping = 0.1 * (rows**2).mean()
        inverses = [np.linalg.inv(np.outer(g, g) + damping * np.eye(rows.shape[1])) for g in rows]
        expected += queries @ np.mean(inverses, axis=0) @ rows.T
    np.testing.assert_allclose(methods.datainf(made), expected, rtol=1e-4)


def test_checkpoint_methods_are_their_sums(task: Task, made: Features) -> None:
    q, r = 3, 11
    tracin = adam = less = 0.0
    for point, queries, rows in zip(task.points, made.queries, made.rows, strict=True):
        moments = np.concatenate([v.numpy().ravel() for v in point.second_moment.values()])
        query, row = queries[q].astype(np.float64), rows[r].astype(np.float64)
        step = row / (np.sqrt(moments) + 1e-8)
        tracin += point.rate * query @ row
        adam += point.rate * query @ step
        less += point.rate * query @ step / np.linalg.norm(query) / np.linalg.norm(step)
    assert methods.tracin(task, made)[q, r] == pytest.approx(tracin, rel=1e-3)
    assert methods.adam_tracin(task, made)[q, r] == pytest.approx(adam, rel=1e-3)
    assert methods.less(task, made)[q, r] == pytest.approx(less, rel=1e-3)


def test_a_gradient_step_on_a_row_lowers_the_loss_of_queries_that_score_it(
    task: Task, made: Features
) -> None:
    """Grad-Dot is the first-order fall: a small step's own falls rank as the scores do."""
    model, rate = task.model(), 1e-3
    with torch.no_grad():
        before = row_losses(model, *collate(task.queries))
        flat = torch.from_numpy(made.rows[-1][4])
        for parameter, place in zip(model.parameters(), layer_slices(model), strict=True):
            parameter -= rate * flat[place].view_as(parameter)
        fall = (before - row_losses(model, *collate(task.queries))).numpy() / rate
    np.testing.assert_allclose(fall, methods.grad_dot(made)[:, 4], rtol=0.1, atol=0.02)


def test_features_file_is_made_once(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "features.safetensors"
    features(task, path)
    stamp = path.stat().st_mtime_ns
    features(task, path)
    assert path.stat().st_mtime_ns == stamp
