"""Rank agreement between what a method predicts and what retraining did, with bootstrap intervals.

Rows are questions, columns retrainings. With four retrainings or more each question's own Spearman
correlation over the columns is averaged (the linear datamodelling score). With two or three, ranks within a
question say too little: values are centred per question and all (question, retraining) pairs ranked at once.
The bootstrap draws questions and retrainings anew, both with replacement, and compares methods on the same
draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from protocol.shrinkage import Estimate
from protocol.types import TOTAL_PPM
from protocol.validity import ESTIMATORS

Floats = npt.NDArray[np.float64]

RESAMPLES = 1_000
TAIL_PERCENT = 2.5
PER_QUESTION_FROM = 4
PER_QUESTION, POOLED = ESTIMATORS


@dataclass(frozen=True)
class Correlations:
    """Each method's estimate, and its lead over every other method on the same draws."""

    estimator: str
    by_method: Mapping[str, Estimate]
    lead: Mapping[tuple[str, str], Estimate]


def ranks(values: Floats) -> Floats:
    """Ranks from 1 along the last axis; ties share their mean rank."""
    above = values[..., :, None] > values[..., None, :]
    equal = values[..., :, None] == values[..., None, :]
    found: Floats = above.sum(-1) + (equal.sum(-1) + 1) / 2
    return found


def ranks_of_list(values: Floats) -> Floats:
    """The same of one list, by sorting: lists of pairs are long, and comparing all with all is not."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    found: Floats = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return found


def pearson(left: Floats, right: Floats) -> Floats:
    """Correlation along the last axis; 0 where either side does not vary."""
    a = left - left.mean(-1, keepdims=True)
    b = right - right.mean(-1, keepdims=True)
    size = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    found: Floats = np.divide((a * b).sum(-1), size, out=np.zeros_like(size), where=size > 0)
    return found


def per_question(predicted: Floats, actual: Floats) -> float:
    """Mean over questions of Spearman's correlation over retrainings; both (questions, retrainings)."""
    return float(pearson(ranks(predicted), ranks(actual)).mean())


def pooled(predicted: Floats, actual: Floats) -> float:
    """Spearman's correlation over all pairs, each question's mean taken off before."""
    flat = [(side - side.mean(1, keepdims=True)).ravel() for side in (predicted, actual)]
    return float(pearson(ranks_of_list(flat[0]), ranks_of_list(flat[1])))


def estimator_of(retrainings: int) -> tuple[str, Callable[[Floats, Floats], float]]:
    """The estimator's name and function for so many retrainings."""
    return (PER_QUESTION, per_question) if retrainings >= PER_QUESTION_FROM else (POOLED, pooled)


def correlate(predicted: Mapping[str, Floats], actual: Floats, seed: int) -> Correlations:
    """Agreement of each method's (questions, retrainings) predictions with `actual`, of at least one question
    and two retrainings.
    """
    questions, retrainings = actual.shape
    name, estimate = estimator_of(retrainings)
    point = {method: estimate(values, actual) for method, values in predicted.items()}
    drawn: dict[str, list[float]] = {method: [] for method in predicted}
    generator = np.random.Generator(np.random.PCG64(seed))
    for _ in range(RESAMPLES):
        rows, columns = _draw(generator, questions, retrainings)
        for method, values in predicted.items():
            drawn[method].append(estimate(values[rows][:, columns], actual[rows][:, columns]))
    samples = {method: np.asarray(values) for method, values in drawn.items()}
    lead = {
        (one, other): interval(point[one] - point[other], samples[one] - samples[other])
        for one in predicted
        for other in predicted
        if one != other
    }
    return Correlations(name, {m: interval(point[m], samples[m]) for m in predicted}, lead)


def mean_estimate(values: Floats, seed: int) -> Estimate:
    """Mean of one figure per question, with its bootstrap interval over questions."""
    generator = np.random.Generator(np.random.PCG64(seed))
    picks = generator.integers(0, len(values), size=(RESAMPLES, len(values)))
    return interval(float(values.mean()), values[picks].mean(axis=1))


def interval(point: float, samples: Floats) -> Estimate:
    """A figure with the percentile interval of its resampled values, in ppm."""
    low, high = np.percentile(samples, [TAIL_PERCENT, 100 - TAIL_PERCENT])
    bounds = sorted((round(float(low) * TOTAL_PPM), round(float(high) * TOTAL_PPM)))
    return Estimate(round(point * TOTAL_PPM), bounds[0], bounds[1])


def _draw(
    generator: np.random.Generator, questions: int, retrainings: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    # One retraining alone has nothing to be compared with, so a draw holds at least two different ones.
    columns = generator.integers(0, retrainings, size=retrainings)
    while np.all(columns == columns[0]):
        columns = generator.integers(0, retrainings, size=retrainings)
    return generator.integers(0, questions, size=questions), columns
