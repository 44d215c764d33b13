"""Published gradient methods from their equations, on the task's exact fp32 gradients: the bar to pass.

Nothing is projected or quantised here, so each is at its best. Scores are higher for a row that, followed
downhill, lowers the query's loss.
"""

from __future__ import annotations

import numpy as np

from benchmarks.attribution.features import Features, Floats32
from benchmarks.attribution.similarity import unit
from benchmarks.attribution.task import Point, Scores, Task

# DataInf's damping of a layer over its mean squared gradient coordinate (Kwon et al., 2024, section 5).
DATAINF_DAMPING = 0.1
ADAM_EPSILON = 1e-8


def grad_dot(made: Features) -> Scores:
    """Inner product at the last checkpoint."""
    return _dot(made.queries[-1], made.rows[-1])


def grad_cos(made: Features) -> Scores:
    """Cosine at the last checkpoint."""
    return unit(made.queries[-1]) @ unit(made.rows[-1]).T


def tracin(task: Task, made: Features) -> Scores:
    """TracInCP: inner products over checkpoints, weighted by learning rate."""
    return sum_over(
        point.rate * _dot(q, r) for point, q, r in zip(task.points, made.queries, made.rows, strict=True)
    )


def datainf(made: Features) -> Scores:
    """Each layer's inverse (G + λI)^-1 as the mean of the rows' own rank-one inverses (equation 5)."""
    total = np.zeros((len(made.queries[-1]), len(made.rows[-1])))
    for layer in made.layers:
        rows, queries = made.rows[-1][:, layer], made.queries[-1][:, layer]
        damping = DATAINF_DAMPING * float(np.square(rows, dtype=np.float64).mean())
        among, across = _dot(rows, rows), _dot(queries, rows)
        shrunk = across / (damping + np.diag(among))
        total += (across - shrunk @ among / len(rows)) / damping
    return total


def less(task: Task, made: Features) -> Scores:
    """LESS: cosine of the query's gradient with the row's Adam step, weighted by learning rate, unprojected.

    The step is that of the row's gradient alone: the momentum term is the same for all rows, and without it
    they are told apart better.
    """
    return sum_over(
        point.rate * unit(q) @ unit(r / adam_scale(point)).T
        for point, q, r in zip(task.points, made.queries, made.rows, strict=True)
    )


def adam_tracin(task: Task, made: Features) -> Scores:
    """TracInCP with Adam's scaling between the two gradients."""
    return sum_over(
        point.rate * _dot(q / adam_scale(point), r)
        for point, q, r in zip(task.points, made.queries, made.rows, strict=True)
    )


def adam_scale(point: Point) -> Floats32:
    """(p,) √v + ε, in the order of a flat gradient."""
    flat = np.concatenate([value.numpy().ravel() for value in point.second_moment.values()])
    scale: Floats32 = np.sqrt(flat) + np.float32(ADAM_EPSILON)
    return scale


def sum_over(parts: object) -> Scores:
    """The sum of arrays."""
    total: Scores = np.sum(list(parts), axis=0)  # type: ignore[call-overload]
    return total


def _dot(queries: np.ndarray, rows: np.ndarray) -> Scores:
    product: Scores = (queries @ rows.T).astype(np.float64)
    return product
