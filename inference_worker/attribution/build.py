"""Build an attribution index: every trained row's gradient at each checkpoint, sketched to bits.

Decoys tell what chance looks like: questions of the Datanet with answers of other rows, which were never
trained together. They are drawn by the index's seed. Rows are taken a segment at a time; every part of a
segment is on disk before the next is begun, so a build that is killed or cancelled goes on where it stopped.
"""

from __future__ import annotations

import random
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from inference_worker.attribution import informative
from inference_worker.attribution.covariance import LossCodes, LossTable
from inference_worker.attribution.gradients import LoraProbe, lora_weights
from inference_worker.attribution.index import AttributionIndex, Checkpoint, Head, IndexFacts, facts_json
from inference_worker.attribution.index_cost import index_cost
from inference_worker.attribution.index_files import IndexFiles
from inference_worker.attribution.method import DECOYS, SKETCH_WIDTH, method_id
from inference_worker.attribution.parts import Arrays, Parts
from inference_worker.attribution.point_codes import (
    BATCH,
    Count,
    Group,
    PointSketcher,
    codes_of,
    compute_group,
    fisher_of,
    groups_of,
    magnitudes_of,
    norms_of,
)
from inference_worker.attribution.segment import (
    Segment,
    open_segment,
    write_codes,
    write_columns,
    write_losses,
)
from inference_worker.attribution.sketch import Sketch, make_sketch
from inference_worker.attribution.throwaways import Throwaways
from inference_worker.base.exchange import Exchange
from protocol.canonical import canonical_json
from protocol.hashing import sha256
from protocol.index_listing import Columns
from protocol.index_pages import FLAG_DECOY, MAX_SEGMENT_ROWS, CodeShape

OnBatch = Callable[[int], None]
Named = dict[str, str]


@dataclass(frozen=True)
class TrainingPoint:
    """Adapter and second moment at the end of a part of training, under PEFT's tensor names; its mean
    learning rate.
    """

    adapter: Mapping[str, torch.Tensor]
    second_moment: Mapping[str, torch.Tensor]
    mean_rate: float


@dataclass(frozen=True)
class Covariance:
    """The throw-away adapters of an index, and the losses of its rows and decoys under them."""

    adapters: Throwaways
    losses: LossTable


@dataclass(frozen=True)
class Rows:
    """What is indexed: the manifest's numbers with their exchanges, decoys, and segments as (low, high)."""

    numbers: npt.NDArray[np.uint32]
    exchanges: Sequence[Exchange]
    decoys: Sequence[Exchange]
    segments: tuple[tuple[int, int], ...]


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


def units_of_work(rows: int, checkpoints: int) -> int:
    """The most pieces of work that `build_index` will report."""
    batches = sum(-(-(high - low) // BATCH) for low, high in segments_of(rows))
    return checkpoints * (batches + -(-DECOYS // BATCH)) + informative.units_of_work(rows, DECOYS)


def segments_of(rows: int, most: int = MAX_SEGMENT_ROWS) -> tuple[tuple[int, int], ...]:
    """Where segments of at most `most` rows begin and end."""
    return tuple((low, min(rows, low + most)) for low in range(0, rows, most))


def build_index(
    model: Any,
    facts: IndexFacts,
    rows: Sequence[int],
    exchanges: Sequence[Exchange],
    points: Sequence[TrainingPoint],
    served: Mapping[str, torch.Tensor],
    work: Path,
    on_batch: OnBatch,
    segment_rows: int = MAX_SEGMENT_ROWS,
    covariance: Covariance | None = None,
) -> AttributionIndex:
    """Index of `exchanges` (row `rows[i]` of the manifest each, ascending) over the given points of training,
    for the adapter `served`, with the losses of rows and decoys where there are any; its files are left in
    `work`/files, mapped.

    `on_batch(done)` is called after each batch; an exception from it stops the build, and the same call again
    goes on after the last whole part, to the same bytes. Raises IndexTooLarge before anything is computed.
    """
    files = IndexFiles(work / "files")
    parameters = sum(a * b for a, b in facts.shapes)
    adapters = None if covariance is None else covariance.adapters
    losses, throwaways = (0, 0) if adapters is None else (len(adapters.flat), adapters.flat.nbytes)
    cost = index_cost(len(rows), len(points), parameters, losses, throwaways)
    files.check_room(cost.on_disk - _bytes_in(work))
    parts = Parts(work / "parts", _inputs(facts, rows, points, served))
    decoys = draw_decoys(exchanges, facts.seed)
    indexed = Rows(np.asarray(rows, np.uint32), exchanges, decoys, segments_of(len(rows), segment_rows))
    count = _counter(on_batch)
    built = [
        _PointBuilder(model, facts, number, point, parts, files).build(indexed, count)
        for number, point in enumerate(points)
    ]
    probe = LoraProbe(model, [lora_weights(served, facts.alpha / facts.rank)])
    flags = informative.measure(model, probe, exchanges, decoys, facts.shared, facts.seed, parts, count)
    named = [*(columns for _, columns in built), _row_columns(files, indexed, flags)]
    if covariance is not None:
        named.append(_loss_columns(files, indexed, covariance))
    shape = CodeShape(len(points), SKETCH_WIDTH, losses)
    null, *segments = _opened(files, shape, indexed, named)
    flat = flatten([served[name] for name in facts.names])
    head = Head(facts, flat, tuple(checkpoint for checkpoint, _ in built), adapters)
    return AttributionIndex(head, shape, null, tuple(segments))


def _counter(on_batch: OnBatch) -> Count:
    done = 0

    def count(batches: int) -> None:
        nonlocal done
        done += batches
        on_batch(done)

    return count


def _bytes_in(folder: Path) -> int:
    """What a build that was cut short has written already."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _opened(
    files: IndexFiles, shape: CodeShape, rows: Rows, named: Sequence[Sequence[Named]]
) -> list[Segment]:
    """Decoys and segments, from the columns that each step named for them."""
    sizes = (len(rows.decoys), *(high - low for low, high in rows.segments))
    found = [dict(ChainMap(*steps)) for steps in zip(*named, strict=True)]
    return [
        open_segment(files, shape, Columns(size, {name: one[name] for name in shape.columns(size)}))
        for size, one in zip(sizes, found, strict=True)
    ]


def _row_columns(files: IndexFiles, rows: Rows, flags: informative.Informative) -> list[Named]:
    """Numbers and flags of decoys and of each segment."""
    numbers = np.arange(len(rows.decoys), dtype=np.uint32)
    return [
        write_columns(files, numbers, flags.decoys | np.uint8(FLAG_DECOY)),
        *(write_columns(files, rows.numbers[a:b], flags.rows[a:b]) for a, b in rows.segments),
    ]


def _loss_columns(files: IndexFiles, rows: Rows, covariance: Covariance) -> list[Named]:
    """Losses of decoys and of each segment."""
    own = covariance.losses.rows
    segments = [LossCodes(own.packed[a:b], own.magnitude[a:b]) for a, b in rows.segments]
    return [write_losses(files, losses) for losses in (covariance.losses.decoys, *segments)]


def _inputs(
    facts: IndexFacts,
    rows: Sequence[int],
    points: Sequence[TrainingPoint],
    served: Mapping[str, torch.Tensor],
) -> bytes:
    """Digest of what an index is a function of, the base's weights and the rows' text by their digests."""
    tensors = [served, *(t for point in points for t in (point.adapter, point.second_moment))]
    seen = [canonical_json(facts_json(facts)), method_id(), np.asarray(rows, "<u4").tobytes()]
    seen += [repr([point.mean_rate for point in points]).encode()]
    seen += [group[name].contiguous().numpy().tobytes() for group in tensors for name in sorted(group)]
    return sha256(b"".join(sha256(piece) for piece in seen))


class _PointBuilder:
    """Gradients, sketches and codes at one checkpoint."""

    def __init__(
        self,
        model: Any,
        facts: IndexFacts,
        number: int,
        point: TrainingPoint,
        parts: Parts,
        files: IndexFiles,
    ) -> None:
        # Rounded first, so that rows are indexed under the very numbers that queries will meet.
        self._adapter = {name: t.to(torch.float16) for name, t in point.adapter.items()}
        probe = LoraProbe(model, [lora_weights(self._adapter, facts.alpha / facts.rank)])
        self._names = probe.tracked_names()
        self._weights = precondition([point.second_moment[name] for name in self._names])
        self._number, self._rate, self._parts, self._files = number, point.mean_rate, parts, files
        sketch = sketch_at(facts, number, probe.parameter_count(), str(model.device))
        weights = self._weights.float().to(sketch.sign.device)
        self._sketcher = PointSketcher(probe, weights, sketch, facts.shared, probe.states(facts.shared))

    def build(self, rows: Rows, count: Count) -> tuple[Checkpoint, list[Named]]:
        """The checkpoint, and the columns of its codes: of the decoys, then of each segment."""
        own = [
            self._compute(
                rows.exchanges, groups_of(rows.exchanges, low, high, f"{self._number}.{low}"), count
            )
            for low, high in rows.segments
        ]
        chance = groups_of(rows.decoys, 0, len(rows.decoys), f"{self._number}.decoys")
        null = self._compute(rows.decoys, chance, count)
        norms = norms_of([part for found in own for part in found], len(rows.numbers))
        limit = float(np.median(norms.norms))
        unit, sizes, null_sizes = magnitudes_of(norms, norms_of(null, len(rows.decoys)), limit)
        fisher = fisher_of([part for found in own for part in found], norms, limit)
        checkpoint = Checkpoint(
            adapter=flatten([self._adapter[name] for name in self._names]),
            precondition=self._weights.numpy(),
            fisher=fisher.astype(np.float16),
            unit=unit * self._rate,
        )
        named = [write_codes(self._files, self._number, codes_of(null, null_sizes, 0))]
        for (low, high), found in zip(rows.segments, own, strict=True):
            named.append(write_codes(self._files, self._number, codes_of(found, sizes[low:high], low)))
        return checkpoint, named

    def _compute(self, exchanges: Sequence[Exchange], groups: Sequence[Group], count: Count) -> list[Arrays]:
        return [compute_group(self._sketcher, exchanges, group, self._parts, count) for group in groups]


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
