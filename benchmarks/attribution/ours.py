"""The product's own code on the task's gradients and losses: sketch, codes, damped Fisher, integer scans.

Only where gradients and losses come from is the benchmark's; everything after is what an index is built and
asked with. `Setting` can differ from the product's constants for tuning on `sent`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.attribution.features import Features
from benchmarks.attribution.task import Point, Scores, Task
from inference_worker.attribution.build import precondition
from inference_worker.attribution.codes import Floats, encode_query
from inference_worker.attribution.loss_scan import combine, loss_scores
from inference_worker.attribution.method import COVARIANCE_PPM, DAMPING, SKETCH_WIDTH
from inference_worker.attribution.point_codes import Norms, damped, magnitudes_of, shrink
from inference_worker.attribution.scan import Column, Ints, scan_columns
from inference_worker.attribution.sketch import Sketch, make_sketch
from inference_worker.attribution.tiles import tile_bits, tile_magnitudes

MAGNITUDE_BYTES = 2


@dataclass(frozen=True)
class Setting:
    """`points` counts the checkpoints from the first, as a recipe does; `adapters` are the throw-away ones,
    none for the gradient alone; `covariance_ppm` is what the losses' scores count beside the gradient's.
    """

    points: int = 3
    width: int = SKETCH_WIDTH
    damping: float = DAMPING
    adapters: int = 48
    covariance_ppm: int = COVARIANCE_PPM

    def bytes_per_row(self) -> float:
        """What an index keeps of each row."""
        losses = self.adapters // 2 + MAGNITUDE_BYTES if self.adapters else 0
        return self.points * (self.width // 8 + MAGNITUDE_BYTES) + losses


@dataclass(frozen=True)
class Losses:
    """Mean losses under K throw-away adapters: of rows (rows, K) and of queries (queries, K)."""

    rows: Floats
    queries: Floats


@dataclass(frozen=True)
class _Indexed:
    """One checkpoint, ready for queries."""

    column: Column
    fisher: Floats
    unit: float
    sketch: Sketch
    weights: torch.Tensor


@dataclass(frozen=True)
class Result:
    """Scores as integers, and CPU seconds after gradients and losses were there."""

    scores: Ints
    build_seconds: float
    query_seconds: float


def attribute(task: Task, made: Features, losses: Losses | None, setting: Setting, seed: int) -> Result:
    """Integer scores (queries, rows)."""
    began = time.process_time()
    numbers = range(setting.points)
    points = [_index(task.points[n], made.rows[n], setting, seed + n) for n in numbers]
    built = time.process_time()
    scores = gradient_scores(points, [made.queries[n] for n in numbers], len(task.rows))
    if losses is not None and setting.adapters:
        part = covariance_scores(losses, setting.adapters)
        scores = np.stack([combine(g, c, setting.covariance_ppm) for g, c in zip(scores, part, strict=True)])
    return Result(scores, built - began, time.process_time() - built)


def gradient_scores(
    points: Sequence[_Indexed], queries: Sequence[npt.NDArray[np.float32]], rows: int
) -> Ints:
    """(queries, rows) of the gradient path."""
    columns = [point.column for point in points]
    found = []
    for place in range(len(queries[0])):
        vectors = [_turned(point, own[place]) for point, own in zip(points, queries, strict=True)]
        code = encode_query(vectors, [point.unit for point in points])
        found.append(scan_columns(code.codes, code.weights, columns, rows))
    return np.stack(found)


def covariance_scores(losses: Losses, adapters: int) -> Ints:
    """(queries, rows) of the covariance path under the first `adapters`."""
    return loss_scores(losses.rows[:, :adapters], losses.queries[:, :adapters])


def as_scores(scores: Ints) -> Scores:
    """Integers by their largest, for a file of floats."""
    return scores / max(1, int(np.abs(scores).max()))


def _index(point: Point, rows: npt.NDArray[np.float32], setting: Setting, seed: int) -> _Indexed:
    weights = precondition(list(point.second_moment.values())).float()
    sketch = make_sketch(seed, rows.shape[1], setting.width)
    found = sketch.fold(torch.from_numpy(rows), weights).numpy()
    norms = Norms(np.abs(found).mean(axis=1), np.linalg.norm(found, axis=1))
    limit = float(np.median(norms.norms))
    # Decoys have no part in how well rows are ranked.
    unit, sizes, _ = magnitudes_of(norms, Norms(np.empty(0), np.empty(0)), limit)
    clipped = found * shrink(norms.norms, limit)[:, None]
    fisher = damped(clipped.T @ clipped / len(clipped), len(clipped), setting.damping)
    column = Column(tile_bits(np.packbits(found > 0, axis=1)), tile_magnitudes(sizes))
    return _Indexed(column, fisher.astype(np.float16).astype(np.float64), unit * point.rate, sketch, weights)


def _turned(point: _Indexed, query: npt.NDArray[np.float32]) -> Floats:
    folded = point.sketch.fold(torch.from_numpy(query)[None], point.weights)[0].numpy()
    turned: Floats = point.fisher @ folded
    return turned
