"""The scan in its plainest form, as the reference for the fast one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.codes import Codes
from inference_worker.attribution.scan import Column, Ints
from inference_worker.attribution.tiles import tile_bits, tile_magnitudes


def column_of(codes: Codes) -> Column:
    """The same codes, as the scan reads them."""
    return Column(tile_bits(codes.bits), tile_magnitudes(codes.magnitude))


def signed_sums(code: npt.NDArray[np.int8], bits: npt.NDArray[np.uint8]) -> Ints:
    """Σ_j ±code[j] for each row of packed signs."""
    signs = 2 * np.unpackbits(bits, axis=1, count=len(code)).astype(np.int64) - 1
    sums: Ints = signs @ code.astype(np.int64)
    return sums


def scan_naively(codes: npt.NDArray[np.int8], weights: Sequence[int], checkpoints: Sequence[Codes]) -> Ints:
    """Σ over checkpoints of weight · magnitude · Σ ±code."""
    total = np.zeros(len(checkpoints[0].magnitude), dtype=np.int64)
    for code, weight, rows in zip(codes, weights, checkpoints, strict=True):
        total += weight * rows.magnitude.astype(np.int64) * signed_sums(code, rows.bits)
    return total
