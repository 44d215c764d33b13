"""Contributors whose gradient influence and loss covariance say different things: an alarm, not paid by.

Both measure the same effect in unrelated ways, so a contributor that only one of them favours is likelier to
have found out how to please that one than to have shaped the answers. The covariance's own noise follows from
how unevenly its K adapters contribute; how far the two ways usually differ, from the other contributors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.covariance import Floats, LossCodes, decode_losses
from inference_worker.attribution.loss_scan import scan_losses, spread_of
from inference_worker.attribution.scan import Ints

ALARM_DEVIATIONS = 3.0
# Median absolute deviation to standard deviation, for normal numbers.
MAD_TO_DEVIATION = 1.4826


@dataclass(frozen=True)
class PathShares:
    """One contributor's part in each path, as its distance from the median contributor's in their median
    absolute deviations, and the deviation that the difference of the two has by chance.
    """

    owner: int
    gradient: float
    covariance: float
    deviation: float

    @property
    def is_alarming(self) -> bool:
        """Whether the two differ by more than ALARM_DEVIATIONS."""
        return abs(self.gradient - self.covariance) > ALARM_DEVIATIONS * self.deviation


def compare_paths(
    gradient: Sequence[Ints],
    codes: Sequence[npt.NDArray[np.int8]],
    rows: LossCodes,
    owners: npt.NDArray[np.int64],
) -> list[PathShares]:
    """Over some answers: `gradient` has the rows' scores of each (rows,), `codes` its losses' code (K,);
    `owners` (rows,) numbers the contributors from 0.
    """
    count = int(owners.max()) + 1
    sizes = np.bincount(owners, minlength=count)
    values = _sums(decode_losses(rows).astype(np.float64), owners, count)
    first, terms = np.zeros(count), np.zeros_like(values)
    for scores, code in zip(gradient, codes, strict=True):
        # A contributor of many rows is not to stand out by their number.
        sums = _sums(scores[:, None].astype(np.float64), owners, count)[:, 0] - sizes * float(
            np.median(scores)
        )
        first += sums / max(1, spread_of(scores))
        terms += values * code / max(1, spread_of(scan_losses(code, rows)))
    second = terms.sum(axis=1)
    noise = np.sqrt(rows.adapters) * terms.std(axis=1, ddof=1) / _spread(second)
    shares = _from_median(first) / _spread(first), _from_median(second) / _spread(second)
    deviations = np.hypot(noise, MAD_TO_DEVIATION * _spread(shares[0] - shares[1]))
    return [
        PathShares(owner, float(g), float(c), float(deviation))
        for owner, (g, c, deviation) in enumerate(zip(*shares, deviations, strict=True))
    ]


def _sums(values: Floats, owners: npt.NDArray[np.int64], count: int) -> Floats:
    """(owners, columns) sums over each owner's rows."""
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, owners, values)
    return sums


def _from_median(values: Floats) -> Floats:
    distances: Floats = values - np.median(values)
    return distances


def _spread(values: Floats) -> float:
    return float(np.median(np.abs(_from_median(values)))) or 1.0
