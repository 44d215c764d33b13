"""Codes of all rows and decoys at one checkpoint, in parts that are each kept as soon as they are computed.

Of a row are kept its signs, its mean magnitude and its norm; of the first FISHER_ROWS rows also the sketch,
of which the Fisher is made once the norm that clips them is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from inference_worker.attribution.codes import Codes, Floats, encode_magnitudes, unit_of
from inference_worker.attribution.gradients import LoraProbe
from inference_worker.attribution.method import DAMPING, FISHER_ROWS, SKETCH_WIDTH
from inference_worker.attribution.parts import Arrays, Parts
from inference_worker.attribution.sketch import Sketch
from inference_worker.base.exchange import Exchange, KeyValues

BATCH = 8
PART_BATCHES = 64

Count = Callable[[int], None]


@dataclass(frozen=True)
class Group:
    """One part of the work: batches of places of `exchanges`, which are rows or decoys."""

    name: str
    batches: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class PointSketcher:
    """Gradients at one checkpoint, preconditioned by `weights` and folded; `shared` starts every question."""

    probe: LoraProbe
    weights: torch.Tensor
    sketch: Sketch
    shared: Sequence[int]
    states: KeyValues

    def sketches(self, exchanges: Sequence[Exchange]) -> Floats:
        """(exchanges, width) of one batch."""
        gradients, _ = self.probe.gradients(exchanges, len(self.shared), self.states)
        folded: Floats = self.sketch.fold(gradients, self.weights).cpu().numpy()
        return folded


@dataclass(frozen=True)
class Norms:
    """Mean magnitude and norm of each row or decoy, in order."""

    means: Floats
    norms: Floats

    def clipped(self, limit: float) -> Floats:
        """Mean magnitudes with rows longer than `limit` shortened to it: no outlier is paid for its size."""
        clipped: Floats = self.means * shrink(self.norms, limit)
        return clipped


def groups_of(exchanges: Sequence[Exchange], low: int, high: int, name: str) -> tuple[Group, ...]:
    """The places from `low` to `high` as parts of PART_BATCHES batches of alike lengths."""
    order = sorted(range(low, high), key=lambda place: (exchanges[place].length, place))
    batches = [tuple(order[at : at + BATCH]) for at in range(0, len(order), BATCH)]
    return tuple(
        Group(f"{name}.{number}", tuple(batches[at : at + PART_BATCHES]))
        for number, at in enumerate(range(0, len(batches), PART_BATCHES))
    )


def compute_group(
    sketcher: PointSketcher, exchanges: Sequence[Exchange], group: Group, parts: Parts, count: Count
) -> Arrays:
    """The part of a group: kept, or computed now. `count(n)` says that n more batches are done."""

    def compute() -> Arrays:
        found = []
        for batch in group.batches:
            found.append(sketcher.sketches([exchanges[place] for place in batch]))
            count(1)
        return _arrays(np.concatenate(found), [place for batch in group.batches for place in batch])

    return parts.kept(group.name, compute, lambda: count(len(group.batches)))


def norms_of(found: Sequence[Arrays], rows: int) -> Norms:
    """Means and norms of all parts, by place."""
    norms = Norms(np.zeros(rows), np.zeros(rows))
    for part in found:
        norms.means[part["places"]] = part["means"]
        norms.norms[part["places"]] = part["norms"]
    return norms


def codes_of(found: Sequence[Arrays], magnitudes: npt.NDArray[np.uint16], low: int) -> Codes:
    """The codes of a segment that begins at place `low`, from its parts."""
    bits = np.zeros((len(magnitudes), SKETCH_WIDTH // 8), dtype=np.uint8)
    for part in found:
        bits[np.asarray(part["places"], dtype=np.int64) - low] = part["bits"]
    return Codes(bits, magnitudes)


def fisher_of(found: Sequence[Arrays], norms: Norms, limit: float) -> Floats:
    """λ(F + λI)^-1 with F the mean outer product of the first FISHER_ROWS clipped sketches and λ = DAMPING ·
    mean eigenvalue: turns down what all rows share.
    """
    total = np.zeros((SKETCH_WIDTH, SKETCH_WIDTH))
    rows = min(len(norms.norms), FISHER_ROWS)
    for part in found:
        places = np.asarray(part["places"], dtype=np.int64)
        chosen = places[places < FISHER_ROWS]
        sketches: Floats = np.asarray(part["sketches"]) * shrink(norms.norms[chosen], limit)[:, None]
        np.add(total, sketches.T @ sketches, out=total)
    return damped(np.divide(total, max(rows, 1)), rows)


def damped(fisher: Floats, rows: int, factor: float = DAMPING) -> Floats:
    """λ(F + λI)^-1 of a mean outer product over `rows` rows, λ = `factor` · mean eigenvalue."""
    width = len(fisher)
    damping = factor * float(np.trace(fisher)) / max(1, min(rows, width))
    if damping <= 0:
        return np.eye(width)
    found: Floats = np.multiply(damping, np.linalg.inv(fisher + damping * np.eye(width)), dtype=np.float64)
    return found


def magnitudes_of(norms: Norms, null: Norms, limit: float) -> tuple[float, Any, Any]:
    """The unit of magnitude, and the magnitudes of rows and of decoys in it."""
    rows, decoys = norms.clipped(limit), null.clipped(limit)
    unit = unit_of(rows, decoys)
    return unit, encode_magnitudes(rows, unit), encode_magnitudes(decoys, unit)


def shrink(norms: Floats, limit: float) -> Floats:
    """What brings each row to at most `limit`."""
    factors: Floats = np.minimum(1.0, limit / np.maximum(norms, 1e-30))
    return factors


def _arrays(sketches: Floats, places: Sequence[int]) -> Arrays:
    order = np.asarray(places, dtype=np.int64)
    return {
        "places": order,
        "bits": np.packbits(sketches > 0, axis=1),
        "means": np.abs(sketches).mean(axis=1),
        "norms": np.linalg.norm(sketches, axis=1),
        "sketches": sketches[order < FISHER_ROWS],
    }
