"""How well scores predict what retraining showed. numpy alone; every figure is one number for each query.

Ranks of equal values are their mean, as in the usual Spearman correlation; a query whose truth or prediction
does not vary correlates with nothing and counts 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
RESAMPLES = 4000
_TAIL = 2.5


@dataclass(frozen=True)
class Truth:
    """What retraining showed. `members` (subsets, rows), `losses` (subsets, queries) after training on each;
    `without` (contributors, queries), how much each query's loss rose without a contributor's rows; `owners`
    and `asked` say whose each row is, and whose kind each query is of.
    """

    members: Bools
    losses: Floats
    without: Floats
    owners: npt.NDArray[np.int64]
    asked: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % percentile bootstrap interval."""

    mean: float
    low: float
    high: float


def ranks(values: Floats) -> Floats:
    """Ranks along the last axis, from 1; ties share their mean."""
    below = (values[..., None, :] < values[..., :, None]).sum(-1)
    same = (values[..., None, :] == values[..., :, None]).sum(-1)
    ranked: Floats = below + (same + 1) / 2
    return ranked


def correlations(first: Floats, second: Floats) -> Floats:
    """Spearman along the last axis."""
    a, b = (r - r.mean(-1, keepdims=True) for r in (ranks(first), ranks(second)))
    size = np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    together: Floats = np.divide((a * b).sum(-1), size, out=np.zeros_like(size), where=size > 0)
    return together


def lds(scores: Floats, truth: Truth) -> Floats:
    """(queries,) Spearman over subsets of the summed scores of their rows with minus the loss they left."""
    return correlations(scores @ truth.members.T.astype(np.float64), -truth.losses.T)


def leave_one_out(scores: Floats, truth: Truth) -> Floats:
    """(queries,) Spearman over contributors of their rows' summed scores with what leaving them out cost."""
    count = len(truth.without)
    sums = np.stack([scores[:, truth.owners == owner].sum(axis=1) for owner in range(count)], axis=1)
    return correlations(sums, truth.without.T)


def auc(scores: Floats, truth: Truth) -> Floats:
    """(queries,) chance that a row of the query's own contributor stands above another's."""
    own = truth.owners == truth.asked[:, None]
    count = own.sum(axis=1)
    held = (ranks(scores) * own).sum(axis=1) - count * (count + 1) / 2
    found: Floats = held / (count * (scores.shape[1] - count))
    return found


def recall(scores: Floats, truth: Truth) -> Floats:
    """(queries,) part of the own contributor's rows among as many best."""
    own = truth.owners == truth.asked[:, None]
    best = np.argsort(-scores, axis=1, kind="stable")
    found = []
    for row, order in zip(own, best, strict=True):
        found.append(row[order[: row.sum()]].mean())
    return np.array(found)


def interval(values: Floats, seed: int, resamples: int = RESAMPLES) -> Interval:
    """Mean over queries, queries drawn anew with replacement."""
    drawn = np.random.default_rng(seed).integers(0, len(values), (resamples, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [_TAIL, 100 - _TAIL])
    return Interval(float(values.mean()), float(low), float(high))


def paired(first: Floats, second: Floats, seed: int) -> Interval:
    """Mean of the difference query by query: both sides have the same queries in each resample."""
    return interval(first - second, seed)


def paired_wide(first: Floats, second: Floats, truth: Truth, seed: int, resamples: int = 300) -> Interval:
    """The LDS difference of two methods' scores when the retrained subsets are drawn anew too."""
    generator = np.random.default_rng(seed)
    sums = [scores @ truth.members.T.astype(np.float64) for scores in (first, second)]
    losses = -truth.losses.T
    queries, subsets = losses.shape
    means = []
    for _ in range(resamples):
        kept, asked = generator.integers(0, subsets, subsets), generator.integers(0, queries, queries)
        target = losses[asked][:, kept]
        one, other = (correlations(s[asked][:, kept], target).mean() for s in sums)
        means.append(one - other)
    low, high = np.percentile(means, [_TAIL, 100 - _TAIL])
    whole = lds(first, truth).mean() - lds(second, truth).mean()
    return Interval(float(whole), float(low), float(high))


def reliability(first: Floats, second: Floats) -> float:
    """Mean Spearman over subsets of two trainings' losses (subsets, queries)."""
    return float(correlations(first.T, second.T).mean())


def stacked(rows: Sequence[npt.NDArray[np.int32]], count: int) -> Bools:
    """Lists of places as (lists, count) marks."""
    marks = np.zeros((len(rows), count), dtype=np.bool_)
    for mark, places in zip(marks, rows, strict=True):
        mark[places] = True
    return marks
