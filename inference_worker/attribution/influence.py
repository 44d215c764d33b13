"""From one answer to units by row: the gradient lane.

The answer's gradient is taken at each checkpoint, sketched, turned by the damped Fisher and rounded to int8. From there
on integers: scores of all rows by an exhaustive scan, a threshold from decoys that were never trained, one member per
cluster, the twenty best. What decoys would have earned, and the part of the answer's likelihood that the base had
already, are unattributed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from inference_worker.attribution.build import sketch_at
from inference_worker.attribution.codes import Floats, Ints, QueryCode, encode_query, scan
from inference_worker.attribution.gradients import LoraProbe, LoraWeights, lora_weights
from inference_worker.attribution.index import AttributionIndex
from inference_worker.attribution.method import (
    BASE_MICRONATS_PER_TOKEN,
    DECOY_PERCENTILE,
    MAD_FACTOR_PPM,
    TOP_ROWS,
)
from inference_worker.base.exchange import Exchange
from protocol.attribution import MAX_UNITS, Lane, LaneUnits

PPM = 1_000_000


@dataclass(frozen=True)
class Ledger:
    """Log-likelihood of the answer in micro-nats: under the base, under the adapter, and its length in tokens."""

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
    """One index ready for questions: base and checkpoints run side by side in one batch."""

    def __init__(self, model: Any, index: AttributionIndex) -> None:
        self._index = index
        self._model = model
        facts = index.facts
        scale = facts.alpha / facts.rank
        points = [lora_weights(unflatten(point.adapter, index), scale) for point in index.checkpoints]
        nothing = LoraWeights(
            points[0].a, {path: torch.zeros_like(b) for path, b in points[0].b.items()}, scale
        )
        self._probe = LoraProbe(model, [nothing, *points])
        self._shared = self._probe.states(facts.shared)
        length = self._probe.parameter_count()
        self._sketches = [sketch_at(facts, n, length, str(model.device)) for n in range(len(points))]
        self._preconditions = [
            torch.from_numpy(p.precondition.astype(np.float32)).to(model.device) for p in index.checkpoints
        ]

    def code(self, exchange: Exchange) -> tuple[QueryCode, Ledger]:
        """The answer's int8 code and its likelihoods."""
        shared = self._index.facts.shared
        skip = (
            len(shared)
            if exchange.prompt[: len(shared)] == shared and len(exchange.prompt) > len(shared)
            else 0
        )
        states = self._shared if skip else ()
        batch = [exchange] * (1 + len(self._index.checkpoints))
        gradients, losses = self._probe.gradients(batch, skip, states)
        vectors = [
            self._vector(number, gradients[1 + number]) for number in range(len(self._index.checkpoints))
        ]
        nats = [-round(float(loss.sum()) * PPM) for loss in losses]
        ledger = Ledger(nats[0], nats[-1], len(exchange.answer))
        return encode_query(vectors, [point.unit for point in self._index.checkpoints]), ledger

    def _vector(self, number: int, gradient: torch.Tensor) -> Floats:
        folded = self._sketches[number].fold(gradient[None], self._preconditions[number])[0].cpu().numpy()
        turned: Floats = self._index.checkpoints[number].fisher.astype(np.float64) @ folded
        return turned


def unflatten(flat: Any, index: AttributionIndex) -> dict[str, torch.Tensor]:
    """Adapter tensors by name from one flat array."""
    values = torch.from_numpy(np.array(flat, dtype=np.float32))
    sizes = [rows * columns for rows, columns in index.facts.shapes]
    parts = values.split(sizes)
    return {
        name: part.view(shape)
        for name, part, shape in zip(index.facts.names, parts, index.facts.shapes, strict=True)
    }


def gradient_units(
    index: AttributionIndex, query: QueryCode, ledger: Ledger, clusters: Mapping[int, int]
) -> LaneUnits:
    """The gradient lane of one answer; `clusters` maps a manifest row to its canonical row."""
    scores = scan(query, [point.rows for point in index.checkpoints])
    null = scan(query, [point.decoys for point in index.checkpoints])
    threshold = threshold_of(scores, null)
    kept = best_of_clusters(index.rows.tolist(), (scores - threshold).tolist(), clusters)
    chance = expected_by_chance(null, threshold, len(scores))
    return settle(kept, chance, ledger)


def threshold_of(scores: Ints, null: Ints) -> int:
    """The larger of the decoys' 99th percentile and median + 2·1.4826·MAD of the rows, in exact integers."""
    median = _middle(scores)
    spread = _middle(np.abs(scores - median))
    outlier = median + spread * MAD_FACTOR_PPM // PPM
    if not len(null):
        return outlier
    rank = -(-len(null) * DECOY_PERCENTILE // 100)
    return max(outlier, int(np.sort(null)[rank - 1]))


def best_of_clusters(
    rows: Sequence[int], excess: Sequence[int], clusters: Mapping[int, int]
) -> dict[int, int]:
    """Excess over the threshold by canonical row: each cluster's largest member, the best TOP_ROWS of them."""
    best: dict[int, int] = {}
    for row, units in zip(rows, excess, strict=True):
        canonical = clusters[row]
        if units > best.get(canonical, 0):
            best[canonical] = units
    ranked = sorted(best, key=lambda row: (-best[row], row))[:TOP_ROWS]
    return {row: best[row] for row in sorted(ranked)}


def expected_by_chance(null: Ints, threshold: int, rows: int) -> int:
    """Units above the threshold that as many decoys as there are rows would have brought together."""
    if not len(null):
        return 0
    return sum(max(0, int(score) - threshold) for score in null) * rows // len(null)


def settle(kept: Mapping[int, int], chance: int, ledger: Ledger) -> LaneUnits:
    """Lane units in which rows stand to the whole as their units less chance's, times the adapter's likelihood part.

    Nothing above the threshold, or an adapter that made the answer no likelier, leaves all of it unattributed.
    """
    found = sum(kept.values())
    if found == 0 or ledger.gain == 0:
        return LaneUnits(Lane.GRADIENT, (), 1, ran=True)
    whole = (found + chance) * (ledger.gain + ledger.floor) // ledger.gain
    # Python's integers do not overflow, other readers' do; one common divisor keeps every proportion.
    shrink = -(-whole // MAX_UNITS)
    units = tuple((row, value // shrink) for row, value in sorted(kept.items()) if value // shrink > 0)
    return LaneUnits(Lane.GRADIENT, units, whole // shrink - sum(value for _, value in units), ran=True)


def _middle(values: Ints) -> int:
    ordered = np.sort(values)
    return int(ordered[(len(ordered) - 1) // 2])
