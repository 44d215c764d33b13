"""Rows as sign bits, queries as int8, and their exact integer product.

Everything after `encode_query` is integers, the same on every machine; a digest of the query code lets
anyone who recomputes it see at once whether he got the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.method import CODE_LIMIT, SCALE_LIMIT, WEIGHT_LIMIT
from inference_worker.errors import IndexCorrupt
from protocol.hashing import sha256
from protocol.index_pages import CodeShape
from protocol.query_code import CodeBytes, decode_code

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Codes:
    """Sketches of rows at one checkpoint: packed sign bits (rows, width/8) and magnitudes (rows,)."""

    bits: npt.NDArray[np.uint8]
    magnitude: npt.NDArray[np.uint16]


@dataclass(frozen=True)
class QueryCode:
    """int8 codes (checkpoints, width) and an integer weight for each checkpoint (0 to WEIGHT_LIMIT); the
    int8 code of the losses (K,), empty where there are none, and theirs (0 to LOSS_WEIGHT_LIMIT).
    """

    codes: npt.NDArray[np.int8]
    weights: tuple[int, ...]
    losses: npt.NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    loss_weight: int = 0

    def encode(self) -> bytes:
        """The bytes that a receipt binds by their sha256 and anyone may score a row with."""
        codes = tuple(code.tobytes() for code in self.codes)
        return CodeBytes(self.weights, codes, self.loss_weight, self.losses.tobytes()).encode()

    def digest(self) -> bytes:
        """sha256 of `encode`, for comparing two computations of one query."""
        return sha256(self.encode())


def read_query(data: bytes, shape: CodeShape) -> QueryCode:
    """A code as a receipt binds it, for an index of this shape; IndexCorrupt for any other."""
    code = decode_code(data)
    if code.shape != shape:
        raise IndexCorrupt("shape of the query's code", shape, code.shape)
    codes = np.stack([np.frombuffer(one, dtype=np.int8) for one in code.codes])
    return QueryCode(codes, code.weights, np.frombuffer(code.losses, dtype=np.int8), code.loss_weight)


def encode_magnitudes(means: Floats, unit: float) -> npt.NDArray[np.uint16]:
    """Mean magnitudes in `unit`s, at most SCALE_LIMIT."""
    return np.minimum(np.rint(means / unit), SCALE_LIMIT).astype(np.uint16)


def unit_of(*means: Floats) -> float:
    """The magnitude unit under which the largest row just fits 16 bits."""
    largest = max(float(group.max(initial=0.0)) for group in means)
    return largest / SCALE_LIMIT if largest > 0 else 1.0


def encode_query(vectors: Sequence[Floats], units: Sequence[float]) -> QueryCode:
    """One int8 code per checkpoint by its largest number, rounding half to even; weights relative to the
    largest.
    """
    codes, sizes = [], []
    for vector, unit in zip(vectors, units, strict=True):
        largest = float(np.abs(vector).max())
        scaled = vector / largest * CODE_LIMIT if largest > 0 else vector
        codes.append(np.rint(scaled).astype(np.int8))
        sizes.append(largest * unit)
    top = max(sizes)
    weights = tuple(round(size / top * WEIGHT_LIMIT) if top > 0 else 0 for size in sizes)
    return QueryCode(np.stack(codes), weights)
