"""The benchmark's path through the product's code."""

import numpy as np
import pytest

from benchmarks.attribution.features import Features, features
from benchmarks.attribution.metrics import correlations
from benchmarks.attribution.ours import Losses, Setting, as_scores, attribute, covariance_scores
from benchmarks.attribution.task import Task
from inference_worker.attribution.loss_scan import combine
from inference_worker.attribution.method import COVARIANCE_PPM, SKETCH_WIDTH


@pytest.fixture(scope="module")
def made(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Features:
    return features(task, tmp_path_factory.mktemp("features") / "features.safetensors")


def losses(task: Task, adapters: int) -> Losses:
    drawn = np.random.default_rng(2)
    return Losses(
        drawn.normal(2.0, 0.3, (len(task.rows), adapters)),
        drawn.normal(2.0, 0.3, (len(task.queries), adapters)),
    )


def test_ours_keeps_at_most_512_bytes_of_a_row() -> None:
    assert Setting().bytes_per_row() == 3 * (SKETCH_WIDTH // 8 + 2) + 24 + 2 <= 512
    assert Setting(points=1, adapters=0).bytes_per_row() == SKETCH_WIDTH // 8 + 2


def test_integer_scores_follow_the_exact_products(task: Task, made: Features) -> None:
    """With next to no Fisher, sketched one-bit rows still rank as Adam-scaled inner products do."""
    setting = Setting(points=1, width=2048, damping=1e6, adapters=0)
    found = attribute(task, made, None, setting, seed=1).scores
    moments = np.concatenate([v.numpy().ravel() for v in task.points[0].second_moment.values()])
    rows = made.rows[0] / np.sqrt(np.sqrt(moments) + 1e-8)
    rows *= np.minimum(1, np.median(np.linalg.norm(rows, axis=1)) / np.linalg.norm(rows, axis=1))[:, None]
    exact = (made.queries[0] / np.sqrt(np.sqrt(moments) + 1e-8)) @ rows.T
    assert found.dtype == np.int64
    assert correlations(found.astype(np.float64), exact.astype(np.float64)).mean() > 0.75


def test_both_parts_join_as_the_product_joins_them(task: Task, made: Features) -> None:
    seen = losses(task, 8)
    joined = attribute(task, made, seen, Setting(adapters=8), seed=1).scores
    gradient = attribute(task, made, None, Setting(adapters=0), seed=1).scores
    part = covariance_scores(seen, 8)
    for whole, g, c in zip(joined, gradient, part, strict=True):
        assert np.array_equal(whole, combine(g, c)) and np.array_equal(whole, combine(g, c, COVARIANCE_PPM))
        assert np.array_equal(combine(g, c, 0), g)


def test_scores_in_a_file_keep_the_integers_order(task: Task, made: Features) -> None:
    found = attribute(task, made, None, Setting(adapters=0), seed=1).scores
    assert np.array_equal(np.argsort(as_scores(found), axis=1), np.argsort(found, axis=1))
