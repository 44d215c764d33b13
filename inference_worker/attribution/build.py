"""Build an attribution index: every trained row's gradient at each checkpoint, sketched to bits.

Decoys tell what chance looks like: questions of the Datanet with answers of other rows, which were never
trained together. They are drawn by the index's seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from inference_worker.attribution import informative
from inference_worker.attribution.codes import Floats, encode_rows, unit_of
from inference_worker.attribution.gradients import LoraProbe, lora_weights
from inference_worker.attribution.index import AttributionIndex, Checkpoint, IndexFacts
from inference_worker.attribution.method import DAMPING, DECOYS, SKETCH_WIDTH
from inference_worker.attribution.sketch import Sketch, make_sketch
from inference_worker.base.exchange import Exchange, KeyValues

BATCH = 8

OnBatch = Callable[[int], None]


@dataclass(frozen=True)
class TrainingPoint:
    """Adapter and second moment at the end of a part of training, under PEFT's tensor names; its mean
    learning rate.
    """

    adapter: Mapping[str, torch.Tensor]
    second_moment: Mapping[str, torch.Tensor]
    mean_rate: float


def draw_decoys(exchanges: Sequence[Exchange], seed: int, count: int = DECOYS) -> list[Exchange]:
    """Questions with answers that other rows gave; fewer than two distinct answers leave none to draw."""
    if len({e.answer for e in exchanges}) < 2:
        return []
    drawn = random.Random(seed)
    decoys: list[Exchange] = []
    while len(decoys) < count:
        question, answer = drawn.choice(exchanges), drawn.choice(exchanges)
        if question.answer != answer.answer:
            decoys.append(Exchange(question.prompt, answer.answer))
    return decoys


def batches_of(exchanges: Sequence[Exchange]) -> list[list[int]]:
    """Places of alike lengths together, BATCH at a time."""
    order = sorted(range(len(exchanges)), key=lambda place: (exchanges[place].length, place))
    return [order[at : at + BATCH] for at in range(0, len(order), BATCH)]


def units_of_work(rows: int, checkpoints: int) -> int:
    """The most pieces of work that `build_index` will report."""
    return checkpoints * (-(-rows // BATCH) + -(-DECOYS // BATCH)) + informative.units_of_work(rows, DECOYS)


def build_index(
    model: Any,
    facts: IndexFacts,
    rows: Sequence[int],
    exchanges: Sequence[Exchange],
    points: Sequence[TrainingPoint],
    served: Mapping[str, torch.Tensor],
    on_batch: OnBatch,
) -> AttributionIndex:
    """Index of `exchanges` (row `rows[i]` of the manifest each) over the given points of training, for the
    adapter `served`.

    `on_batch(done)` is called after each batch; an exception from it stops the build.
    """
    decoys = draw_decoys(exchanges, facts.seed)
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        on_batch(done)

    checkpoints = []
    for number, point in enumerate(points):
        builder = _PointBuilder(model, facts, number, point)
        checkpoints.append(builder.build(exchanges, decoys, count))
    probe = LoraProbe(model, [lora_weights(served, facts.alpha / facts.rank)])
    flags = informative.measure(model, probe, exchanges, decoys, facts.shared, facts.seed, count)
    return AttributionIndex(
        facts,
        np.asarray(rows, dtype=np.uint32),
        flags.rows,
        flags.decoys,
        flatten([served[name] for name in facts.names]),
        tuple(checkpoints),
    )


class _PointBuilder:
    """Gradients, sketches and codes at one checkpoint."""

    def __init__(self, model: Any, facts: IndexFacts, number: int, point: TrainingPoint) -> None:
        # Rounded first, so that rows are indexed under the very numbers that queries will meet.
        self._adapter = {name: t.to(torch.float16) for name, t in point.adapter.items()}
        self._probe = LoraProbe(model, [lora_weights(self._adapter, facts.alpha / facts.rank)])
        self._names = self._probe.tracked_names()
        self._weights = precondition([point.second_moment[name] for name in self._names])
        self._facts = facts
        self._rate = point.mean_rate
        self._sketch = sketch_at(facts, number, self._probe.parameter_count(), str(model.device))

    def build(
        self, rows: Sequence[Exchange], decoys: Sequence[Exchange], count: Callable[[], None]
    ) -> Checkpoint:
        states = self._probe.states(self._facts.shared)
        found = self._sketches(rows, states, count)
        null = self._sketches(decoys, states, count)
        limit = float(np.median(np.linalg.norm(found, axis=1)))
        found, null = clip(found, limit), clip(null, limit)
        unit = unit_of(found, null)
        return Checkpoint(
            adapter=flatten([self._adapter[name] for name in self._names]),
            precondition=self._weights.numpy(),
            fisher=damped_fisher(found).astype(np.float16),
            unit=unit * self._rate,
            rows=encode_rows(found, unit),
            decoys=encode_rows(null, unit),
        )

    def _sketches(
        self, exchanges: Sequence[Exchange], states: KeyValues, count: Callable[[], None]
    ) -> Floats:
        found = np.zeros((len(exchanges), SKETCH_WIDTH))
        weights = self._weights.float().to(self._sketch.sign.device)
        for places in batches_of(exchanges):
            batch = [exchanges[place] for place in places]
            gradients, _ = self._probe.gradients(batch, len(self._facts.shared), states)
            found[places] = self._sketch.fold(gradients, weights).cpu().numpy()
            count()
        return found


def precondition(second_moments: Sequence[torch.Tensor]) -> torch.Tensor:
    """Flat float16 weights (√v + 1e-8)^-1/2: half of Adam's scaling, which rows and queries take each."""
    flat = torch.cat([moment.flatten().float() for moment in second_moments])
    weights = (flat.sqrt() + 1e-8).rsqrt()
    return weights.clamp(max=torch.finfo(torch.float16).max).to(torch.float16)


def flatten(tensors: Sequence[torch.Tensor]) -> npt.NDArray[np.float16]:
    """Adapter tensors as one flat float16 array."""
    flat: npt.NDArray[np.float16] = torch.cat([tensor.flatten() for tensor in tensors]).half().numpy()
    return flat


def sketch_at(facts: IndexFacts, number: int, length: int, device: str) -> Sketch:
    """The projection of one checkpoint; each has its own seed."""
    return make_sketch((facts.seed + number) % 2**64, length, SKETCH_WIDTH, device)


def clip(sketches: Floats, limit: float) -> Floats:
    """Rows longer than `limit` shortened to it, so that no outlier is paid for its size."""
    norms = np.linalg.norm(sketches, axis=1, keepdims=True)
    shortened: Floats = sketches * np.minimum(1.0, limit / np.maximum(norms, 1e-30))
    return shortened


def damped_fisher(sketches: Floats) -> Floats:
    """λ(F + λI)^-1 with F the mean outer product and λ = DAMPING · mean eigenvalue: turns down what all
    rows share.
    """
    count, width = sketches.shape
    fisher = sketches.T @ sketches / max(count, 1)
    damping = DAMPING * float(np.trace(fisher)) / max(1, min(count, width))
    if damping <= 0:
        return np.eye(width)
    damped: Floats = damping * np.linalg.inv(fisher + damping * np.eye(width))
    return damped
