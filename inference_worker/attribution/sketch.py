"""Random sign sketch of a long gradient into k numbers, the same on every machine.

Coordinates are laid in blocks of k; each block is permuted and signed by a counter hash of the seed, and
the blocks are added. Values are first rounded to integers under one power of two, so the sums are exact and
no order of addition, thread count or device can change them. The seed follows from the manifest root: rows
are committed before anyone knows the projection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

QUANTUM_BITS = 20
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def counter_hash(seed: int, count: int) -> npt.NDArray[np.uint64]:
    """`count` 64-bit words: SplitMix64 of seed + i·golden, for i = 1..count."""
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
        state = (state ^ (state >> np.uint64(30))) * _MIX_1
        state = (state ^ (state >> np.uint64(27))) * _MIX_2
        return state ^ (state >> np.uint64(31))


def seed_of(root: bytes) -> int:
    """First eight bytes of the manifest root, big-endian."""
    return int.from_bytes(root[:8], "big")


@dataclass(frozen=True)
class Sketch:
    """`source` lists the coordinates in bucket order, block by block; `sign` is +1 or -1 by coordinate."""

    width: int
    length: int
    source: torch.Tensor
    sign: torch.Tensor

    def fold(self, gradients: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """(rows, k) float64 sketches of `gradients * weights`, both over the same coordinates."""
        signed = weights * self.sign
        return torch.stack([self._fold_row(row * signed) for row in gradients])

    def _fold_row(self, values: torch.Tensor) -> torch.Tensor:
        unit = _unit_for(values)
        rounded = torch.round(values * unit)
        padded = torch.nn.functional.pad(rounded, (0, self.source.numel() - self.length))
        # float64 holds these integer sums exactly, whatever the order of addition.
        folded = padded.index_select(0, self.source).view(-1, self.width).sum(0, dtype=torch.float64)
        return folded / unit


def _unit_for(values: torch.Tensor) -> float:
    low, high = torch.aminmax(values)
    largest = max(-float(low), float(high))
    if largest == 0.0:
        return 1.0
    return 2.0 ** (QUANTUM_BITS - math.frexp(largest)[1])


def make_sketch(seed: int, length: int, width: int, device: str = "cpu") -> Sketch:
    """The sketch of `length` coordinates into `width` buckets under a seed."""
    blocks = -(-length // width)
    words = counter_hash(seed, blocks * width)
    order = np.argsort(words.reshape(blocks, width), axis=1, kind="stable")
    source = (order + np.arange(blocks)[:, None] * width).reshape(-1).astype(np.int32)
    sign = np.where(words[:length] & np.uint64(1), 1.0, -1.0).astype(np.float32)
    return Sketch(width, length, torch.from_numpy(source).to(device), torch.from_numpy(sign).to(device))
