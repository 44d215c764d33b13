"""What the gradient lane says of one question with a known answer: every row's score, what rows would be
paid, and what decoys would take if they were rows.

Pay is taken before any shrinkage, since the shrinkage is what it is measured for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.index import AttributionIndex
from inference_worker.attribution.influence import (
    InfluenceQuery,
    Ledger,
    expected_by_chance,
    threshold_of,
)
from inference_worker.attribution.method import TOP_ROWS
from inference_worker.attribution.scan import Ints
from inference_worker.attribution.segment import scan_index
from inference_worker.base.exchange import Exchange
from protocol.index_pages import FLAG_INFORMATIVE
from protocol.influence import Measured, settle

FOLDS = 2


@dataclass(frozen=True)
class Scored:
    """Scores of candidates for pay, and for each whether it is informative; one that is not cannot earn."""

    scores: Ints
    informative: npt.NDArray[np.bool_]

    def __getitem__(self, chosen: npt.NDArray[np.bool_]) -> Scored:
        return Scored(self.scores[chosen], self.informative[chosen])


@dataclass(frozen=True)
class Probed:
    """One question: integer scores in the index's order, each earning row's part of the whole lane by its
    number in the manifest, the part that no row gets, and the part that decoys would get.
    """

    scores: Ints
    pay: Mapping[int, float]
    unattributed: float
    decoy_share: float


def probe(index: AttributionIndex, influence: InfluenceQuery, exchange: Exchange) -> Probed:
    """The lane of one answer under an index."""
    query, ledger = influence.code(exchange)
    rows = Scored(scan_index(query, index.segments), index.informative)
    flags = index.decoys.flags & FLAG_INFORMATIVE != 0
    decoys = Scored(scan_index(query, (index.decoys,)), flags)
    parts = lane_parts(rows, decoys, ledger)
    pay = {row: part for row, part in zip(index.rows.tolist(), parts, strict=True) if part > 0}
    return Probed(rows.scores, pay, 1 - sum(parts), decoy_share(rows, decoys, ledger))


def lane_parts(rows: Scored, decoys: Scored, ledger: Ledger) -> list[float]:
    """Each row's part of the whole lane. The rows of an index are their clusters' canonical ones."""
    eligible = decoys.scores[decoys.informative]
    threshold = threshold_of(rows.scores, eligible, len(decoys.scores))
    above = np.flatnonzero((rows.scores > threshold) & rows.informative)
    best = above[np.lexsort((above, -rows.scores[above]))[:TOP_ROWS]].tolist()
    chance = expected_by_chance(eligible - threshold, len(decoys.scores), len(rows.scores))
    measured = Measured(threshold, chance, ledger.gain, ledger.floor)
    lane = settle({place: int(rows.scores[place]) for place in best}, measured)
    units = dict(lane.units)
    whole = lane.unattributed + sum(units.values())
    return [units.get(place, 0) / whole for place in range(len(rows.scores))]


def decoy_share(rows: Scored, decoys: Scored, ledger: Ledger) -> float:
    """Part of the lane that decoys would take as rows, mean over folds: each fold's decoys stand among the
    rows while the other folds' set threshold and chance, so that no decoy is judged by itself.
    """
    count = len(decoys.scores)
    if count < FOLDS:
        return 0.0
    shares = []
    for fold in range(FOLDS):
        inside = np.arange(count) % FOLDS == fold
        among = Scored(
            np.concatenate([rows.scores, decoys[inside].scores]),
            np.concatenate([rows.informative, decoys[inside].informative]),
        )
        shares.append(sum(lane_parts(among, decoys[~inside], ledger)[len(rows.scores) :]))
    return sum(shares) / FOLDS
