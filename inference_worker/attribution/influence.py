"""From one answer to units by row: the gradient lane.

The answer's gradient is taken at each checkpoint, sketched, turned by the damped Fisher and rounded to
int8. From there on integers: scores of all rows by an exhaustive scan, a threshold from decoys that were
never trained, one member per cluster, the twenty best. What decoys would have earned, and the part of the
answer's likelihood that the base had already, are unattributed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from inference_worker.attribution.build import sketch_at
from inference_worker.attribution.codes import Floats, QueryCode, encode_query
from inference_worker.attribution.covariance import encode_answer
from inference_worker.attribution.gradients import LoraProbe, LoraWeights, lora_weights
from inference_worker.attribution.index import AttributionIndex
from inference_worker.attribution.method import (
    BASE_MICRONATS_PER_TOKEN,
    DECOY_PERCENTILE,
    MAD_FACTOR_PPM,
    TOP_ROWS,
)
from inference_worker.attribution.scan import Ints
from inference_worker.attribution.segment import scan_index, weigh_losses
from inference_worker.attribution.stacked_losses import StackedLosses
from inference_worker.base.exchange import Exchange
from protocol.attribution import LaneUnits
from protocol.hashing import ZERO_WORD
from protocol.index_pages import FLAG_INFORMATIVE
from protocol.influence import Influence, Measured, ScoredRow

PPM = 1_000_000

Clusters = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Ledger:
    """Log-likelihood of the answer in micro-nats: under the base, under the adapter, and its length in
    tokens.
    """

    base: int
    adapter: int
    tokens: int

    @property
    def gain(self) -> int:
        """What the adapter added; never negative."""
        return max(0, self.adapter - self.base)

    @property
    def floor(self) -> int:
        """The base's own part, granted for every token."""
        return BASE_MICRONATS_PER_TOKEN * self.tokens


class InfluenceQuery:
    """One index ready for questions: its checkpoints side by side in one batch, base and served adapter
    in another.
    """

    def __init__(self, model: Any, index: AttributionIndex) -> None:
        self._index = index
        facts = index.facts
        scale = facts.alpha / facts.rank
        points = [lora_weights(unflatten(point.adapter, index), scale) for point in index.checkpoints]
        served = lora_weights(unflatten(index.head.served, index), scale)
        base = LoraWeights(served.a, {path: torch.zeros_like(b) for path, b in served.b.items()}, scale)
        self._points = LoraProbe(model, points)
        self._ledger = LoraProbe(model, [base, served])
        self._shared = (self._points.states(facts.shared), self._ledger.states(facts.shared))
        throwaways = index.head.throwaways
        if throwaways is not None:
            weights = throwaways.weights(facts.tensors, scale)
            self._losses, self._level = StackedLosses(model, weights, facts.shared), throwaways.level
        length = self._points.parameter_count()
        self._sketches = [sketch_at(facts, n, length, str(model.device)) for n in range(len(points))]
        self._preconditions = [
            torch.from_numpy(p.precondition.astype(np.float32)).to(model.device) for p in index.checkpoints
        ]

    def code(self, exchange: Exchange) -> tuple[QueryCode, Ledger]:
        """The answer's int8 code and its likelihoods."""
        shared = self._index.facts.shared
        begins = exchange.prompt[: len(shared)] == shared and len(exchange.prompt) > len(shared)
        skip, states = (len(shared), self._shared) if begins else (0, ((), ()))
        gradients, _ = self._points.gradients([exchange] * len(self._sketches), skip, states[0])
        losses = self._ledger.losses([exchange] * 2, skip, states[1])
        base, served = (-round(float(loss.sum()) * PPM) for loss in losses)
        vectors = [self._vector(number, gradient) for number, gradient in enumerate(gradients)]
        units = [point.unit for point in self._index.checkpoints]
        query = encode_query(vectors, units)
        if self._index.head.throwaways is not None:
            moved = encode_answer(self._losses.losses(exchange), self._level)
            threads = torch.get_num_threads()
            query = weigh_losses(replace(query, losses=moved), self._index.segments, threads)
        return query, Ledger(base, served, len(exchange.answer))

    def _vector(self, number: int, gradient: torch.Tensor) -> Floats:
        folded = self._sketches[number].fold(gradient[None], self._preconditions[number])[0].cpu().numpy()
        turned: Floats = self._index.checkpoints[number].fisher.astype(np.float64) @ folded
        return turned


def unflatten(flat: Any, index: AttributionIndex) -> dict[str, torch.Tensor]:
    """Adapter tensors by name from one flat array."""
    values = torch.from_numpy(np.array(flat, dtype=np.float32))
    sizes = [rows * columns for rows, columns in index.facts.shapes]
    parts = torch.split(values, sizes)
    return {
        name: part.view(shape)
        for name, part, shape in zip(index.facts.names, parts, index.facts.shapes, strict=True)
    }


def gradient_units(
    index: AttributionIndex, query: QueryCode, ledger: Ledger, clusters: Clusters
) -> LaneUnits:
    """The gradient lane of one answer; `clusters` has the canonical row of each row of the manifest."""
    return influence_of(index, query, ledger, clusters).lane()


def influence_of(index: AttributionIndex, query: QueryCode, ledger: Ledger, clusters: Clusters) -> Influence:
    """What the gradient lane of one answer is computed from; the node that asked knows the index root."""
    scores = scan_index(query, index.segments, torch.get_num_threads())
    null = scan_index(query, (index.decoys,))
    # A decoy that may not earn says nothing about what may.
    eligible = null[index.decoys.flags & FLAG_INFORMATIVE != 0]
    threshold = threshold_of(scores, eligible, len(null))
    above = np.flatnonzero((scores > threshold) & index.informative)
    # Leaf 0 binds the listing, and decoys come before rows.
    kept = best_of_clusters(index.rows[above], 1 + len(null) + above, scores[above], clusters)
    chance = expected_by_chance(eligible - threshold, len(null), len(scores))
    measured = Measured(threshold, chance, ledger.gain, ledger.floor, index.facts.kappa_ppm)
    return Influence(ZERO_WORD, query.digest(), measured, kept)


def threshold_of(scores: Ints, eligible: Ints, decoys: int) -> int:
    """The larger of median + 2·1.4826·MAD of the rows, and the score that at most 1 % of `decoys` exceed,
    of which only the `eligible` could earn. In exact integers.
    """
    median = _middle(scores)
    spread = _middle(np.abs(scores - median))
    outlier = median + spread * MAD_FACTOR_PPM // PPM
    allowed = decoys - -(-decoys * DECOY_PERCENTILE // 100)
    if len(eligible) <= allowed:
        return outlier
    return max(outlier, int(np.sort(eligible)[-1 - allowed]))


def best_of_clusters(
    rows: npt.NDArray[np.uint32], leaves: npt.NDArray[np.int64], scores: Ints, clusters: Clusters
) -> tuple[ScoredRow, ...]:
    """Each cluster's largest member, the best TOP_ROWS of them, equal ones by lowest row; in the order of
    canonical rows.
    """
    canonical = clusters[rows]
    order = np.lexsort((canonical, -scores))
    # The first place of a cluster in this order is its largest member.
    _, first = np.unique(canonical[order], return_index=True)
    best = order[np.sort(first)[:TOP_ROWS]]
    best = best[np.argsort(canonical[best])]
    columns = (array[best].tolist() for array in (canonical, rows, leaves, scores))
    return tuple(ScoredRow(*one) for one in zip(*columns, strict=True))


def expected_by_chance(excess: Ints, decoys: int, rows: int) -> int:
    """Units that as many decoys as there are rows would have earned; `excess` is that of the eligible
    decoys.
    """
    return sum(max(0, int(units)) for units in excess) * rows // decoys if decoys else 0


def _middle(values: Ints) -> int:
    place = (len(values) - 1) // 2
    return int(np.partition(values, place)[place])
