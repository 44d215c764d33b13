"""The exhaustive scan: exact integer scores of all rows for one query, by counting bits.

A row's Σ ±code is twice the sum of the code over its set bits less the sum of all. The sum over set bits is
Σ_b weight_b · popcount(row & plane_b), with the weights of two's complement. Integers add up the same in any
order, so neither threads nor vector width can change a score. numba compiles the kernel for the CPU at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba.extending import intrinsic

from inference_worker.attribution.tiles import TILE_ROWS, Magnitudes, Words, bit_planes

Ints = npt.NDArray[np.int64]

# The scores of so many tiles stay in a core's cache while one checkpoint after the other adds to them.
STRIDE = 64


@dataclass(frozen=True)
class Column:
    """All rows at one checkpoint: signs (tiles, words, TILE_ROWS), magnitudes (tiles, TILE_ROWS)."""

    signs: Words
    magnitude: Magnitudes


@dataclass(frozen=True)
class _Term:
    """One checkpoint of a scan; `planes` is (words, 8), `whole` the sum of the code."""

    column: Column
    planes: Words
    whole: int
    weight: int


def scan_columns(
    codes: npt.NDArray[np.int8],
    weights: Sequence[int],
    columns: Sequence[Column],
    rows: int,
    threads: int = 1,
) -> Ints:
    """Scores of the first `rows` rows: Σ over checkpoints of weight · magnitude · Σ ±code.

    `codes` is (checkpoints, width); the caller answers for 64 bits being enough. Any number of threads gives
    the same integers.
    """
    terms = [
        _Term(column, bit_planes(code), int(code.astype(np.int64).sum()), weight)
        for code, weight, column in zip(codes, weights, columns, strict=True)
    ]
    tiles = len(columns[0].magnitude)
    scores = np.zeros((tiles, TILE_ROWS), dtype=np.int64)
    parts = max(1, min(threads, tiles // STRIDE))
    borders = [tiles * part // parts for part in range(parts + 1)]
    if parts == 1:
        _add_part(terms, scores, 0, tiles)
    else:
        with ThreadPoolExecutor(parts) as pool:
            list(pool.map(lambda low, high: _add_part(terms, scores, low, high), borders[:-1], borders[1:]))
    return scores.reshape(-1)[:rows]


def _add_part(terms: Sequence[_Term], scores: Ints, low: int, high: int) -> None:
    for at in range(low, high, STRIDE):
        part = slice(at, min(high, at + STRIDE))
        for term in terms:
            signs, magnitude = term.column.signs[part], term.column.magnitude[part]
            _compiled(signs, magnitude, term.planes, term.whole, term.weight, scores[part])


def _count_bits(_context: Any, word: Any) -> Any:
    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return numba.int64(word), generate


_popcount = intrinsic(_count_bits)


def _add_scores(
    signs: Words, magnitude: Magnitudes, planes: Words, whole: int, weight: int, scores: Ints
) -> None:
    """Compiled. One pass per word over 128 rows; the inner loop is the one that becomes vector code."""
    sums = np.empty(TILE_ROWS, np.int64)
    for tile in range(signs.shape[0]):
        sums[:] = 0
        for place in range(signs.shape[1]):
            p = planes[place]
            p0, p1, p2, p3, p4, p5, p6, p7 = p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
            words = signs[tile, place]
            for row in range(TILE_ROWS):
                word = words[row]
                low = _popcount(word & p0) + (_popcount(word & p1) << 1) + (_popcount(word & p2) << 2)
                high = (_popcount(word & p4) << 4) + (_popcount(word & p5) << 5) + (_popcount(word & p6) << 6)
                sums[row] += low + (_popcount(word & p3) << 3) + high - (_popcount(word & p7) << 7)
        for row in range(TILE_ROWS):
            scores[tile, row] += weight * np.int64(magnitude[tile, row]) * (2 * sums[row] - whole)


_compiled = numba.njit(nogil=True)(_add_scores)
