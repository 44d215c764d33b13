"""Losses in a world whose truth is known, for tests of what can be read from them."""

import numpy as np

from inference_worker.attribution.covariance import subset


def simulated(rows: int, adapters: int, answers: int, noise: float, seed: int = 3) -> tuple[np.ndarray, ...]:
    """Losses of rows and answers in a world where each trained row lowers some losses by a fixed amount."""
    drawn = np.random.default_rng(seed)
    effect = drawn.exponential(1.0, (answers, rows)) * (drawn.random((answers, rows)) < 0.2)
    members = np.zeros((adapters, rows))
    for number in range(adapters):
        members[number, subset(seed, number, rows)] = 1
    quality = drawn.normal(0, 1, (adapters, 1))
    own = 3.0 - 2.0 * members + noise * drawn.normal(size=(adapters, rows)) + quality
    asked = 2.0 - members @ effect.T + noise * drawn.normal(size=(adapters, answers)) + quality
    return own.T, asked.T, effect
